"""Finding personal data in fields that are not meant for it. Pure; says the kind, never the value.

Meant are fields whose name says so (`email`, `billing.phone`). A hit is a warning for people to
look at, so a form must be plain: nothing is decided by it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from amity.store.logic.plans.checking import iter_values

PERSONAL: Final = ("email", "phone", "national_id", "card")
NAMELESS: Final = "(a name of a property)"
"""The path of a property whose name is itself personal."""
_MOST: Final = 4_000
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}"
)
_PHONE: Final = re.compile(r"(?<![\w+])(?:\+|00)[1-9](?:[ ()./-]{0,2}[0-9]){7,13}(?![\w])")
_SSN: Final = re.compile(
    r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])", re.ASCII
)
_NINO: Final = re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?(?:\d\d ?){3}[A-D](?!\w)")
_FISCAL: Final = re.compile(r"(?<!\w)[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z](?!\w)")
_DNI: Final = re.compile(r"(?<!\w)(\d{8})([A-HJ-NP-TV-Z])(?!\w)", re.ASCII)
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_MEANT: Final = {
    "email": re.compile(r"mail|recipient|sender|reply_?to"),
    "phone": re.compile(r"phone|mobile|tel|fax|whatsapp|sms|msisdn|cell"),
    "national_id": re.compile(r"ssn|national|tax|vat|dni|nif|nino|fiscal|passport|identity"),
}


def list_kinds(text: str) -> list[str]:
    """Return the kinds of personal data a text holds."""
    text = text[:_MOST]
    if "%" in text:
        text = unquote(text)
    found = []
    if "@" in text and _EMAIL.search(text):
        found.append("email")
    if ("+" in text or "00" in text) and _PHONE.search(text):
        found.append("phone")
    if _has_national_id(text):
        found.append("national_id")
    return found


def _has_national_id(text: str) -> bool:
    if any(form.search(text) for form in (_SSN, _NINO, _FISCAL)):
        return True
    return any(_DNI_LETTERS[int(one[1]) % 23] == one[2] for one in _DNI.finditer(text))


def iter_warnings(properties: dict[str, Any], context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and kind of personal data in fields, names, addresses and titles of an event."""
    for path, value in iter_values(properties):
        for kind in list_kinds(path):
            yield NAMELESS, kind
        name = path.rpartition(".")[2].lower()
        values = value if isinstance(value, list) else [value]
        for kind in {kind for each in values if isinstance(each, str) for kind in list_kinds(each)}:
            if not _MEANT[kind].search(name):
                yield path, kind
    yield from _iter_context(context)


def _iter_context(context: dict[str, Any]) -> Iterator[tuple[str, str]]:
    page = context.get("page")
    if isinstance(page, dict):
        for name in ("url", "path", "search", "title", "referrer"):
            if isinstance(text := page.get(name), str):
                for kind in list_kinds(text):
                    yield f"context.page.{name}", kind
    said = context.get("amity")
    if isinstance(said, dict) and isinstance(said.get("cut"), list):
        for path in said["cut"]:
            yield str(path)[:255], "card"
