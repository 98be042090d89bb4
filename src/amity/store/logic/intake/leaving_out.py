"""Leaving out what the door said is not to be folded (`context.amity.left_out`). Pure."""

from collections.abc import Iterable
from typing import Any


def leave_out(value: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return an object without the values at some paths."""
    for path in paths:
        value = _without(value, path)
    return value


def _without(value: dict[str, Any], path: str) -> dict[str, Any]:
    if path in value:
        return {name: item for name, item in value.items() if name != path}
    for name, item in value.items():
        if isinstance(item, dict) and path.startswith(f"{name}."):
            return value | {name: _without(item, path[len(name) + 1 :])}
        if isinstance(item, list) and path.startswith(f"{name}[]."):
            rest = path[len(name) + 3 :]
            kept = [_without(each, rest) if isinstance(each, dict) else each for each in item]
            return value | {name: kept}
    return value
