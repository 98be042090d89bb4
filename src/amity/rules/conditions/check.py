"""``check``: one operator applied to one field of a profile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import msgspec

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.operator import answer_sql, json_value, operators
from amity.rules.selection import Selection
from amity.rules.subject import FIELD_LABELS, PROFILE_FIELDS, Subject
from amity.rules.where import AnyOperator, Name
from amity.rules.writer import Writer


@conditions.register("check")
class Check(Condition, frozen=True, tag="check"):
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
        return answer_sql(self.is_, self.is_.to_sql(value, selection.now))

    def describe(self, names: Names = NO_NAMES) -> str:
        return self.is_.describe(self.name if self.is_trait else FIELD_LABELS[self.name])

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        actual = self._actual(subject)
        return None if actual is None else self.is_.next_change(actual, now)

    def mentions(self) -> Mentions:
        names = frozenset((self.name,))
        timed = self.is_.is_timed
        if self.is_trait:
            return Mentions(traits=names, is_timed=timed)
        return Mentions(fields=names, is_timed=timed)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("trait.country", operators["eq"]("FR")),
            cls("profile.order_count", operators["gte"](3)),
            cls("profile.last_seen_at", operators["within_last"](30)),
        ]
