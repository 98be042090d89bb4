"""Whether an event is what its plan says. Pure.

The decision is made once, at the door, and written into the event's `context.amity`: a plan that
changes later changes nothing that was stored, and a rebuild gives the same.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from amity.store.contracts_tracking import ALL_SOURCES, Plan, PlanField, Policy
from amity.store.logic.intake.cards import mark_event
from amity.store.logic.intake.parsing import BadEvent, parse_object, read_instant
from amity.store.logic.intake.rows import Row

AGAINST_PLAN: Final = "against_plan"
"""The reason such events are quarantined for."""
DEPTH: Final = 3
_MOST_NAMED: Final = 20
_MOST_VALUES: Final = 2_000
_FORMATS: Final = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+"),
    "url": re.compile(r"https?://[^\s/]+\S*"),
    "date": re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII),
    "currency": re.compile(r"[A-Z]{3}"),
    "country": re.compile(r"[A-Z]{2}"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "digits": re.compile(r"[0-9]+"),
}


def type_of(value: object) -> str:
    """Return the word for a value's type: one of `FieldType`, or `null`."""
    for kind, word in _WORDS:
        if isinstance(value, kind):
            return word
    return "null"


_WORDS: Final[tuple[tuple[Any, str], ...]] = (
    (bool, "boolean"),
    (str, "string"),
    ((int, float), "number"),
    (list, "list"),
    (dict, "object"),
)


def iter_values(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each value within an object with its path, to three names deep."""
    level: list[tuple[str, dict[str, Any]]] = [("", value)]
    left = _MOST_VALUES
    for _ in range(DEPTH):
        below: list[tuple[str, dict[str, Any]]] = []
        for prefix, holder in level:
            for name, item in holder.items():
                path = f"{prefix}{name}"[:255]
                yield path, item
                if isinstance(item, dict):
                    below.append((f"{path}.", item))
                elif isinstance(item, list):
                    inner = [each for each in item if isinstance(each, dict)]
                    below.extend((f"{path}[].", each) for each in inner)
                left -= 1
                if not left:
                    return
        level = below


_GRAVITY: Final[list[Policy]] = ["pass", "cut", "quarantine"]


class Weighed(NamedTuple):
    """What is wrong with an event, the rule by path; what is done; which paths are left out."""

    wrong: dict[str, str]
    policy: Policy
    cut: list[str]


class Checker:
    """One live plan, ready to check events."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._fields = {field.path: field for field in plan.fields}
        self._required = [field.path for field in plan.fields if field.is_required]

    def list_violations(self, properties: dict[str, Any]) -> dict[str, str]:
        """Return the rule each wrong property breaks, by its path."""
        wrong: dict[str, str] = {}
        filled = set()
        for path, value in iter_values(properties):
            if value is not None:
                filled.add(path)
            field = self._fields.get(path)
            rule = _judge(field, value) if field else self._unknown(path)
            if rule:
                wrong.setdefault(path, rule)
        for path in self._required:
            if path not in filled:
                wrong[path] = "missing"
        return wrong

    def _unknown(self, path: str) -> str:
        if self.plan.allows_unknown or path.rpartition(".")[0].removesuffix("[]") in self._fields:
            return ""
        within = (f"{path}.", f"{path}[].")
        return "" if any(known.startswith(within) for known in self._fields) else "unknown"

    def weigh(self, properties: dict[str, Any]) -> Weighed:
        """Return what is wrong with properties, and what is to be done: the gravest it asks for."""
        wrong = self.list_violations(properties)
        policies = {path: self._policy_of(path) for path in wrong}
        gravest: Policy = max(policies.values(), key=_GRAVITY.index, default=_GRAVITY[0])
        cut = [p for p, rule in wrong.items() if policies[p] == "cut" and rule != "missing"]
        return Weighed(wrong, gravest, cut)

    def _policy_of(self, path: str) -> Policy:
        field = self._fields.get(path)
        return self.plan.policy if field is None or field.policy is None else field.policy

    def apply(self, raw: bytes) -> bytes:
        """Return an event as it is to be stored; raise BadEvent when it goes into quarantine."""
        found = self.weigh(properties_of(self.plan.type, parse_object(raw)[0]))
        if not found.wrong:
            return raw
        if found.policy == "quarantine":
            raise BadEvent(AGAINST_PLAN, self.words_of(found))
        said: dict[str, Any] = {
            "plan": self.plan.version,
            "plan_id": self.plan.plan_id,
            "violations": dict(list(found.wrong.items())[:_MOST_NAMED]),
        }
        if found.cut:
            said["left_out"] = found.cut
        return mark_event(raw, said)

    def words_of(self, found: Weighed) -> str:
        """Say which event broke which rules, for whoever looks into quarantine."""
        named = ", ".join(f"{p}: {rule}" for p, rule in list(found.wrong.items())[:_MOST_NAMED])
        return f"{self.plan.name or self.plan.type}: {named}"[:500]


def properties_of(kind: str, event: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an event that a plan is about."""
    held = event.get("traits" if kind in {"identify", "group"} else "properties")
    return held if isinstance(held, dict) else {}


def _judge(field: PlanField, value: Any) -> str:
    """Return the rule of a field that a value breaks, "" when it is right or empty."""
    if value is None:
        return ""
    if field.types and type_of(value) not in field.types:
        return "wrong_type"
    if field.allowed and not any(
        value == one and type(value) is type(one) for one in field.allowed
    ):
        return "not_allowed"
    if isinstance(value, str):
        if field.max_length is not None and len(value) > field.max_length:
            return "too_long"
        if field.format and not _has_format(field.format, value):
            return "bad_format"
    return ""


def _has_format(name: str, value: str) -> bool:
    if name == "instant":
        return read_instant(value) is not None
    return _FORMATS[name].fullmatch(value) is not None


class PlanBook:
    """The live plans, each found with one look."""

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        self._plans: dict[tuple[str, str], dict[int, Checker]] = {}
        for plan in plans:
            by_source = self._plans.setdefault((plan.type, plan.name), {})
            by_source[plan.source_id] = Checker(plan)

    def __bool__(self) -> bool:
        return bool(self._plans)

    def find(self, source_id: int, kind: str, name: str) -> Checker | None:
        """Return the plan of an event: its source's own, else the one of all sources."""
        by_source = self._plans.get((kind, name))
        if by_source is None:
            return None
        return by_source.get(source_id) or by_source.get(ALL_SOURCES)

    def keep(self, row: Row) -> Row:
        """Return a row as its plan wants it stored; raise BadEvent for quarantine."""
        if not self._plans:
            return row
        name = ""
        if row.type == "track":
            name = str(parse_object(row.body)[0].get("event") or "")
        checker = self.find(row.source_id, row.type, name)
        if checker is None:
            return row
        return msgspec.structs.replace(row, body=checker.apply(row.body))
