"""Changing a condition that is kept as its JSON: what was typed, parts added, parts taken out.

Nothing typed is lost: what is no number stays the text it is, and is refused when the rule is
read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from amity.web.segments.more import UNITS, Kind, decode, fields_of, rows_of, write

_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?\Z", re.ASCII)
_NEW: Final[dict[str, Any]] = {
    "wheres": {"property": "", "is": {"op": "eq", "value": ""}},
    "test": {"op": "within_last", "days": 30},
    "step": {"event": ""},
}


def apply_fields(text: str, typed: Mapping[str, str]) -> str:
    """Return the JSON of a condition with what was typed into its rows; else as it is."""
    rule = decode(text)
    if rule is None:
        return text
    before = {field.name: field for field in fields_of(text)}
    changed = {
        name: value
        for name, value in typed.items()
        if name in before and value.strip() != before[name].value
    }
    for name, value in changed.items():
        holder, last = _reach(rule, name)
        if holder is None:
            continue
        if value.strip() or before[name].is_required:
            holder[last] = _read(value.strip(), before[name].kind)
        else:
            holder.pop(last, None)
    is_moved = _apply_window(rule, text, typed)
    return write(rule) if changed or is_moved else text


def add_part(text: str, what: str) -> str:
    """Return the JSON with a part more: ``what`` is one of a row's `adds`."""
    rule = decode(text)
    shape, _, at = what.partition("=")
    if rule is None or what not in {add for row in rows_of(text) for add, _ in row.adds}:
        return text
    holder, last = _reach(rule, at)
    if holder is None:
        return text
    if shape == "wheres":
        holder[last] = [*(holder.get(last) or ()), _NEW[shape]]
    else:
        holder[last] = _NEW[shape]
    return write(rule)


def drop_part(text: str, at: str) -> str:
    """Return the JSON without a part: ``at`` is what a row `drops`."""
    rule = decode(text)
    if rule is None or at not in {row.drops for row in rows_of(text) if row.drops}:
        return text
    holder, last = _reach(rule, at)
    if isinstance(holder, list):
        del holder[int(last)]
        if not holder:
            return drop_empty(rule, at.rpartition(".")[0])
    elif holder is not None:
        holder.pop(last, None)
    return write(rule)


def drop_empty(rule: dict[str, Any], at: str) -> str:
    """Return the JSON of a rule without the list at a place, of which nothing is left."""
    holder, last = _reach(rule, at)
    holder.pop(last, None)
    return write(rule)


def shift_tests(tests: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return what was typed into tests, by place, after the part at ``at`` was taken out."""
    found = {}
    holder, _, gone = at.rpartition(".")
    for place, test in tests.items():
        if place == at or place.startswith(f"{at}."):
            continue
        index, dot, rest = place.removeprefix(f"{holder}.").partition(".")
        is_after = gone.isdecimal() and place.startswith(f"{holder}.") and index.isdecimal()
        if is_after and int(index) > int(gone):
            found[f"{holder}.{int(index) - 1}{dot}{rest}"] = test
        else:
            found[place] = test
    return found


def set_at(rule: dict[str, Any], at: str, value: Any) -> None:
    """Put a value at a place of a condition's JSON, if there is such a place."""
    holder, last = _reach(rule, at)
    if isinstance(holder, dict):
        holder[last] = value


def get_at(rule: dict[str, Any], at: str) -> Any:
    """Return what stands at a place of a condition's JSON, or None."""
    holder, last = _reach(rule, at)
    if isinstance(holder, list):
        return holder[int(last)]
    return None if holder is None else holder.get(last)


def _reach(rule: dict[str, Any], at: str) -> tuple[Any, str]:
    """Return what holds the thing at a place, and its name there; None when there is no place."""
    *path, last = at.split(".")
    holder: Any = rule
    for step in path:
        if isinstance(holder, dict):
            holder = holder.get(step)
        elif isinstance(holder, list) and step.isdecimal() and int(step) < len(holder):
            holder = holder[int(step)]
        else:
            return None, last
    if isinstance(holder, list):
        is_there = last.isdecimal() and int(last) < len(holder)
        return (holder, last) if is_there else (None, last)
    return (holder, last) if isinstance(holder, dict) else (None, last)


def _read(text: str, kind: Kind) -> Any:
    if kind == "flag":
        return text == "true"
    if kind == "number" and _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    return text


def _apply_window(rule: dict[str, Any], text: str, typed: Mapping[str, str]) -> bool:
    """Write what was chosen of the window; say whether that changed it."""
    row = next((row for row in rows_of(text) if row.window is not None), None)
    chosen = typed.get("window.window")
    if row is None or row.window is None or chosen is None:
        return False
    held = {name: getattr(row.window, name) for name in row.window.__struct_fields__}
    new = held | {
        name.removeprefix("window."): value.strip()
        for name, value in typed.items()
        if name.startswith("window.")
    }
    if new == held:
        return False
    rule.pop("within_days", None)
    rule.pop("during", None)
    rule.update(write_window(new))
    return True


def write_window(chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form's choice of a window says in a condition."""
    match chosen["window"]:
        case "days":
            return {"within_days": _read(chosen["days"], "number")}
        case "this" | "last":
            unit = chosen["unit"] if chosen["unit"] in UNITS else "month"
            during: dict[str, Any] = {"unit": unit}
            if chosen["window"] == "last":
                during["which"] = "last"
                during["count"] = _read(chosen["periods"] or "1", "number")
            if chosen["zone"]:
                during["zone"] = chosen["zone"]
            return {"during": during}
        case _:
            return {}
