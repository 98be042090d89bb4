"""The SQL face of a whole rule: who passes it, set-wise.

Behaviour and membership become joins with grouped rows rather than correlated subqueries, so
that PostgreSQL reads the events of each condition once, however many profiles there are.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, LiteralString

import msgspec

from amity.rules.fragment import Fragment, join, sql
from amity.rules.operator import Value, column_value
from amity.rules.subject import ORDER_COLUMNS


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


class OrderTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where orders are: a relation of those placed and not cancelled, and its columns."""

    relation: Fragment
    profile_id: Fragment
    placed_at: Fragment
    currency: Fragment
    columns: Mapping[str, Fragment]
    """By the names of `ORDER_COLUMNS`, whole numbers."""


def name_orders(relation: LiteralString) -> OrderTable:
    """Return the table of a query of orders whose columns are named as the fields of an order."""
    return OrderTable(
        relation=Fragment(f"({relation}) AS o"),
        profile_id=Fragment("o.profile_id"),
        placed_at=Fragment("o.placed_at"),
        currency=Fragment("o.currency"),
        columns={name: Fragment(f"o.{name}") for name in ORDER_COLUMNS},
    )


_NO_ORDERS: Final = name_orders(
    "SELECT NULL::bigint AS profile_id, NULL::timestamptz AS placed_at, NULL::text AS currency, "
    "0 AS total_minor, 0 AS refunded_minor, 0 AS net_minor, 0 AS items WHERE false"
)
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


def _nobody(kind: str, among: Fragment | None, at_least: int) -> Fragment:
    return Fragment("SELECT NULL::bigint AS profile_id WHERE false")


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
    orders: OrderTable = _NO_ORDERS
    draw: Callable[[str, Fragment], Fragment] = draw_sql
    """A share of one by salt and profile, as `kernel.draw` has it."""
    together: Callable[[str, Fragment | None, int], Fragment] = _nobody
    """A query of the `profile_id`s with so many others in one household, or one company, each once.

    The second argument, if any, is a query of the `profile_id`s the others are to be among.
    """


_FEW: Final = 16
_GROUP: Final = 60
_COLUMN: Final = re.compile(r"\bj(\d+)\.profile_id\b")


class Selection:
    """One query in the making."""

    def __init__(self, catalogue: Catalogue, now: datetime) -> None:
        self.catalogue = catalogue
        self.now = now
        self._rows: list[Fragment] = []
        self._places: dict[tuple[str, str], int] = {}

    def join(self, rows: Fragment) -> Fragment:
        """Left-join rows of unique `profile_id`s; return the column that is NULL when absent.

        The same rows are read once, however many conditions ask for them.
        """
        # By their text, since to Python the constants 1 and true are equal.
        same = (rows.text, repr(rows.params))
        place = self._places.setdefault(same, len(self._rows))
        if place == len(self._rows):
            self._rows.append(rows)
        return Fragment(f"j{place}.profile_id")

    def finish(self, condition: Fragment) -> Fragment:
        """Return the query of the ids of those who pass."""
        if len(self._rows) <= _FEW:
            joins = [
                self._left_join(rows, Fragment(f"j{place}"))
                for place, rows in enumerate(self._rows)
            ]
        else:
            joins = self._join_groups()
            # No text that a person wrote is in the text of a fragment.
            condition = Fragment(_COLUMN.sub(_bit_column, condition.text), condition.params)
        return sql(
            "SELECT {} AS id FROM {} {} WHERE {} AND {}",
            self.catalogue.profile_id,
            self.catalogue.profiles,
            join(" ", joins),
            self.catalogue.condition,
            condition,
        )

    def _left_join(self, rows: Fragment, alias: Fragment) -> Fragment:
        on = self.catalogue.profile_id
        return sql("LEFT JOIN ({}) AS {} ON {}.profile_id = {}", rows, alias, alias, on)

    def _join_groups(self) -> list[Fragment]:
        """Join many rows a group at a time, each as a bit of its group's number.

        With a join for each, PostgreSQL needs time to plan and to run that grows with the square
        of their number: over 200,000 events 50 conditions took 0.14 s, 500 more than 20 s.
        """
        return [
            self._left_join(
                sql(
                    "SELECT r.profile_id, bit_or(r.bit) AS bits FROM ({}) AS r GROUP BY 1",
                    join(" UNION ALL ", _numbered(self._rows[start : start + _GROUP])),
                ),
                Fragment(f"g{start // _GROUP}"),
            )
            for start in range(0, len(self._rows), _GROUP)
        ]


def _numbered(rows: list[Fragment]) -> list[Fragment]:
    return [
        sql(
            "SELECT n.profile_id, {}::bigint AS bit FROM ({}) AS n",
            Fragment(str(1 << place)),
            each,
        )
        for place, each in enumerate(rows)
    ]


def _bit_column(found: re.Match[str]) -> str:
    group, place = divmod(int(found[1]), _GROUP)
    return f"CASE WHEN g{group}.bits & {1 << place} <> 0 THEN g{group}.profile_id END"
