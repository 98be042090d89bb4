"""What is asked of others and what of their answers is taken (pure)."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from amity.kernel.errors import Invalid
from amity.store.contracts import Identifier, Profile
from amity.store.contracts_doors import Door
from amity.store.contracts_hooks import EnrichmentKey, EnrichmentPlan
from amity.store.logic.intake.decoding import MAX_TEXT
from amity.store.logic.telling.asserting import LAWFUL_BASES

DOOR: Final = Door(
    name="enrichment",
    title="Enrichment over HTTP",
    description="What somebody else knows of customers who allow to be asked about.",
    needs="A URL, what may be sent, a purpose and a lawful basis",
    steps=(
        "Take the URL and the key from whom you ask; `{value}` stands where the customer's "
        "identifier goes.",
        "Choose what is sent of a customer (hashed where that is enough) and for which purpose: "
        "only who allows it is asked about.",
        "Write which traits are taken and where they stand in the answer, and for how long they "
        "are good.",
    ),
)
_MARK: Final = "{value}"
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_TRAIT: Final = re.compile(r"[A-Za-z][\w .-]{0,99}")
_MOST_ITEMS: Final = 50
_MOST_TEXT: Final = 1_000
KEYS: Final[dict[EnrichmentKey, str]] = {
    "email_sha256": "E-mail address, hashed (SHA-256)",
    "email_domain": "Domain of the e-mail address",
    "email": "E-mail address",
    "phone": "Phone number",
    "user_id": "Customer id",
}
MADE_UP: Final[dict[EnrichmentKey, str]] = {
    "email_sha256": hashlib.sha256(b"nobody@example.com").hexdigest(),
    "email_domain": "example.com",
    "email": "nobody@example.com",
    "phone": "+12025550100",
    "user_id": "nobody",
}
"""Whom a trial asks about: nobody, by addresses and a number kept for examples."""


def check_plan(plan: EnrichmentPlan) -> EnrichmentPlan:
    """Return a plan tidied up; raise Invalid for one that cannot be."""
    name = " ".join(plan.name.split())
    wrong = (
        (not 0 < len(name) <= 100, "a name has 1 to 100 characters"),
        (plan.key not in KEYS, f"what is sent is one of {', '.join(KEYS)}"),
        (not plan.purpose.strip(), "say for which purpose: only who allows it is asked about"),
        (
            plan.lawful_basis not in LAWFUL_BASES,
            f"the lawful basis is one of {', '.join(LAWFUL_BASES)}",
        ),
        (not plan.mapping or len(plan.mapping) > 50, "say which 1 to 50 traits are taken"),
        (not 0 <= plan.confidence <= 1, "a confidence is a number from 0 to 1"),
        (not 1 <= plan.ttl_days <= 3_650, "answers are good for 1 to 3650 days"),
        (not 1 <= plan.per_minute <= 6_000, "ask 1 to 6000 times a minute"),
        (
            bool(plan.header) and not _HEADER.fullmatch(plan.header),
            "the name of a header has letters, digits and dashes",
        ),
    )
    for is_wrong, reason in wrong:
        if is_wrong:
            raise Invalid(reason, code="bad_enrichment")
    for trait, path in plan.mapping.items():
        if not _TRAIT.fullmatch(trait) or not path.strip():
            raise Invalid(f"{trait!r} cannot be taken from {path!r}", code="bad_mapping")
    _check_url(plan.url)
    return msgspec.structs.replace(plan, name=name, purpose=plan.purpose.strip())


def _check_url(url: str) -> None:
    begin, mark, _ = url.partition(_MARK)
    try:
        parts = urlsplit(begin)
    except ValueError as error:
        raise Invalid("this is not a URL", code="bad_url") from error
    if not mark or not parts.netloc or not (parts.path or parts.query):
        raise Invalid(f"write {_MARK} after the host, where the identifier goes", code="bad_url")


def fill_url(url: str, value: str) -> str:
    """Return the URL that asks about one value; it can change neither host nor path."""
    return url.replace(_MARK, quote(value, safe="").replace(".", "%2E"))


def find_value(profile: Profile, key: EnrichmentKey) -> str:
    """Return what is told of a customer, "" when she has no such identifier."""
    email = (profile.email or "").strip().lower()
    match key:
        case "email":
            return email
        case "email_sha256":
            return hashlib.sha256(email.encode()).hexdigest() if email else ""
        case "email_domain":
            return email.rpartition("@")[2]
        case "phone":
            return profile.phone or ""
    return profile.user_id or ""


def read_answer(body: bytes, mapping: dict[str, str]) -> dict[str, Any]:
    """Return the traits an answer gives; places that are not there, or hold no value, are left out.

    Raises ValueError for what is not JSON.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("the answer is not JSON") from error
    found = {trait: _value(_walk(answer, path.strip())) for trait, path in mapping.items()}
    return {trait: value for trait, value in found.items() if value is not None}


def _walk(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()[:_MOST_TEXT] or None
    if isinstance(value, list):
        items = [item[:MAX_TEXT] if isinstance(item, str) else item for item in value]
        kept = [item for item in items if isinstance(item, str | int | float | bool)]
        return kept[:_MOST_ITEMS] or None
    return value if isinstance(value, int | float | bool) else None


def whose_answer(profile: Profile, identifiers: Sequence[Identifier]) -> dict[str, Any] | None:
    """Return how an event names a customer, by what is hers already; None when nothing is."""
    if profile.user_id:
        return {"userId": profile.user_id}
    device = next((each.value for each in identifiers if each.kind == "anonymous_id"), None)
    return {"anonymousId": device} if device else None
