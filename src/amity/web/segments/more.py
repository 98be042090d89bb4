"""Fields for every condition the builder has no words of its own for, read from the condition.

A condition is kept as its JSON; what of it is plain (texts, numbers, choices, an operator and its
values, the event of a part) has a field, and the rest is edited as JSON. So a condition that is
added to the rule language can be used here at once.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal

import msgspec
from msgspec import inspect

from amity.rules import encode_rule, list_operators, strip_filled
from amity.rules.condition import Condition, conditions, name_of

Kind = Literal["text", "number", "choice", "flag"]
KNOWN: Final = frozenset({"all", "any", "not", "check", "did", "in_segment", "consent", "said_yes"})
"""What the builder has fields of its own for."""
_NUMBER: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?\Z", re.ASCII)
_OPERATORS: Final = {info.op: info for info in list_operators()}
_USUAL: Final[dict[str, Any]] = {"number": 1, "days": 30, "scalars": [""]}


class MoreField(msgspec.Struct, frozen=True, kw_only=True):
    """One plain thing a condition says."""

    name: str
    """Where it stands: `event`, `first.event`, `is.value`."""
    label: str
    kind: Kind
    value: str
    choices: list[tuple[str, str]] = []
    """Values with their words; an empty value leaves the thing out."""

    @property
    def is_event(self) -> bool:
        """Whether it names an event, so that events are suggested."""
        return self.name.rpartition(".")[2] == "event"


class MoreKind(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that can be added, by its name, with words and the JSON to begin with."""

    name: str
    words: str
    json: str


@cache
def list_kinds() -> tuple[MoreKind, ...]:
    """Return the conditions that can be added as JSON with fields, by name."""
    found = []
    for condition in conditions:
        name = name_of(condition)
        if name not in KNOWN:
            example = next(iter(condition.examples()))
            written = msgspec.json.encode(strip_filled(encode_rule(example)))
            text = msgspec.json.format(written, indent=2).decode()
            found.append(MoreKind(name=name, words=name.replace("_", " "), json=text))
    return tuple(sorted(found, key=lambda each: each.name))


def find_kind(name: str) -> MoreKind | None:
    """Return the condition of a name that can be added so, or None."""
    return next((each for each in list_kinds() if each.name == name), None)


def fields_of(text: str) -> list[MoreField]:
    """Return the plain things the JSON of a condition says or could say; none when unreadable."""
    rule = _decode(text)
    condition = None if rule is None else _condition_of(rule)
    return [] if rule is None or condition is None else list(_walk(condition, rule, ""))


def apply_fields(text: str, typed: Mapping[str, str]) -> str:
    """Return the JSON of a condition with what was typed into its fields; else as it is."""
    rule = _decode(text)
    if rule is None:
        return text
    before = {field.name: field for field in fields_of(text)}
    changed = {
        name: value
        for name, value in typed.items()
        if name in before and value.strip() != before[name].value
    }
    for name, value in changed.items():
        *path, last = name.split(".")
        holder = rule
        for step in path:
            holder = holder.setdefault(step, {})
        if last == "op":
            _change_operator(holder, value)
        elif value.strip():
            holder[last] = _read(value.strip(), before[name].kind, holder.get(last))
        else:
            holder.pop(last, None)
    if not changed:
        return text
    return msgspec.json.format(msgspec.json.encode(rule), indent=2).decode()


def _decode(text: str) -> dict[str, Any] | None:
    try:
        rule = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return rule if isinstance(rule, dict) else None


def _condition_of(rule: dict[str, Any]) -> type[Condition] | None:
    for condition in conditions:
        if name_of(condition) == rule.get("node"):
            return condition
    return None


def _walk(shape: Any, held: dict[str, Any], prefix: str) -> Iterator[MoreField]:
    for field in inspect.type_info(shape).fields:  # type: ignore[attr-defined]  # a struct's
        name = field.encode_name
        value = held.get(name)
        types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        kinds = [each for each in types if not isinstance(each, inspect.NoneType)]
        structs = [each for each in kinds if isinstance(each, inspect.StructType)]
        if structs and structs[0].tag_field == "op":
            if isinstance(value, dict):
                yield from _test(value, f"{prefix}{name}")
        elif len(kinds) == len(structs) == 1:
            if isinstance(value, dict) and not prefix:
                yield from _walk(structs[0].cls, value, f"{name}.")
        elif len(kinds) == 1 and (kind := _kind(kinds[0])):
            yield MoreField(
                name=f"{prefix}{name}",
                label=f"{prefix}{name}".replace(".", " ").replace("_", " "),
                kind=kind,
                value=_write(value),
                choices=_choices(kinds[0], is_required=field.required),
            )


def _kind(shape: inspect.Type) -> Kind | None:
    if isinstance(shape, inspect.StrType):
        return "text"
    if isinstance(shape, inspect.IntType | inspect.FloatType):
        return "number"
    if isinstance(shape, inspect.BoolType):
        return "flag"
    return "choice" if isinstance(shape, inspect.LiteralType) else None


def _choices(shape: inspect.Type, *, is_required: bool) -> list[tuple[str, str]]:
    if isinstance(shape, inspect.LiteralType):
        values = [str(each) for each in shape.values]
    elif isinstance(shape, inspect.BoolType):
        values = ["true", "false"]
    else:
        return []
    words = [(each, {"true": "yes", "false": "no"}.get(each, each)) for each in values]
    return words if is_required else [("", "as usual"), *words]


def _test(test: dict[str, Any], name: str) -> Iterator[MoreField]:
    yield MoreField(
        name=f"{name}.op",
        label="how to compare",
        kind="choice",
        value=str(test.get("op", "")),
        choices=[(info.op, info.label) for info in _OPERATORS.values()],
    )
    info = _OPERATORS.get(str(test.get("op")))
    for parameter in info.parameters if info else ():
        yield MoreField(
            name=f"{name}.{parameter.name}",
            label=parameter.name,
            kind="text",
            value=_write(test.get(parameter.name)),
        )


def _change_operator(test: dict[str, Any], op: str) -> None:
    info = _OPERATORS.get(op.strip())
    if info is None:
        return
    kept = {
        parameter.name: test.get(parameter.name, _USUAL.get(parameter.kind, ""))
        for parameter in info.parameters
    }
    test.clear()
    test.update({"op": info.op, **kept})


def _write(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(_write(each) for each in value)
    return msgspec.json.encode(value).decode()


def _read(text: str, kind: Kind, before: Any) -> Any:
    """Return what was typed: several for what held several, else a number where it looks so."""
    if isinstance(before, list):
        like = before[0] if before else None
        return [_read(each.strip(), kind, like) for each in text.split(",") if each.strip()]
    if kind == "flag" or (isinstance(before, bool) and text in ("true", "false")):
        return text == "true"
    # A text stays one, however much like a number it looks, unless there was a number before.
    is_number = kind == "number" or isinstance(before, int | float)
    if is_number and _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    return text
