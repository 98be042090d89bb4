"""The small words of a rule in text form: quotes, counts, lengths of time, windows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from amity.rules.text_tokens import KEYWORDS, WORD

_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60))


def quote(value: Any) -> str:
    """Write a value as the reader takes it: a text in quotes."""
    return json.dumps(value, ensure_ascii=False)


def name_(name: str) -> str:
    """Write a name, in quotes where it needs them."""
    return name if WORD.match(name) and name.lower() not in KEYWORDS else quote(name)


def times(count: int) -> str:
    """Write how often."""
    return "1 time" if count == 1 else f"{count} times"


def bounds(node: dict[str, Any]) -> Iterator[str]:
    """Write the bounds of a count, those that are there."""
    for word, key in (("at least", "at_least"), ("at most", "at_most")):
        if node.get(key) is not None:
            yield f"{word} {times(node[key])}"


def when(node: dict[str, Any]) -> Iterator[str]:
    """Write the window, if there is one."""
    if "within_days" in node:
        yield f"in the last {days(node['within_days'])}"
    if "during" in node:
        yield _period(node["during"])


def _period(period: dict[str, Any]) -> str:
    unit, count = period["unit"], period.get("count", 1)
    if period.get("which", "this") == "this":
        written = f"in this {unit}"
    elif count == 1:
        written = f"in last {unit}"
    else:
        written = f"in the last {count} whole {unit}s"
    return f"{written} in zone {name_(period['zone'])}" if "zone" in period else written


def days(count_days: float) -> str:
    """Write a length of time in the largest unit that says it exactly."""
    for unit, seconds in _UNITS:
        count = count_days * 86_400 / seconds
        whole = round(count) if abs(count) < 1e15 else 0
        if whole > 0 and timedelta(seconds=whole * seconds) / timedelta(days=1) == count_days:
            return f"{whole} {unit}{'' if whole == 1 else 's'}"
    return f"{quote(count_days)} days"
