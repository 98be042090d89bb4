"""The rule language: tests of fields, of behaviour, of membership and of consent, joined by
all, any and not.

A rule is a tree of frozen structs and travels as JSON.  Each node has the same faces as an
operator: in memory (`matches`, and `source` for the compiler), in SQL (`to_sql`) and in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union

import msgspec
from msgspec import Meta

from amity.rules import operators as _package
from amity.rules.fragment import Fragment, join, sql
from amity.rules.operator import MAX_DAYS, Operator, json_value, operators, quote_days
from amity.rules.selection import Selection
from amity.rules.subject import FIELD_LABELS, PROFILE_FIELDS, Subject
from amity.rules.writer import Writer

operators.discover(_package)

if TYPE_CHECKING:
    AnyOperator = Operator
else:
    AnyOperator = Union[tuple(operators)]  # noqa: UP007  # the registry decides what is in it

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Names = Mapping[int, str]
"""Names of segments by id, for words."""
Times = Annotated[int, Meta(ge=0, le=1_000_000)]
_EMPTY: Names = {}


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="node"):
    """Any part of a rule."""

    is_timed: ClassVar[bool] = False

    def matches(self, subject: Subject, now: datetime) -> bool:
        """Say whether the subject passes, read plainly; `compile_rule` gives the fast form."""
        raise NotImplementedError

    def source(self, writer: Writer) -> str:
        """Return Python source of an expression that is the answer."""
        raise NotImplementedError

    def to_sql(self, selection: Selection) -> Fragment:
        """Return a condition that is never NULL, adding to ``selection`` the joins it needs."""
        raise NotImplementedError

    def describe(self, names: Names = _EMPTY) -> str:
        """Say the rule in words."""
        raise NotImplementedError

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which the answer may differ by itself."""
        return None

    def parts(self) -> tuple[Node, ...]:
        """Return the nodes directly inside."""
        return ()


def _answer_sql(operator: Operator, condition: Fragment) -> Fragment:
    if operator.matches_missing:
        return sql("coalesce({}, true)", condition)
    return sql("coalesce({}, false)", condition)


