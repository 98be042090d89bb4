"""Claims of others about a customer as `Trait Asserted` events (pure): what was bought about her,
what an expert system decided. Beside the value stand how it came about, how sure it is, on what
ground it is held, until when, and where it comes from."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from amity.kernel.clock import format_instant
from amity.store.contracts_claims import TRAIT_ASSERTED, How
from amity.store.dialect import BadEvent, make_id
from amity.store.logic.identity.rules import normalize_email, normalize_phone
from amity.store.logic.intake.decoding import MAX_TEXT

LAWFUL_BASES: Final = (
    "consent",
    "contract",
    "legal_obligation",
    "vital_interests",
    "public_task",
    "legitimate_interests",
)
"""The six of GDPR article 6 (1)."""

_TRAIT: Final = re.compile(r"[^\s\x00-\x1f][^\x00-\x1f]{0,99}")


def read_basis(text: str) -> str:
    """Return a lawful basis by its name, however it is written; "" for what is none."""
    word = "_".join(text.lower().replace("-", " ").replace("_", " ").split())
    word = {"legitimate_interest": "legitimate_interests", "vital_interest": "vital_interests"}.get(
        word, word
    )
    return word if word in LAWFUL_BASES else ""


def whose(
    *, user_id: str = "", anonymous_id: str = "", email: str = "", phone: str = ""
) -> dict[str, Any]:
    """Return whom a claim is about; raise BadEvent when no identifier is one."""
    traits = {}
    if email:
        if normalize_email(email) is None:
            raise BadEvent("bad_identifier", f"{email[:100]!r} is not an e-mail address")
        traits["email"] = email
    if phone:
        if normalize_phone(phone) is None:
            raise BadEvent("bad_identifier", f"{phone[:100]!r} is not a phone number")
        traits["phone"] = phone
    found: dict[str, Any] = {"context": {"traits": traits}} if traits else {}
    if user_id:
        found["userId"] = user_id
    if anonymous_id:
        found["anonymousId"] = anonymous_id
    if not found:
        raise BadEvent("missing_identity", "it names nobody")
    if not user_id and not anonymous_id:
        # Nobody's own id, but an event must have one; the address or number joins it.
        found["anonymousId"] = make_id("asserted", (email or phone).strip().lower())
    return found


def assertion(
    who: Mapping[str, Any],
    traits: Mapping[str, Any],
    *,
    how: How,
    at: str | None,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the event; ``about`` says what is known of the claim, what is empty left out.

    Raises BadEvent for a name that no trait can have.
    """
    for name in traits:
        if not _TRAIT.fullmatch(name) or name.startswith("_"):
            raise BadEvent("bad_trait", f"{name[:100]!r} cannot be the name of a trait")
    said = {name: value for name, value in about.items() if value not in (None, "")}
    if isinstance(said.get("provenance"), str):
        said["provenance"] = said["provenance"][:MAX_TEXT]
    properties = {"traits": dict(traits), "how": how} | said
    return {
        **who,
        "type": "track",
        "event": TRAIT_ASSERTED,
        "timestamp": at,
        "properties": properties,
    }


def read_share(value: Any) -> float | None:
    """Return how sure a claim is, 0 to 1; raise BadEvent for anything else. None is None."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise BadEvent("bad_score", "how sure a claim is, is a number from 0 to 1")
    return float(value)


def after(moment: datetime, days: float) -> str:
    """Return the moment some days later, as the log writes it."""
    return format_instant(moment + timedelta(days=days))
