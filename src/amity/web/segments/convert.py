"""A draft as a rule, and a rule as a draft.

Writing never fails: what cannot be a value stays the text that was typed, and a problem names the
place. Reading a rule back gives a draft that means the same.
"""

import math
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from amity.rules import PROFILE_FIELDS, OperatorWords, Parameter, list_operators, strip_filled
from amity.web.segments.draft import (
    ROOT,
    Agreed,
    AsType,
    Check,
    Coded,
    Did,
    Group,
    Member,
    Mode,
    Node,
    Test,
    Times,
    Where,
    WindowKind,
)
from amity.web.segments.more import MoreRow, decode, rows_of, write_value
from amity.web.segments.more_editing import get_at, set_at, write_window

OPERATORS: Final[dict[str, OperatorWords]] = {info.op: info for info in list_operators()}

_INTEGER: Final = re.compile(r"[+-]?\d{1,19}\Z", re.ASCII)
# What JSON escapes; its other line ends stand inside values.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_JSON_STEP: Final = re.compile(r"\w+")
Rule = dict[str, Any]


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and the path in the draft it is wrong at."""

    path: str
    message: str
    is_gap: bool = False
    """Something is only missing still, which is no mistake while a rule is being written."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as a rule; ``places`` leads from each path in the rule back to the draft."""

    rule: Rule
    problems: list[Problem]
    places: dict[str, str]

    def locate(self, rule_path: str) -> str:
        """Return the draft path for a path in the rule such as `$.of[0].is.value`."""
        steps = _JSON_STEP.findall(rule_path.removeprefix("$"))
        while steps:
            found = self.places.get(".".join(steps))
            if found is not None:
                return found
            steps.pop()
        return ROOT


def write_rule(draft: Group) -> Written:
    """Write the draft as a rule, with every problem found on the way."""
    writer = _Writer()
    rule = writer.group(draft, ROOT, "")
    return Written(rule=rule, problems=writer.problems, places=writer.places)