class Check(Node, frozen=True, tag="check"):
    """One operator applied to one field: `trait.NAME` or `profile.NAME`."""

    field: Name
    is_: AnyOperator = msgspec.field(name="is")

    def __post_init__(self) -> None:
        kind, _, name = self.field.partition(".")
        if kind == "trait" and name:
            return
        if kind != "profile" or name not in PROFILE_FIELDS:
            known = ", ".join(f"profile.{known}" for known in PROFILE_FIELDS)
            raise ValueError(f"no field {self.field!r}: use trait.NAME or one of {known}")
        if PROFILE_FIELDS[name] not in self.is_.accepts:
            raise ValueError(f"{self.is_.label!r} does not go with {self.field}")

    @property
    def is_trait(self) -> bool:
        """Whether the field is a trait, not a column of the profile."""
        return self.field.startswith("trait.")

    @property
    def name(self) -> str:
        """The field without its kind."""
        return self.field.partition(".")[2]

    def _actual(self, subject: Subject) -> Any:
        return (subject.traits if self.is_trait else subject.fields).get(self.name)

    def matches(self, subject: Subject, now: datetime) -> bool:
        actual = self._actual(subject)
        return self.is_.matches_missing if actual is None else self.is_.matches(actual, now)

    def source(self, writer: Writer) -> str:
        return writer.test(self.is_, "trait" if self.is_trait else "field", self.name)

    def to_sql(self, selection: Selection) -> Fragment:
        value = (
            json_value(sql("({} -> {}::text)", selection.catalogue.traits, self.name))
            if self.is_trait
            else selection.catalogue.fields[self.name]
        )
        return _answer_sql(self.is_, self.is_.to_sql(value, selection.now))

    def describe(self, names: Names = _EMPTY) -> str:
        return self.is_.describe(self.name if self.is_trait else FIELD_LABELS[self.name])

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        actual = self._actual(subject)
        return None if actual is None else self.is_.next_change(actual, now)


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test of one property of an event."""

    property: Name
    is_: AnyOperator = msgspec.field(name="is")

    def matches(self, properties: Mapping[str, Any], now: datetime) -> bool:
        """Say whether an event with these properties passes."""
        actual = properties.get(self.property)
        return self.is_.matches_missing if actual is None else self.is_.matches(actual, now)


class Did(Node, frozen=True, tag="did"):
    """How often an event happened, ever or lately; `at_most: 0` is "did not".

    With neither bound it is at least once.  A window takes in events later than its start and
    up to now; an event dated in the future does not count yet.
    """

    event: Name
    where: Annotated[tuple[Where, ...], Meta(max_length=50)] = ()
    at_least: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    at_most: Times | None = None
    within_days: Annotated[float, Meta(gt=0, le=MAX_DAYS)] | None = None

    def __post_init__(self) -> None:
        if self.at_most is not None and self.low > self.at_most:
            raise ValueError("`at_least` is above `at_most`")

    @property
    def low(self) -> int:
        """The fewest times that pass."""
        if self.at_least is not None:
            return self.at_least
        return 1 if self.at_most is None else 0

    def since(self, now: datetime) -> datetime | None:
        """Return the moment after which events count; None when all do."""
        return None if self.within_days is None else now - timedelta(days=self.within_days)

    def _times(self, subject: Subject, now: datetime) -> list[datetime]:
        since = self.since(now)
        return sorted(
            at
            for at, properties in subject.history.get(self.event, ())
            if at <= now
            and (since is None or at > since)
            and all(test.matches(properties, now) for test in self.where)
        )

    def matches(self, subject: Subject, now: datetime) -> bool:
        count = len(self._times(subject, now))
        return count >= self.low and (self.at_most is None or count <= self.at_most)

    def source(self, writer: Writer) -> str:
        tests = [(test.is_, test.property) for test in self.where]
        bounds = (self.low, self.at_most)
        return writer.count(self.event, tests, bounds=bounds, within_days=self.within_days)

    def to_sql(self, selection: Selection) -> Fragment:
        activity = selection.catalogue.activity
        tests = [
            sql("{} = {}", activity.name, self.event),
            sql("{} <= {}", activity.occurred_at, selection.now),
        ]
        since = self.since(selection.now)
        if since is not None:
            tests.append(sql("{} > {}", activity.occurred_at, since))
        for test in self.where:
            value = json_value(sql("({} -> {}::text)", activity.properties, test.property))
            tests.append(_answer_sql(test.is_, test.is_.to_sql(value, selection.now)))
        # Nobody without such an event is in the grouped rows, so "at most" asks for the contrary.
        contrary = self.low == 0
        if contrary:
            having = sql("count(*) > {}", self.at_most)
        elif self.at_most is None:
            having = sql("count(*) >= {}", self.low)
        else:
            having = sql("count(*) BETWEEN {} AND {}", self.low, self.at_most)
        found = selection.join(
            sql(
                "SELECT {} AS profile_id FROM {} WHERE {} GROUP BY 1 HAVING {}",
                activity.profile_id,
                activity.relation,
                join(" AND ", tests),
                having,
            )
        )
        return sql("({} IS NULL)", found) if contrary else sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = _EMPTY) -> str:
        words = f"did “{self.event}” {self._describe_times()}".rstrip()
        if self.low == 0 and self.at_most == 0:
            words = f"did not “{self.event}”"
        if self.within_days is not None:
            words += f" in the last {quote_days(self.within_days)}"
        if self.where:
            tests = " and ".join(test.is_.describe(test.property) for test in self.where)
            words += f" where {tests}"
        return words

    def _describe_times(self) -> str:
        if self.at_most is None:
            return "" if self.low == 1 else f"at least {self.low:,} times"
        if self.low == self.at_most:
            return f"exactly {_count(self.low)}"
        if self.low == 0:
            return f"at most {_count(self.at_most)}"
        return f"{self.low:,} to {self.at_most:,} times"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        happened = subject.history.get(self.event, ())
        changes = [at for at, _ in happened if at > now]
        if any(test.is_.is_timed for test in self.where):
            changes += self._property_changes(happened, now)
        if self.within_days is not None:
            window = timedelta(days=self.within_days)
            changes += (
                [at + window for at, _ in happened if at + window > now]
                if changes
                else self._expiries(self._times(subject, now), window)
            )
        return min(changes, default=None)

    def _property_changes(
        self, happened: Iterable[tuple[datetime, Mapping[str, Any]]], now: datetime
    ) -> list[datetime]:
        found = (
            test.is_.next_change(properties[test.property], now)
            for _, properties in happened
            for test in self.where
            if properties.get(test.property) is not None
        )
        return [at for at in found if at is not None]

    def _expiries(self, times: list[datetime], window: timedelta) -> list[datetime]:
        """Return when the count sinks past a bound, if nothing else happens."""
        bounds = [self.low] if self.at_most is None else [self.low, self.at_most + 1]
        return [times[len(times) - n] + window for n in bounds if 1 <= n <= len(times)]


def _count(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


class InSegment(Node, frozen=True, tag="in_segment"):
    """Membership of another segment."""

    segment_id: int

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self.segment_id in subject.segments

    def source(self, writer: Writer) -> str:
        return writer.contains("segments", self.segment_id)

    def to_sql(self, selection: Selection) -> Fragment:
        found = selection.join(sql(selection.catalogue.members, self.segment_id))
        return sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = _EMPTY) -> str:
        return f"is in segment “{names.get(self.segment_id, f'no. {self.segment_id}')}”"


class HasConsent(Node, frozen=True, tag="consent"):
    """Data may be used for a purpose now, as the gate has it.

    A yes that was taken back, has expired or is on pause does not pass; a purpose that needs no
    consent passes until the customer objects. To ask what was said, use `said_yes`.
    """

    is_timed: ClassVar[bool] = True
    purpose: Name

    def matches(self, subject: Subject, now: datetime) -> bool:
        window = subject.allowed.get(self.purpose)
        return window is not None and window.holds(now)

    def source(self, writer: Writer) -> str:
        return writer.window("allowed", self.purpose)

    def to_sql(self, selection: Selection) -> Fragment:
        return selection.catalogue.may_use(self.purpose, selection.now)

    def describe(self, names: Names = _EMPTY) -> str:
        return f"allows “{self.purpose}” now"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        window = subject.allowed.get(self.purpose)
        return None if window is None else window.next_change(now)


class SaidYes(Node, frozen=True, tag="said_yes"):
    """The last word about a purpose was yes, whether or not it still holds today.

    Data may not be used on the strength of it: a yes expires, and can be on pause. To ask that,
    use `consent`.
    """

    purpose: Name

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self.purpose in subject.consents

    def source(self, writer: Writer) -> str:
        return writer.contains("consents", self.purpose)

    def to_sql(self, selection: Selection) -> Fragment:
        consents = selection.catalogue.consents
        return sql(
            "coalesce({} -> {}::text ->> 'status' = 'granted', false)", consents, self.purpose
        )

    def describe(self, names: Names = _EMPTY) -> str:
        return f"last said yes to “{self.purpose}”"


class _Joined(Node, frozen=True):
    of: tuple[Rule, ...]

    def parts(self) -> tuple[Node, ...]:
        return self.of

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        found = (rule.next_change(subject, now) for rule in self.of)
        return min((at for at in found if at is not None), default=None)

    def _describe(self, word: str, empty: str, names: Names) -> str:
        if not self.of:
            return empty
        inner = (
            f"({rule.describe(names)})"
            if isinstance(rule, All | Any_) and len(rule.of) > 1
            else rule.describe(names)
            for rule in self.of
        )
        return f" {word} ".join(inner)

    def _to_sql(self, selection: Selection, *, empty: bool) -> Fragment:
        if not self.of:
            return sql("true") if empty else sql("false")
        conditions = [rule.to_sql(selection) for rule in self.of]
        inner = join(" AND ", conditions) if empty else join(" OR ", conditions)
        return sql("({})", inner)


class All(_Joined, frozen=True, tag="all"):
    """Whoever passes every inner rule; without any, everyone."""

    def matches(self, subject: Subject, now: datetime) -> bool:
        return all(rule.matches(subject, now) for rule in self.of)

    def source(self, writer: Writer) -> str:
        return " and ".join(f"({rule.source(writer)})" for rule in self.of) or "True"

    def to_sql(self, selection: Selection) -> Fragment:
        return self._to_sql(selection, empty=True)

    def describe(self, names: Names = _EMPTY) -> str:
        return self._describe("and", "everyone", names)


class Any_(_Joined, frozen=True, tag="any"):  # `Any` is typing's
    """Whoever passes one inner rule at least; without any, no one."""

    def matches(self, subject: Subject, now: datetime) -> bool:
        return any(rule.matches(subject, now) for rule in self.of)

    def source(self, writer: Writer) -> str:
        return " or ".join(f"({rule.source(writer)})" for rule in self.of) or "False"

    def to_sql(self, selection: Selection) -> Fragment:
        return self._to_sql(selection, empty=False)

    def describe(self, names: Names = _EMPTY) -> str:
        return self._describe("or", "no one", names)


class Not(Node, frozen=True, tag="not"):
    """Whoever the inner rule leaves out, those of whom nothing is known included."""

    of: Rule

    def parts(self) -> tuple[Node, ...]:
        return (self.of,)

    def matches(self, subject: Subject, now: datetime) -> bool:
        return not self.of.matches(subject, now)

    def source(self, writer: Writer) -> str:
        return f"not ({self.of.source(writer)})"

    def to_sql(self, selection: Selection) -> Fragment:
        return sql("(NOT {})", self.of.to_sql(selection))

    def describe(self, names: Names = _EMPTY) -> str:
        return f"not ({self.of.describe(names)})"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self.of.next_change(subject, now)


Rule = All | Any_ | Not | Check | Did | InSegment | HasConsent | SaidYes


def walk(rule: Node) -> Iterator[Node]:
    """Give the rule and every node inside it, outermost first."""
    yield rule
    for part in rule.parts():
        yield from walk(part)
