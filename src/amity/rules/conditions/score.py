"""``score``: an estimate about a customer, by its value, its label or its rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

import msgspec

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.operator import ValueType, answer_sql, operators
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import AnyOperator, Name

Face = Literal["value", "label", "percentile"]
_TYPES: Final[Mapping[Face, ValueType]] = {
    "value": "number",
    "label": "text",
    "percentile": "number",
}


@conditions.register("score")
class HasScore(Condition, frozen=True, tag="score"):
    """One operator applied to a score: to its value, its label or its percentile.

    The percentile is from 0 to 100, among all who had the score when scores were last computed:
    the share of them with less, and half of those with as much. So the best tenth is
    `percentile` at least 90, the lower half at most 50, and who ties is on the same side.
    """

    score: Name
    is_: AnyOperator = msgspec.field(name="is")
    by: Face = "value"

    def __post_init__(self) -> None:
        if _TYPES[self.by] not in self.is_.accepts:
            raise ValueError(f"{self.is_.label!r} does not go with the {self.by} of a score")

    def _actual(self, subject: Subject) -> Any:
        rating = subject.scores.get(self.score)
        return None if rating is None else getattr(rating, self.by)

    def matches(self, subject: Subject, now: datetime) -> bool:
        actual = self._actual(subject)
        return self.is_.matches_missing if actual is None else self.is_.matches(actual, now)

    def to_sql(self, selection: Selection) -> Fragment:
        scores = selection.catalogue.scores
        passes = answer_sql(self.is_, self.is_.to_sql(scores.faces[self.by], selection.now))
        # Who has no such score is in no row, so an operator for the missing asks for the contrary.
        contrary = self.is_.matches_missing
        found = selection.join(
            sql(
                "SELECT {} AS profile_id FROM {} WHERE {} = {} AND {}",
                scores.profile_id,
                scores.relation,
                scores.name,
                self.score,
                sql("NOT {}", passes) if contrary else passes,
            )
        )
        return sql("({} IS NULL)", found) if contrary else sql("({} IS NOT NULL)", found)

    def describe(self, names: Names = NO_NAMES) -> str:
        field = f"score “{self.score}”"
        return self.is_.describe(field if self.by == "value" else f"{self.by} of the {field}")

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        actual = self._actual(subject)
        return None if actual is None else self.is_.next_change(actual, now)

    def mentions(self) -> Mentions:
        return Mentions(scores=frozenset((self.score,)), is_timed=self.is_.is_timed)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("clv", operators["gte"](90), "percentile"),
            cls("p_alive", operators["lt"](0.3)),
            cls("rfm", operators["ends_with"]("Champion"), "label"),
            cls("clv", operators["missing"]()),
        ]
