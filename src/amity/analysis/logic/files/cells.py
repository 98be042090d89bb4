"""What a cell of a file says: a day, an amount, a number, or why it says none of them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from amity.kernel.cells import unguard_cell
from amity.kernel.clock import parse_instant

MAX_DECIMALS: Final = 6
BLANK_DAY: Final = -(10**9)
"""What a blank day says: long before any other."""
_EPOCH: Final = date(1970, 1, 1)
_EPOCH_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COMPACT: Final = re.compile(r"[1-9]\d{7}", re.ASCII)
_ZONE: Final = re.compile(r"(:\d\d(?:\.\d+)?) ?(?:UTC|([+-]\d\d)(\d\d)?)$", re.ASCII)
_AMOUNT: Final = re.compile(r"(\d{0,12})(?:\.(\d{0,12}))?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,15}(\.\d{0,17})?|\.\d{1,17})([eE][+-]?\d{1,2})?", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,9}(\.0{1,9})?", re.ASCII)
_FLAGS: Final = {
    **dict.fromkeys(("1", "1.0", "yes", "true", "y", "t"), 1),
    **dict.fromkeys(("0", "0.0", "no", "false", "n", "f"), 0),
}


class BadCell(Exception):
    """A row cannot be used; the message says why."""


def _show(text: str) -> str:
    return repr(text[:40]) if text else "nothing"


def parse_day(text: str, name: str = "date") -> int:
    """Return the day (UTC) of an ISO 8601 date or time, or of YYYYMMDD, since 1970-01-01."""
    return (_parse_moment(text, name).date() - _EPOCH).days


def parse_moment(text: str, name: str = "time") -> int:
    """Return the microseconds from 1970-01-01 to an ISO 8601 date or time, or YYYYMMDD."""
    return (_parse_moment(text, name) - _EPOCH_AT) // timedelta(microseconds=1)


def _parse_moment(text: str, name: str) -> datetime:
    if _COMPACT.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    moment = parse_instant(_ZONE.sub(_write_zone, text))
    if moment is None:
        raise BadCell(f"its {name} is {_show(text)}, not a date like 2024-05-31")
    return moment.astimezone(UTC)


def _write_zone(match: re.Match[str]) -> str:
    """Return " UTC" and +00 or +0530, as databases write them, as ISO 8601 has them."""
    zone = "Z" if match[2] is None else f"{match[2]}:{match[3] or '00'}"
    return f"{match[1]}{zone}"


def parse_amount(text: str, name: str = "amount") -> tuple[int, int]:
    """Return an amount in millionths, and its number of decimals."""
    if text.startswith("-") and _AMOUNT.fullmatch(text[1:]):
        raise BadCell(f"its {name} is {_show(text)}: a refund is not a purchase")
    match = _AMOUNT.fullmatch(text.removeprefix("+"))
    if match is None or not (match[1] or match[2]):
        raise BadCell(f"its {name} is {_show(text)}, not a number like 12.50")
    whole, part = match[1] or "0", (match[2] or "").rstrip("0")[:MAX_DECIMALS]
    if int(whole) >= 10**9:
        raise BadCell(f"its {name} is {_show(text)}, which is too large")
    return int(whole) * 10**MAX_DECIMALS + int(part.ljust(MAX_DECIMALS, "0")), len(part)


def parse_number(text: str, name: str = "number") -> float:
    """Return a number; no comma for decimals or thousands, nothing that is not a number."""
    if not _NUMBER.fullmatch(text):
        raise BadCell(f"its {name} is {_show(text)}, not a number like 12.50")
    return float(text)


def parse_count(text: str, name: str = "number") -> int:
    """Return a whole number from 0 on."""
    if not _COUNT.fullmatch(text):
        raise BadCell(f"its {name} is {_show(text)}, not a whole number like 3")
    return int(text.partition(".")[0])


def parse_flag(text: str, name: str = "mark") -> int:
    """Return 1 for yes and 0 for no."""
    flag = _FLAGS.get(text.lower())
    if flag is None:
        raise BadCell(f"its {name} is {_show(text)}, not 1 or 0, yes or no")
    return flag


def parse_text(text: str, name: str) -> str:
    """Return a text without what guards it in spreadsheets; refuse what is not UTF-8."""
    text = unguard_cell(text)
    if text.isprintable():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadCell(f"its {name} is not UTF-8 text") from None
    return text


def parse_name(text: str, name: str) -> str:
    """Return a text that is not empty, which names whom or what the row is about."""
    if not text:
        raise BadCell(f"it names no {name}")
    return parse_text(text, name)


Parse = Callable[[str, str], object]
"""A cell and what it is called, to what it says; raises BadCell."""

PARSERS: Final[dict[str, Parse]] = {
    "name": parse_name,
    "text": parse_text,
    "day": parse_day,
    "moment": parse_moment,
    "amount": parse_amount,
    "number": parse_number,
    "count": parse_count,
    "flag": parse_flag,
}
BLANKS: Final[dict[str, object]] = {
    "text": "",
    "number": float("nan"),
    "count": -1,
    "flag": -1,
    "day": BLANK_DAY,
}
"""What a blank cell says where it may be blank."""
