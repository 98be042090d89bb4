"""Words for customers: what to call them, what their traits, consents and scores mean."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from amity.analysis import api_models
from amity.analysis.contracts import Score
from amity.kernel.clock import parse_instant
from amity.store.contracts import Profile, ProfileRow

KINDS: Final = {
    "user_id": "customer id",
    "anonymous_id": "device",
    "email": "e-mail address",
    "phone": "phone number",
}
"""Identifier kinds, in people's words."""

REFUSALS: Final = {
    "different_user_ids": "they have two different customer ids, so they stay two people",
    "too_many_identifiers": "together they would have more identifiers than one person has",
    "unproven": "that was only stated on a public page, without proof",
    "undone": "that was taken back by hand",
    "place": "many people sign in on this device",
}
"""Why two profiles that share something are kept apart."""

SCORES: Final[dict[str, tuple[str, str]]] = {
    "rfm": (
        "RFM",
        "How recently, how often and for how much they bought, each in fifths of all customers; "
        "5 is best.",
    ),
    "p_alive": (
        "Likely active",
        "The probability that they will buy again at all, from how often they bought and how "
        "long they have been silent (BG/NBD).",
    ),
    "expected_purchases": (
        "Expected purchases",
        "How many purchases to expect in the coming 90 days (BG/NBD), with the range in which four "
        "of five such customers should fall.",
    ),
    "churn": (
        "Chance to buy nothing",
        "The probability that they buy nothing in the coming 90 days, gone or merely silent "
        "(BG/NBD).",
    ),
    "next_purchase_days": (
        "Next purchase",
        "After how many days half of such customers are back, of those who still buy at all, with "
        "the days after which one and nine tenths are (BG/NBD).",
    ),
    "next_basket": (
        "Next basket",
        "What their next purchase is worth on average, with the range in which that average lies "
        "(Gamma-Gamma).",
    ),
    "clv": (
        "Worth next year",
        "What their purchases of the coming year are worth today (BG/NBD and Gamma-Gamma, future "
        "money discounted by 10 % a year).",
    ),
    "profit": (
        "Profit next year",
        "The margin of their purchases of the coming year, less what handling orders costs, worth "
        "today, with the range in which its expectation lies.",
    ),
}
"""A score's name for people and what it means."""

_PREDICTED: Final = "propensity:"
NAMED: Final = frozenset(("pareto_zone", "loyalty_cell"))
"""Scores whose label is a name and, after a colon, the reason."""


def describe_score(name: str) -> tuple[str, str]:
    """Return a score's name for people and what it means; of models somebody made too."""
    if name.startswith(_PREDICTED):
        return (
            f"Likely: {name.removeprefix(_PREDICTED).replace('-', ' ')}",
            "The probability that they do what this model looks ahead for, with what came of "
            "customers with alike probabilities. What moved it most is said with the logit it adds "
            "or takes; it is no cause.",
        )
    words = api_models.find_score_words(name=name)
    if words is not None:
        return words.title, words.meaning
    return SCORES.get(name, (spell(name), ""))


def is_reasoned(name: str) -> bool:
    """Say whether a score's label holds its reasons."""
    return name.startswith(_PREDICTED) or api_models.find_score_words(name=name) is not None


def why_of(score: Score) -> str:
    """Return the reasons a score's label holds, as a sentence; nothing where it holds none."""
    if score.name == "send_channel":
        return f"Answers {score.value:.1f} × as often there as others do" if score.value else ""
    if not score.label or not is_reasoned(score.name):
        return ""
    if score.name.startswith(_PREDICTED):
        return f"Moved most by {score.label}"
    if score.name in NAMED:
        reason = score.label.partition(": ")[2]
        return reason[:1].upper() + reason[1:]
    return score.label[:1].upper() + score.label[1:]


def named(score: Score) -> str:
    """Return a score in words, of those that are a name or a place; nothing of others."""
    if score.name == "pareto_tenth" and score.value is not None:
        return f"{score.value:.0f} of 10"
    return score.label.partition(": ")[0] if score.name in NAMED else ""


def who(profile: Profile | ProfileRow) -> str:
    """Return what to call a customer: the best there is of name, address, phone, id."""
    if profile.is_restricted:
        return f"Restricted customer {profile.profile_id}"
    known = profile.name or profile.email or profile.phone or profile.user_id
    return known or f"Visitor {profile.profile_id}"


def is_known(profile: Profile | ProfileRow) -> bool:
    """Say whether somebody stands behind a customer: a user id or an e-mail address."""
    return bool(profile.user_id or profile.email)


def spell(name: str) -> str:
    """Turn `household_size` or `loyaltyCard` into words: `household size`, `loyalty card`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " ").replace(".", " "))
    return spaced.lower().strip()


def value_of(value: Any) -> str | datetime:
    """Return a trait's or property's value as it should be read; instants stay instants."""
    if value is None or value == "":
        return "–"
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    return str(value)


def _write_number(value: float) -> str:
    return (f"{value:,.10g}" if abs(value) >= 10_000 else f"{value:g}").replace("-", "−")


def _write_text(value: str) -> str | datetime:
    moment = parse_instant(value) if len(value) > 10 else None
    return moment or value


def _write_mapping(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{spell(str(key))} {value_of(item)}" for key, item in value.items())


def _write_list(value: list[Any]) -> str:
    rest = f" and {len(value) - 8} more" if len(value) > 8 else ""
    return ", ".join(str(value_of(item)) for item in value[:8]) + rest


_WRITERS: Final[tuple[tuple[Any, Callable[[Any], str | datetime]], ...]] = (
    (bool, lambda value: "yes" if value else "no"),
    ((int, float), _write_number),
    (str, _write_text),
    (Mapping, _write_mapping),
    (list, _write_list),
)
