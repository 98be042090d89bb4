"""Reading the values of cells: times, amounts, yes and no, and whatever a free column holds."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from amity.kernel.clock import format_instant
from amity.store.connector import BadRow, Row
from amity.store.logic.intake.parsing import read_instant as parse_instant

_INTEGER: Final = re.compile(r"-?(0|[1-9]\d{0,14})", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(0|[1-9]\d{0,14})\.\d{1,12}", re.ASCII)
_EPOCH: Final = re.compile(r"\d{10}(\d{3})?", re.ASCII)
_SLASHED: Final = re.compile(r"(\d{4})[/.](\d{2})[/.](\d{2})(?=$|[T ])", re.ASCII)
_SPACED_ZONE: Final = re.compile(r" (?=[+-]\d\d:?\d\d$|Z$)| UTC$", re.ASCII)
_SIGNS: Final = re.compile(r"^(-?)\s*[$€£¥]\s*|\s*[$€£¥]$")
_GROUPS: Final = re.compile(r"[\s\u00a0\u202f'](?=\d{3}(\D|$))")
_PLAIN: Final = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)
_POINT: Final = re.compile(r"-?\d{1,3}(,\d{3})+\.\d{1,6}|-?\d{1,3}(,\d{3}){2,}", re.ASCII)
_COMMA: Final = re.compile(r"-?\d{1,3}(\.\d{3})+,\d{1,6}|-?\d{1,15},\d{1,2}", re.ASCII)
_TRUE: Final = frozenset(("true", "yes", "y", "1", "on"))
_FALSE: Final = frozenset(("false", "no", "n", "0", "off"))
# Names of free columns whose values look like numbers and are not: 3165 is a postcode.
_TEXT_NAMES: Final = re.compile(
    r"(^|_)(id|ids|no|number|code|postcode|zip|phone|mobile|card|sku|upc|ean|isbn|ssn|iban|account)($|_)"
)


def read_instant(row: Row, field: str) -> str | None:
    """Return a cell's time as the log writes it, None when the cell is empty.

    ISO 8601 is read, also with slashes or dots when the year comes first, and Unix seconds or
    milliseconds. A time without a zone is UTC. Anything else is refused and not guessed: is
    03/04/2026 in March or in April?
    """
    text = row.find(field)
    if not text:
        return None
    if _EPOCH.fullmatch(text):
        seconds = int(text) / (1000 if len(text) == 13 else 1)
        return format_instant(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
    moment = parse_instant(_SPACED_ZONE.sub(_zone, _SLASHED.sub(r"\1-\2-\3", text)))
    if moment is None:
        reason = f"{text!r} is not a time; write it as 2026-01-31 or 2026-01-31T18:30:00Z"
        raise BadRow(row.number, reason)
    return format_instant(moment)


def _zone(match: re.Match[str]) -> str:
    return "Z" if "UTC" in match[0] else ""


def read_amount(row: Row, field: str) -> float | None:
    """Return a cell's number, None when the cell is empty.

    A currency sign and groups of thousands are read where there is one way to; 1,234 is refused.
    """
    text = row.find(field)
    if not text:
        return None
    bare = _GROUPS.sub("", _SIGNS.sub(r"\1", text))
    if _PLAIN.fullmatch(bare):
        return float(bare)
    if _POINT.fullmatch(bare):
        return float(bare.replace(",", ""))
    if _COMMA.fullmatch(bare):
        return float(bare.replace(".", "").replace(",", "."))
    if re.fullmatch(r"-?\d{1,3},\d{3}", bare, re.ASCII):
        raise BadRow(row.number, f"{text!r} can be read in two ways; leave out the thousands sign")
    raise BadRow(row.number, f"{text!r} in {field!r} is not a number")


def read_quantity(row: Row, field: str) -> float | None:
    """Return a cell's quantity, None when the cell is empty; it may be a fraction, not negative."""
    amount = read_amount(row, field)
    if amount is not None and (amount < 0 or not math.isfinite(amount)):
        raise BadRow(row.number, f"{row.find(field)!r} in {field!r} is negative")
    return amount


def read_choice(row: Row, field: str) -> bool | None:
    """Return a cell's yes or no, None when the cell is empty."""
    text = row.find(field).lower()
    if not text:
        return None
    if text not in _TRUE | _FALSE:
        raise BadRow(row.number, f"{row.find(field)!r} in {field!r} is neither yes nor no")
    return text in _TRUE


def read_free(name: str, text: str) -> str | int | float | bool:
    """Return the value of a free column: a number or true or false when it is written as one.

    What is called an id, a number, a code or the like stays text, and so does what a number
    would not give back as it was (`007`, `+1`).
    """
    if text in ("true", "false"):
        return text == "true"
    if _TEXT_NAMES.search(name):
        return text
    if _INTEGER.fullmatch(text) and text != "-0":
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


def plain_number(value: float) -> int | float:
    """Return a whole number as an integer, as people write quantities and round prices."""
    return int(value) if value.is_integer() else value


def read_extras(row: Row, prefix: str) -> dict[str, str | int | float | bool]:
    """Return the free columns of a row by name."""
    start = prefix + "."
    return {
        field.removeprefix(start): read_free(field.removeprefix(start), text)
        for field, text in row.cells.items()
        if field.startswith(start)
    }
