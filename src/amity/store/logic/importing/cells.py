"""Values of files and databases as the texts that connectors read: one way for all of them."""

import base64
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

_DEPTH: Final = 8


def cell_text(value: Any) -> str:
    """Return a value as the text it would have in a CSV file; nothing is the empty text.

    Numbers are written out in full, times by ISO 8601 (midnight without a zone as the date
    alone), bytes as the text they hold or else in Base64, lists and objects as JSON.
    """
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, datetime | date | time):
        return _moment(value)
    return _other(value)


def _number(value: float | Decimal) -> str:
    if not math.isfinite(value):
        return ""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if number == number.to_integral_value() and isinstance(value, float):
        return format(number.quantize(Decimal(1)), "f") if abs(number) < 10**15 else repr(value)
    return format(number, "f") if abs(number.adjusted()) < 40 else str(number)


def _moment(value: datetime | date | time) -> str:
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
        return value.date().isoformat()
    return value.isoformat()


def _other(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return base64.b64encode(raw).decode()
        return text.strip() if text.isprintable() else base64.b64encode(raw).decode()
    if isinstance(value, timedelta):
        return str(value)
    try:
        return msgspec.json.encode(value, order="deterministic", enc_hook=str).decode()
    except (TypeError, ValueError):
        return str(value)


def flatten(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of an object by name; objects inside it become `name.inner`."""
    cells: dict[str, str] = {}
    _flatten(record, "", cells, _DEPTH)
    return cells


def _flatten(record: Mapping[str, Any], prefix: str, cells: dict[str, str], depth: int) -> None:
    for name, value in record.items():
        if isinstance(value, Mapping) and value and depth:
            _flatten(value, f"{prefix}{name}.", cells, depth - 1)
        else:
            cells[f"{prefix}{name}".strip()] = cell_text(value)
