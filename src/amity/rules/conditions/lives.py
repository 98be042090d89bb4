"""``lives``: the country, region, town or postal code of somebody's address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

import msgspec

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.fragment import Fragment, join, sql
from amity.rules.mentions import Mentions
from amity.rules.operator import answer_sql, json_value, operators
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import AnyOperator

Part = Literal["country", "region", "city", "postal_code"]
_PATHS: Final[Mapping[Part, tuple[tuple[str, ...], ...]]] = {
    "country": (("country",), ("address", "country")),
    "region": (("region",), ("state",), ("address", "region"), ("address", "state")),
    "city": (("city",), ("address", "city")),
    "postal_code": (
        *(("postal_code",), ("postalCode",)),
        *(("address", "postalCode"), ("address", "postal_code")),
    ),
}


@conditions.register("lives")
class Lives(Condition, frozen=True, tag="lives"):
    """One operator applied to a part of the address: country, region, city or postal code.

    The part is looked for where sources write it: `country`, `region` or `state`, `city`,
    `postal_code` or `postalCode`, each as a trait by itself first and then within the trait
    `address`. The first that is there counts, compared letter by letter: a country is "AT" to
    those who write it so.
    """

    part: Part
    is_: AnyOperator = msgspec.field(name="is")

    def _actual(self, subject: Subject) -> Any:
        for path in _PATHS[self.part]:
            found: Any = subject.traits
            for key in path:
                found = found.get(key) if isinstance(found, Mapping) else None
            if found is not None:
                return found
        return None

    def matches(self, subject: Subject, now: datetime) -> bool:
        actual = self._actual(subject)
        return self.is_.matches_missing if actual is None else self.is_.matches(actual, now)

    def to_sql(self, selection: Selection) -> Fragment:
        places = []
        for path in _PATHS[self.part]:
            found = selection.catalogue.traits
            for key in path:
                found = sql("({} -> {}::text)", found, key)
            places.append(sql("NULLIF({}, 'null'::jsonb)", found))
        value = json_value(sql("coalesce({})", join(", ", places)))
        return answer_sql(self.is_, self.is_.to_sql(value, selection.now))

    def describe(self, names: Names = NO_NAMES) -> str:
        return self.is_.describe(f"{self.part.replace('_', ' ')} of the address")

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        actual = self._actual(subject)
        return None if actual is None else self.is_.next_change(actual, now)

    def mentions(self) -> Mentions:
        traits = frozenset(path[0] for path in _PATHS[self.part])
        return Mentions(traits=traits, is_timed=self.is_.is_timed)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("country", operators["in"](("AT", "DE"))),
            cls("region", operators["ne"]("Tyrol")),
            cls("postal_code", operators["starts_with"]("10")),
            cls("city", operators["missing"]()),
        ]