class _Writer:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.places: dict[str, str] = {}

    def note(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def ask(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, is_gap=True))

    def node(self, node: Node, path: str, at: str) -> Rule:
        self.places[at] = path
        if isinstance(node, Group):
            return self.group(node, path, at)
        if isinstance(node, Check):
            return self.check(node, path)
        if isinstance(node, Did):
            return self.did(node, path, at)
        if isinstance(node, Coded):
            return self.coded(node, path, at)
        return self.membership(node, path)

    def group(self, group: Group, path: str, at: str) -> Rule:
        self.places[at] = path
        # Only the outermost "all" may be empty: it means everyone.
        if not group.of and (at or group.mode != "all"):
            self.ask(path, "Add a condition.")
        is_negated = group.mode in ("none", "not_all")
        inner = f"{at}.of".lstrip(".") if is_negated else at
        self.places[inner] = path
        children = [
            self.node(child, f"{path}.of.{index}", f"{inner}.of.{index}".lstrip("."))
            for index, child in enumerate(group.of)
        ]
        rule: Rule = {"node": "any" if group.mode in ("any", "none") else "all", "of": children}
        return {"node": "not", "of": rule} if is_negated else rule

    def coded(self, coded: Coded, path: str, at: str) -> Rule:
        rule = decode(coded.json)
        if rule is None:
            self.note(path, "This is not the JSON of a condition.")
            return {"node": ""}
        for row in rows_of(coded.json):
            place = f"{path}.f.{row.at}" if row.at else path
            if row.at:
                self.places[f"{at}.{row.at}".lstrip(".")] = place
            for name in row.names:
                self.places[f"{at}.{name}".lstrip(".")] = place
            if any(field.is_required and not field.value for field in row.fields):
                self.ask(place, "Fill in what is empty.")
            if row.test in coded.tests:
                set_at(rule, row.test, self.test(typed_test(coded, row), place))
        return rule

    def check(self, check: Check, path: str) -> Rule:
        field = check.field
        if field == "trait":
            if not check.name.strip():
                self.ask(path, "Name the trait.")
            field = f"trait.{check.name.strip()}"
        return {"node": "check", "field": field, "is": self.test(check.test, path)}

    def did(self, did: Did, path: str, at: str) -> Rule:
        if not did.event.strip():
            self.ask(path, "Name the event.")
        rule: Rule = {"node": "did", "event": did.event.strip()}
        if did.where:
            rule["where"] = [
                self.where(where, f"{path}.where.{index}", f"{at}.where.{index}".lstrip("."))
                for index, where in enumerate(did.where)
            ]
        rule |= self.times(did, path)
        if did.window == "days":
            rule["within_days"] = self.number(did.days, path, "Say within how many days.")
        elif did.window == "last":
            self.count(did.periods, path, least=1)
        if did.window in ("this", "last"):
            rule |= write_window(msgspec.structs.asdict(did))
        return rule

    def times(self, did: Did, path: str) -> Rule:
        if did.times == "never":
            return {"at_most": 0}
        count = self.count(did.count, path, least=0 if did.times == "at_most" else 1)
        match did.times:
            case "exactly":
                return {"at_least": count, "at_most": count}
            case "between":
                return {"at_least": count, "at_most": self.count(did.most, path, least=1)}
            case _:
                return {did.times: count}

    def count(self, text: str, path: str, *, least: int) -> int | str:
        text = text.strip()
        if _INTEGER.match(text) and int(text) >= least:
            return int(text)
        self.note(path, "How often must be a whole number" + (" from 1 up." if least else "."))
        return text

    def where(self, where: Where, path: str, at: str) -> Rule:
        self.places[at] = path
        if not where.property.strip():
            self.ask(path, "Name the property.")
        return {"property": where.property.strip(), "is": self.test(where.test, path)}

    def membership(self, node: Member | Agreed, path: str) -> Rule:
        rule: Rule
        if isinstance(node, Member):
            is_number = bool(_INTEGER.match(node.segment_id))
            if not is_number:
                self.ask(path, "Choose a segment.")
            value = int(node.segment_id) if is_number else node.segment_id
            rule = {"node": "in_segment", "segment_id": value}
        else:
            if not node.purpose.strip():
                self.ask(path, "Name the purpose, such as marketing.email.")
            rule = {"node": node.word, "purpose": node.purpose.strip()}
        return {"node": "not", "of": rule} if node.is_negated else rule

    def test(self, test: Test, path: str) -> Rule:
        info = OPERATORS.get(test.op)
        if info is None:
            self.note(path, "Choose how to compare.")
            return {"op": test.op}
        return {"op": test.op} | {
            parameter.name: self.value(parameter, test, path) for parameter in info.parameters
        }

    def value(self, parameter: Parameter, test: Test, path: str) -> Any:
        text = test.values.get(parameter.name, "")
        if not text.strip() and parameter.kind == "zone":
            return "UTC"
        if not text.strip():
            self.ask(path, "Type a value.")
            return [] if parameter.kind == "scalars" else text
        match parameter.kind:
            case "scalar":
                return self.scalar(text, test.as_type, path)
            case "scalars":
                lines = [line.strip() for line in _LINE_END.split(text) if line.strip()]
                return [self.scalar(line, test.as_type, path) for line in lines]
            case "number" | "days":
                return self.number(text, path, "Type a number such as 3 or 3.5.")
            case _:
                return text

    def scalar(self, text: str, as_type: AsType, path: str) -> Any:
        if as_type == "number":
            return self.number(text, path, "Type a number such as 3 or 3.5.")
        if as_type == "boolean":
            if text not in ("true", "false"):
                self.note(path, "Choose yes or no.")
            return {"true": True, "false": False}.get(text, text)
        if as_type == "json":
            try:
                return msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.note(path, 'Type a JSON value such as "FR", 5 or true.')
        return text

    def number(self, text: str, path: str, message: str) -> int | float | str:
        text = text.strip()
        if _INTEGER.match(text):
            return int(text)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:
            self.note(path, message)
            return text
        return value


_MODES: Final[dict[tuple[str, bool], Mode]] = {
    ("all", False): "all",
    ("any", False): "any",
    ("any", True): "none",
    ("all", True): "not_all",
}


def read_rule(rule: Rule) -> Group:
    """Make a draft of a valid rule; what is not a group at the top is put into one."""
    node = _read(rule)
    return node if isinstance(node, Group) else Group(of=(node,))


def _read(rule: Rule) -> Node:
    reader = _READERS.get(rule["node"]) if _has_fields(rule) else None
    return Coded(json=_write_json(strip_filled(rule))) if reader is None else reader(rule)


def _has_fields(rule: Rule) -> bool:
    """Say whether the form can show all that a check says."""
    if rule["node"] == "check":
        kind, _, name = rule["field"].partition(".")
        return kind == "trait" or name in PROFILE_FIELDS
    return True


def _write_json(rule: Rule) -> str:
    return msgspec.json.format(msgspec.json.encode(rule), indent=2).decode()


