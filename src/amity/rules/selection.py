"""The SQL face of a whole rule: who passes it, set-wise.

Behaviour and membership become joins with grouped rows rather than correlated subqueries, so
that PostgreSQL reads the events of each condition once, however many profiles there are.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, LiteralString

import msgspec

from amity.rules.fragment import Fragment, join, sql
from amity.rules.operator import Value, column_value


class ActivityTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are: a relation and its columns."""

    relation: Fragment
    profile_id: Fragment
    name: Fragment
    occurred_at: Fragment
    properties: Fragment


class ScoreTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where scores are: a relation of one row a profile and score, and its columns."""

    relation: Fragment
    profile_id: Fragment
    name: Fragment
    faces: Mapping[str, Value]
    """By what a rule can ask of a score: its `value`, its `label`, its `percentile`."""


_NULL: Final = Fragment("NULL::double precision")
_NO_SCORES: Final = ScoreTable(
    relation=Fragment("(SELECT NULL::bigint AS profile_id, NULL::text AS name WHERE false) AS s"),
    profile_id=Fragment("s.profile_id"),
    name=Fragment("s.name"),
    faces={
        "value": column_value(_NULL, "number"),
        "label": column_value(Fragment("NULL::text"), "text"),
        "percentile": column_value(_NULL, "number"),
    },
)


def draw_sql(salt: str, profile_id: Fragment) -> Fragment:
    """Return `kernel.draw.draw` as SQL."""
    return sql(
        "(('x' || left(encode(sha256(convert_to({}::text || ':' || {}, 'UTF8')), 'hex'), 13))"
        "::bit(52)::bigint / 4503599627370496.0)::float8",
        salt,
        profile_id,
    )


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The closed list of relations and columns that a rule can reach (rule D23)."""

    profiles: Fragment
    profile_id: Fragment
    condition: Fragment
    """What holds for every row of ``profiles`` that is a person."""
    traits: Fragment
    consents: Fragment
    may_use: Callable[[str, datetime], Fragment]
    """The gate: the condition that data may be used for a purpose at a moment, never NULL."""
    fields: Mapping[str, Value]
    activity: ActivityTable
    members: LiteralString
    """A query of the `profile_id`s in a segment, with `{}` for the segment's id."""
    scores: ScoreTable = _NO_SCORES
    draw: Callable[[str, Fragment], Fragment] = draw_sql
    """A share of one by salt and profile, as `kernel.draw` has it."""


class Selection:
    """One query in the making."""

    def __init__(self, catalogue: Catalogue, now: datetime) -> None:
        self.catalogue = catalogue
        self.now = now
        self._joins: list[Fragment] = []

    def join(self, rows: Fragment) -> Fragment:
        """Left-join rows of unique `profile_id`s; return the column that is NULL when absent."""
        alias = Fragment(f"j{len(self._joins)}")
        self._joins.append(
            sql(
                "LEFT JOIN ({}) AS {} ON {}.profile_id = {}",
                rows,
                alias,
                alias,
                self.catalogue.profile_id,
            )
        )
        return sql("{}.profile_id", alias)

    def finish(self, condition: Fragment) -> Fragment:
        """Return the query of the ids of those who pass."""
        return sql(
            "SELECT {} AS id FROM {} {} WHERE {} AND {}",
            self.catalogue.profile_id,
            self.catalogue.profiles,
            join(" ", self._joins),
            self.catalogue.condition,
            condition,
        )
