"""Fields for every condition the builder has no words of its own for, read from the condition.

A condition is kept as its JSON; what it says stands in rows: plain things (texts, numbers,
choices), the steps it is made of, the tests of properties, and its window. So a condition that is
added to the rule language can be used here at once, without JSON.
"""

from functools import cache
from typing import Any, Final, Literal

import msgspec
from msgspec import inspect

from amity.infra.config import settings
from amity.rules import encode_rule, strip_filled
from amity.rules.condition import Condition, conditions, name_of
from amity.rules.event_filter import Step
from amity.rules.operator import ValueType
from amity.rules.period import Period
from amity.rules.where import Where
from amity.web.segments.more_words import choice_words, kind_words, label_of, lead_of, suggests

Kind = Literal["text", "number", "choice", "flag"]
Shape = Literal["plain", "test", "wheres", "step", "window", ""]
KNOWN: Final = frozenset({"all", "any", "not", "check", "did", "in_segment", "consent", "said_yes"})
"""What the builder has fields of its own for."""
UNITS: Final = ("day", "week", "month", "quarter", "year")
_NUMBERED: Final = frozenset({"measure", "metric"})
"""Fields of conditions whose operator is asked of a number."""
_WINDOW: Final = ("within_days", "during")


class MoreField(msgspec.Struct, frozen=True, kw_only=True):
    """One plain thing a condition says."""

    name: str
    """Where it stands: `event`, `first.event`."""
    label: str
    kind: Kind
    value: str
    choices: list[tuple[str, str]] = []
    """Values with their words; an empty value leaves the thing out."""
    suggests: str = ""
    """What typing is helped with: `events`, `properties`, `offers` …"""
    is_required: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """When something must have been, as it is chosen on the form."""

    window: str = "ever"
    days: str = "30"
    unit: str = "month"
    periods: str = "1"
    zone: str = ""

    @property
    def units(self) -> tuple[str, ...]:
        """The calendar periods there are."""
        return UNITS


class MoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside each other: fields, a test, or a window."""

    at: str
    """Its place in the condition; empty for the first."""
    lead: str = ""
    fields: list[MoreField] = []
    test: str = ""
    """Where the operator stands, if there is one."""
    test_of: ValueType | None = None
    """What the operator is asked of; None for anything."""
    event_at: str = ""
    """Where the event stands whose properties are meant, without `event` itself."""
    window: Window | None = None
    names: list[str] = []
    """What else of the condition stands here, for what is said about it."""
    drops: str = ""
    """What taking the row out takes out."""
    adds: list[tuple[str, str]] = []
    """What can be added after it, each with its words."""


class MoreKind(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that can be added, by its name, with words and the JSON to begin with."""

    name: str
    words: str
    json: str


@cache
def list_kinds() -> tuple[MoreKind, ...]:
    """Return the conditions that can be added so, by name."""
    found = []
    for condition in conditions:
        name = name_of(condition)
        if name not in KNOWN:
            example = next(iter(condition.examples()))
            written = msgspec.json.encode(strip_filled(encode_rule(example)))
            text = _at_home(msgspec.json.format(written, indent=2).decode())
            found.append(MoreKind(name=name, words=kind_words(name), json=text))
    return tuple(sorted(found, key=lambda each: each.name))


def _at_home(text: str) -> str:
    """Return an example in the currency and the time zone of the house."""
    using = settings()
    return text.replace('"EUR"', f'"{using.currency}"').replace(
        '"Europe/Paris"', f'"{using.time_zone}"'
    )


def find_kind(name: str) -> MoreKind | None:
    """Return the condition of a name that can be added so, or None."""
    return next((each for each in list_kinds() if each.name == name), None)


def rows_of(text: str) -> list[MoreRow]:
    """Return what the JSON of a condition says or could say, in rows; none when unreadable."""
    rule = decode(text)
    condition = None if rule is None else _condition_of(rule)
    if rule is None or condition is None:
        return []
    return _Rows(condition, rule).finish()


def fields_of(text: str) -> list[MoreField]:
    """Return the plain things of all rows."""
    return [field for row in rows_of(text) for field in row.fields]


def decode(text: str) -> dict[str, Any] | None:
    """Return the JSON of a condition, or None for what is none."""
    try:
        rule = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return rule if isinstance(rule, dict) else None


def write(rule: dict[str, Any]) -> str:
    """Return the JSON of a condition as people read it."""
    return msgspec.json.format(msgspec.json.encode(rule), indent=2).decode()


