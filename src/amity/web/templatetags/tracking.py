"""What is wrong with an event, in words."""

from typing import Final

from django import template

register = template.Library()
_FINDINGS: Final = {
    "missing": "missing",
    "wrong_type": "wrong type",
    "not_allowed": "value not allowed",
    "too_long": "too long",
    "bad_format": "wrong format",
    "unknown": "not planned",
    "email": "e-mail address in it",
    "phone": "phone number in it",
    "national_id": "national id in it",
    "card": "card number cut",
}
PERSONAL: Final = ("email", "phone", "national_id", "card")
_RULES: Final = {
    "silent": "silent",
    "violations": "against the plan",
    "duplicates": "duplicates",
    "late": "late",
    "volume": "volume",
    "nulls": "empty",
    "personal": "personal data",
}


@register.filter
def finding_words(kind: str) -> str:
    """Return a kind of finding in two or three words."""
    return _FINDINGS.get(kind, kind.replace("_", " "))


@register.filter
def is_personal(kind: str) -> bool:
    """Say whether a finding is personal data where it is not meant to be."""
    return kind in PERSONAL


@register.filter
def rule_name(rule: str) -> str:
    """Return an alert's rule in a word or two."""
    return _RULES.get(rule, rule)
