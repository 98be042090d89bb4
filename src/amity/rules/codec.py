"""Reading and writing rules as JSON, with reasons a person can act on."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from amity.kernel.errors import Invalid
from amity.rules.condition import conditions
from amity.rules.operator import operators
from amity.rules.rule import Rule

MAX_DEPTH: Final = 20
MAX_NODES: Final = 500
_MAX_BYTES: Final = 262_144
_PARTS: Final = "make segments of its parts and ask whether customers are in those"

_WITH_PATH = re.compile(r"^(?P<reason>.*) - at `(?P<path>[^`]*)`$", re.DOTALL)


def decode_rule(raw: bytes | str | dict[str, Any]) -> Rule:
    """Read a rule from JSON; raise Invalid with the path of what is wrong and why.

    At most 20 levels and 500 nodes: so many can still be asked of everyone.
    """
    if isinstance(raw, bytes | str):
        if len(raw) > _MAX_BYTES:
            raise _invalid("", "the rule is too large")
        try:
            raw = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise _invalid("", f"this is not JSON: {error}") from error
    try:
        _check_shape(raw)
        rule: Rule = msgspec.convert(raw, Rule)
    except msgspec.ValidationError as error:
        found = _WITH_PATH.match(str(error))
        path, reason = (found["path"], found["reason"]) if found else ("", str(error))
        if path.endswith(".op"):
            reason += f"; the operators are {', '.join(sorted(operators.names()))}"
        if path.endswith(".node"):
            reason += f"; the conditions are {', '.join(sorted(conditions.names()))}"
        raise _invalid(path.removeprefix("$"), reason) from error
    return rule


def encode_rule(rule: Rule) -> dict[str, Any]:
    """Write a rule as plain JSON values; `decode_rule` gives an equal rule back."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rule))
    return plain


def _invalid(path: str, reason: str) -> Invalid:
    where = f"the rule at {path.lstrip('.')}" if path.strip(".") else "the rule"
    return Invalid(f"{where}: {reason}", code="invalid_rule")


def _check_shape(raw: Any) -> None:
    """Bound depth and size, and refuse text that no event can carry, before anything is built."""
    nodes = 0
    left: list[tuple[str, Any, int]] = [("", raw, 1)]
    while left:
        path, value, depth = left.pop()
        if isinstance(value, dict):
            nodes += "node" in value
            if depth > MAX_DEPTH:
                raise _invalid(path, f"more than {MAX_DEPTH} levels deep; {_PARTS}")
            if nodes > MAX_NODES:
                joined = "counting each all, any and not"
                raise _invalid("", f"more than {MAX_NODES} conditions, {joined}; {_PARTS}")
            # Only `of` leads a level down in people's sense.
            left += [(f"{path}.{key}", item, depth + (key == "of")) for key, item in value.items()]
        elif isinstance(value, list | tuple):
            left += [(f"{path}[{i}]", item, depth) for i, item in enumerate(value)]
        elif isinstance(value, str) and not _is_plain(value):
            raise _invalid(path, "a text with a NUL or half a character")


def _is_plain(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
