"""From the bytes of one JSON value to an object that survives a round trip through jsonb."""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

import msgspec

from amity.kernel.clock import parse_instant
from amity.kernel.errors import Invalid

MAX_DEPTH: Final = 64
MAX_NODES: Final = 10_000
_EXACT_FLOAT: Final = float(2**53)
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**63 - 1
_INT_DIGITS: Final = 19
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Fractions finer than a microsecond, and offsets without a colon: both are common, both are ISO.
_FINE_FRACTION: Final = re.compile(r"(\.\d{6})\d+")
_BARE_OFFSET: Final = re.compile(r"([+-]\d\d)(\d\d)$", re.ASCII)
# As JavaScript and Python write an instant in UTC: with milliseconds or microseconds.
_USUAL_LENGTHS: Final = (24, 27, 29, 32)
# Turns all digits into 0 and all else into spaces, so that a long number is one `in` away.
_DIGITS_ONLY: Final = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_LONG_NUMBER: Final = b"0" * _INT_DIGITS


class BadEvent(Invalid):
    """An event that cannot be understood: ``reason`` is a code, the message says where."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason, code=reason)


def canonical_float(text: str) -> float | int | str:
    """Read a float so that jsonb gives the same value back: whole and huge ones become whole."""
    value = float(text)
    if -_EXACT_FLOAT < value < _EXACT_FLOAT:
        return value or 0.0
    if not math.isfinite(value):
        raise BadEvent("not_finite", "a number is too large")
    return _canonical_int(str(int(value)))


def _canonical_int(text: str) -> int | str:
    """Read an integer; one that needs more than 64 bits stays text."""
    if len(text) > _INT_DIGITS + 1:
        return text
    value = int(text)
    return value if _INT_MIN <= value <= _INT_MAX else text


def _refuse_constant(text: str) -> NoReturn:
    raise BadEvent("not_finite", f"{text} is not JSON")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise BadEvent("duplicate_key", "a name stands twice in one object")
    return made


_FAST: Final = msgspec.json.Decoder(float_hook=canonical_float)
CANONICAL: Final = msgspec.json.Encoder(order="sorted")
SMALL: Final = 2 * MAX_NODES
_BACKSLASH: Final = ord("\\")


def is_plain(text: bytes) -> bool:
    """Rule out by looking at the bytes: characters as numbers, and numbers of many digits.

    What holds for a text holds for all parts of it.
    """
    return (_BACKSLASH not in text or b"\\u" not in text) and _LONG_NUMBER not in text.translate(
        _DIGITS_ONLY
    )


def is_small(raw: bytes) -> bool:
    """Rule out by looking at the bytes: too many values, and objects nested too deep."""
    return len(raw) < SMALL and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH


def parse_object(raw: bytes) -> tuple[dict[str, Any], bytes, bool]:
    """Parse strictly; return the object, its canonical text and whether it was sanitized.

    Raises BadEvent.

    The short way holds for nearly all events: what it cannot rule out by looking at the bytes
    goes the long way. A name that stands twice is lost in the object, so its colon is missing
    from the text written back.
    """
    if is_plain(raw) and is_small(raw):
        try:
            value = _FAST.decode(raw)
        except (msgspec.MsgspecError, ValueError, BadEvent):
            return _parse_slowly(raw)
        canonical = CANONICAL.encode(value)
        if type(value) is dict and raw.count(b":") == canonical.count(b":"):
            return value, canonical, False
    return _parse_slowly(raw)


def _parse_slowly(raw: bytes) -> tuple[dict[str, Any], bytes, bool]:
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_unique_pairs,
            parse_float=canonical_float,
            parse_int=_canonical_int,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise BadEvent("bad_utf8", f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise BadEvent("too_deep", f"nested deeper than {MAX_DEPTH}") from error
    except json.JSONDecodeError as error:
        raise BadEvent("not_json", f"{error.msg} at character {error.pos}") from error
    if not isinstance(value, dict):
        raise BadEvent("not_an_object", "an event is a JSON object")
    _measure(value)
    cleaned, changed = _clean(value)
    return cleaned, CANONICAL.encode(cleaned), changed


def _measure(value: object) -> None:
    """Refuse what is nested too deep or has too many values, without recursion."""
    level: list[object] = [value]
    nodes = depth = 0
    while level:
        nodes += len(level)
        if nodes > MAX_NODES:
            raise BadEvent("too_many_values", f"more than {MAX_NODES} values")
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        depth += any(isinstance(item, dict | list) for item in level)
        if depth > MAX_DEPTH:
            raise BadEvent("too_deep", f"nested deeper than {MAX_DEPTH}")
        level = below


def _clean(value: Any) -> tuple[Any, bool]:
    """Replace what PostgreSQL cannot hold in text, in values and names; say if there was any."""
    if isinstance(value, str):
        clean = _SURROGATE.sub("\ufffd", value).replace("\0", "\ufffd")
        return clean, clean != value
    if isinstance(value, list):
        items = [_clean(item) for item in value]
        return [item for item, _ in items], any(changed for _, changed in items)
    if isinstance(value, dict):
        pairs = [(_clean(name), _clean(item)) for name, item in value.items()]
        changed = any(name[1] or item[1] for name, item in pairs)
        return {name[0]: item[0] for name, item in pairs}, changed
    return value, False


def read_instant(text: str) -> datetime | None:
    """Read a time as clients write it: finer fractions are cut off, `+0100` is an offset."""
    if len(text) in _USUAL_LENGTHS and text[10] == "T" and text[0] != "0":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if moment.tzinfo is UTC:
            return moment
    if "." in text:
        text = _FINE_FRACTION.sub(r"\1", text)
    if "T" in text or " " in text:
        text = _BARE_OFFSET.sub(r"\1:\2", text)
    return parse_instant(text)