def _read_group(rule: Rule, *, is_negated: bool = False) -> Group:
    mode = _MODES[rule["node"], is_negated]
    return Group(mode=mode, of=tuple(_read(child) for child in rule["of"]))


def _read_not(rule: Rule) -> Node:
    inner = rule["of"]
    if inner["node"] in ("all", "any"):
        return _read_group(inner, is_negated=True)
    node = _read(inner)
    if isinstance(node, Member | Agreed) and not node.is_negated:
        return msgspec.structs.replace(node, is_negated=True)
    return Group(mode="none", of=(node,))


def _read_member(rule: Rule) -> Member:
    return Member(segment_id=str(rule["segment_id"]))


def _read_agreed(rule: Rule) -> Agreed:
    return Agreed(word=rule["node"], purpose=rule["purpose"])


def _read_check(rule: Rule) -> Check:
    field, test = rule["field"], _read_test(rule["is"])
    if field.startswith("trait."):
        return Check(field="trait", name=field.removeprefix("trait."), test=test)
    return Check(field=field, test=test)


def _read_did(rule: Rule) -> Did:
    days, during = rule.get("within_days"), rule.get("during") or {}
    window: WindowKind = "ever" if days is None else "days"
    times, count, most = _read_times(rule.get("at_least"), rule.get("at_most"))
    return Did(
        event=rule["event"],
        where=tuple(
            Where(property=where["property"], test=_read_test(where["is"]))
            for where in rule.get("where") or ()
        ),
        times=times,
        count=str(count),
        most=str(most),
        window=during.get("which", "this") if during else window,
        days="30" if days is None else _write_number(days),
        unit=during.get("unit", "month"),
        periods=write_value(during.get("count", 1)),
        zone=during.get("zone", ""),
    )


_READERS: Final[dict[str, Callable[[Rule], Node]]] = {
    "all": _read_group,
    "any": _read_group,
    "not": _read_not,
    "check": _read_check,
    "did": _read_did,
    "in_segment": _read_member,
    "consent": _read_agreed,
    "said_yes": _read_agreed,
}


def _read_times(low: int | None, high: int | None) -> tuple[Times, int, int]:
    """Return the words for two bounds, and the numbers that go with them."""
    if high is None:
        return "at_least", 1 if low is None else low, 3
    if low is None:
        return ("never", 1, 3) if high == 0 else ("at_most", high, 3)
    return ("exactly" if low == high else "between"), low, high


def typed_test(coded: Coded, row: MoreRow) -> Test:
    """Return the test of a row: as it was typed, else as the JSON says it."""
    typed = coded.tests.get(row.test)
    if typed is not None:
        # Of a number nothing is asked how it is to be read.
        as_type: AsType = "number" if row.test_of == "number" else typed.as_type
        return msgspec.structs.replace(typed, as_type=as_type)
    held = get_at(decode(coded.json) or {}, row.test)
    try:
        return _read_test(held)
    except (KeyError, TypeError):
        op = held.get("op") if isinstance(held, dict) else ""
        return Test(op=op if isinstance(op, str) else "")


def bare_json(coded: Coded) -> str:
    """Return the JSON of a condition with its tests as they were typed."""
    rule = _Writer().coded(coded, ROOT, "")
    return _write_json(rule) if rule["node"] and coded.tests else coded.json


def _read_test(test: Rule) -> Test:
    info = OPERATORS[test["op"]]
    kinds = {parameter.name: parameter.kind for parameter in info.parameters}
    typed = {name: test[name] for name, kind in kinds.items() if kind in ("scalar", "scalars")}
    as_type = _type_of(typed)
    values = {
        name: _write(test[name], as_type) if name in typed else _write(test[name], "text")
        for name in kinds
    }
    return Test(op=test["op"], values=values, as_type=as_type)


def _type_of(constants: Rule) -> AsType:
    values = [
        value
        for constant in constants.values()
        for value in (constant if isinstance(constant, list | tuple) else [constant])
    ]
    kinds = {_kind(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "json" if kinds else "text"


def _kind(value: Any) -> AsType:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    # What a one-line field would change or hide is written as JSON, with its quotes.
    is_plain = value and value == value.strip() and len(value.splitlines()) == 1
    return "text" if is_plain else "json"


def _write(value: Any, as_type: AsType) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(_write(item, as_type) for item in value)
    if as_type == "json" or isinstance(value, bool):
        return msgspec.json.encode(value).decode()
    return value if isinstance(value, str) else _write_number(value)


def _write_number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)
