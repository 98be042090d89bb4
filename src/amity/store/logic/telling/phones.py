"""Who calls: phone numbers as they are written, and whose they may be."""

import re
from typing import Final

from amity.infra import queries
from amity.infra.database import transaction
from amity.store.contracts_hooks import PhoneMatch
from amity.store.logic.identity.rules import normalize_phone

_SQL: Final = queries.load("amity.store")
_TAIL: Final = 8
_MOST: Final = 10
_EXTENSION: Final = re.compile(r"\s*(?:;ext=|ext\.?|x)\s*\d{1,6}$", re.IGNORECASE | re.ASCII)
_SCHEME: Final = re.compile(r"^(?:tel|sips?):", re.IGNORECASE)


def clean_phone(text: str) -> str:
    """Return a number as a switchboard writes it in the form it is compared in, "" for none.

    `tel:` and `sip:` addresses are read, an extension is left out, and the `00` that many
    countries dial for abroad becomes a plus. Withheld numbers are none.
    """
    bare = _SCHEME.sub("", text.strip()).partition("@")[0].partition(";")[0]
    number = normalize_phone(_EXTENSION.sub("", bare).replace("(0)", ""))
    if number is None or re.search(r"[a-z]{3}", bare, re.IGNORECASE):
        return ""
    return "+" + number[2:] if number.startswith("00") else number


def find_by_phone(*, number: str) -> PhoneMatch:
    """Return who has a number: its owner, else all whose numbers end as it does, ten at most.

    `0470 12 34 56` may be the number of `+32 470 12 34 56`: what comes before is a country's.
    """
    clean = clean_phone(number)
    if not clean:
        return PhoneMatch(number="", is_exact=False, profile_ids=[])
    with transaction() as connection:
        rows = connection.execute(_SQL["find_phones"], [clean[-_TAIL:]]).fetchall()
    exact = [profile_id for value, profile_id in rows if clean_phone(value) == clean]
    found = exact or [profile_id for value, profile_id in rows if _is_alike(value, clean)]
    unique = list(dict.fromkeys(found))[:_MOST]
    return PhoneMatch(number=clean, is_exact=bool(exact), profile_ids=unique)


def _is_alike(one: str, other: str) -> bool:
    """Say whether one number is the other without its country."""
    if one.startswith("+") and other.startswith("+"):
        return False
    shorter, longer = sorted((one.lstrip("+0"), other.lstrip("+0")), key=len)
    return len(shorter) >= _TAIL and longer.endswith(shorter)