def write_value(value: Any) -> str:
    """Return a plain value as it is typed."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return msgspec.json.encode(value).decode()


def _condition_of(rule: dict[str, Any]) -> type[Condition] | None:
    return next((each for each in conditions if name_of(each) == rule.get("node")), None)


def _kinds(shape: inspect.Type) -> list[inspect.Type]:
    types = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    return [each for each in types if not isinstance(each, inspect.NoneType)]


def _shape_of(shape: inspect.Type) -> Shape:
    kinds = _kinds(shape)
    first = kinds[0]
    if isinstance(first, inspect.StructType):
        if first.tag_field == "op":
            return "test"
        return {Step: "step", Period: "window"}.get(first.cls, "") if len(kinds) == 1 else ""  # type: ignore[return-value]
    if isinstance(first, inspect.VarTupleType):
        item = first.item_type
        return "wheres" if isinstance(item, inspect.StructType) and item.cls is Where else ""
    return "plain" if len(kinds) == 1 and _kind(first) else ""


def _kind(shape: inspect.Type) -> Kind | None:
    if isinstance(shape, inspect.StrType):
        return "text"
    if isinstance(shape, inspect.IntType | inspect.FloatType):
        return "number"
    if isinstance(shape, inspect.BoolType):
        return "flag"
    return "choice" if isinstance(shape, inspect.LiteralType) else None


class _Rows:
    """The rows of one condition, in the order of its fields."""

    def __init__(self, condition: type[Condition], rule: dict[str, Any]) -> None:
        self._rule = rule
        self._node = name_of(condition)
        self._rows: list[MoreRow] = []
        self._plain: list[MoreField] = []
        self._adds: list[tuple[str, str]] = []
        self._fields = [
            field
            for field in inspect.type_info(condition).fields  # type: ignore[attr-defined]  # a struct's
            if field.name not in condition.filled
        ]
        self._names = {field.encode_name for field in self._fields}

    def finish(self) -> list[MoreRow]:
        """Return them all; the first is never empty, and holds the messages about the whole."""
        has_window = set(_WINDOW) <= self._names
        for field in self._fields:
            name = field.encode_name
            if not (has_window and name in _WINDOW):
                self._take(field, self._rule.get(name))
        self._flush()
        if has_window:
            window = _read_window(self._rule)
            self._rows.append(MoreRow(at="window", names=[*_WINDOW], window=window))
        if self._adds:
            self._rows[-1] = msgspec.structs.replace(
                self._rows[-1], adds=[*self._rows[-1].adds, *self._adds]
            )
        return self._rows

    def _flush(self, test: str = "") -> None:
        """End the row of plain things."""
        if self._plain or test:
            at = "" if not self._rows else f"row{len(self._rows)}"
            of: ValueType | None = "number" if _NUMBERED & self._names else None
            names = [field.name for field in self._plain] + [test] * bool(test)
            row = MoreRow(at=at, names=names, fields=self._plain, test=test, test_of=of)
            self._rows.append(row)
            self._plain = []

    def _take(self, field: inspect.Field, value: Any) -> None:
        name, shape = field.encode_name, _shape_of(field.type)
        if shape == "plain":
            self._plain.append(self._field(field, name, value))
        elif shape == "test" and field.required:
            self._flush(name)
        elif shape == "wheres":
            self._wheres(name, value, "")
        elif shape in ("test", "step"):
            if not field.required and not isinstance(value, dict):
                self._adds.append((f"{shape}={name}", f"+ {lead_of(self._node, name)} …"))
                return
            self._flush()
            self._part(name, shape, value, "" if field.required else name)

    def _part(self, name: str, shape: Shape, value: Any, drops: str) -> None:
        lead = lead_of(self._node, name)
        if shape == "test":
            self._rows.append(
                MoreRow(at=name, lead=lead, test=name, test_of="instant", drops=drops)
            )
            return
        held = value if isinstance(value, dict) else {}
        event = MoreField(
            name=f"{name}.event",
            label="event",
            kind="text",
            value=write_value(held.get("event")),
            suggests="events",
            is_required=True,
        )
        self._rows.append(MoreRow(at=name, lead=lead, fields=[event], drops=drops))
        self._wheres(f"{name}.where", held.get("where"), name)

    def _wheres(self, at: str, value: Any, event_at: str) -> None:
        self._flush()
        name = at.rpartition(".")[2]
        lead = lead_of(self._node, name)
        for index, each in enumerate(value if isinstance(value, list) else []):
            place = f"{at}.{index}"
            field = MoreField(
                name=f"{place}.property",
                label="property",
                kind="text",
                value=write_value(each.get("property")) if isinstance(each, dict) else "",
                suggests="" if name == "lines" else "properties",
                is_required=True,
            )
            self._rows.append(
                MoreRow(
                    at=place,
                    lead=lead,
                    fields=[field],
                    test=f"{place}.is",
                    event_at=event_at,
                    drops=place,
                )
            )
        add = (f"wheres={at}", f"+ {lead} …")
        if event_at:
            self._rows[-1] = msgspec.structs.replace(self._rows[-1], adds=[add])
        else:
            self._adds.append(add)

    def _field(self, field: inspect.Field, name: str, value: Any) -> MoreField:
        kind = _kind(_kinds(field.type)[0])
        assert kind is not None
        return MoreField(
            name=name,
            label=label_of(self._node, name),
            kind=kind,
            value=write_value(self._usual(field) if value is None else value),
            choices=_choices(_kinds(field.type)[0], is_required=bool(field.required)),
            suggests=suggests(self._node, name),
            is_required=bool(field.required),
        )

    def _usual(self, field: inspect.Field) -> Any:
        """Return what counts when nothing is said, where that is a text to be shown."""
        return field.default if isinstance(field.default, str) else None


def _choices(shape: inspect.Type, *, is_required: bool) -> list[tuple[str, str]]:
    if isinstance(shape, inspect.LiteralType):
        values = [str(each) for each in shape.values]
    elif isinstance(shape, inspect.BoolType):
        values = ["true", "false"]
    else:
        return []
    words = [(each, choice_words(each)) for each in values]
    # What is not required and no choice of several is a yes that may be left out.
    is_yes = isinstance(shape, inspect.BoolType) and not is_required
    return [("", "no"), words[0]] if is_yes else words


def _read_window(rule: dict[str, Any]) -> Window:
    days, during = rule.get("within_days"), rule.get("during")
    if isinstance(during, dict):
        return Window(
            window=str(during.get("which", "this")),
            unit=str(during.get("unit", "month")),
            periods=write_value(during.get("count", 1)),
            zone=write_value(during.get("zone")),
        )
    return Window() if days is None else Window(window="days", days=write_value(days))
