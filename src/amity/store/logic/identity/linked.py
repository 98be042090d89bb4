"""Who belongs together without being one, as rules see it: the same groups in memory and in SQL.

A group is a household or company of shared facts as they were gathered last; a customer can be in
several of a kind. Pairs that a review rejected do not count for each other, and all whom reviews
accepted for a customer are one more group of hers. Groups are counted, never paired with
themselves: the work grows with the number of members, however large a company is.
"""

from collections.abc import Collection
from typing import Final, LiteralString

import msgspec

from amity.infra.database import Connection
from amity.rules import Fragment, sql

Linked = dict[int, dict[str, list[set[int]]]]
"""By profile and kind, the others of each of the customer's groups."""
_SAID: Final[LiteralString] = (
    "(SELECT one_id AS profile_id, other_id FROM {} "
    "WHERE kind = {} AND state = {} UNION ALL SELECT other_id, one_id FROM {} "
    "WHERE kind = {} AND state = {})"
)


class LinkTables(msgspec.Struct, frozen=True, kw_only=True):
    """Where links are, what reviews said of pairs, and a query of the `id`s of who lives on."""

    links: Fragment
    reviews: Fragment
    living: Fragment


_HERE: Final = LinkTables(
    links=Fragment("store_link"),
    reviews=Fragment("store_link_candidate"),
    living=Fragment("SELECT id FROM store_profile WHERE merged_into IS NULL"),
)
IN_THE_WAREHOUSE: Final = LinkTables(
    links=Fragment("links"),
    reviews=Fragment("link_reviews"),
    living=Fragment(
        "SELECT w.id FROM (SELECT profile_id AS id, merged_into FROM profiles) AS w "
        "WHERE w.merged_into IS NULL"
    ),
)


def _said(tables: LinkTables, kind: str, state: str) -> Fragment:
    return sql(_SAID, tables.reviews, kind, state, tables.reviews, kind, state)


def together_sql(
    kind: str, among: Fragment | None, at_least: int, *, tables: LinkTables = _HERE
) -> Fragment:
    """Return a query of the `profile_id`s with so many others in one of their groups, each once.

    ``among``, if any, is a query of the `profile_id`s the others are to be among.
    """
    living = tables.living
    if among is not None:
        living = sql("{} AND id IN ({})", living, among)
    members = sql(
        "SELECT l.link_key, l.profile_id FROM {} AS l "
        "JOIN ({}) AS q ON q.id = l.profile_id WHERE l.kind = {}",
        tables.links,
        living,
        kind,
    )
    rejected = _said(tables, kind, "rejected")
    accepted = _said(tables, kind, "accepted")
    return sql(
        "SELECT one.profile_id FROM {} AS one "
        "JOIN (SELECT m.link_key, count(*) AS members FROM ({}) AS m GROUP BY 1) AS g "
        "ON g.link_key = one.link_key "
        "LEFT JOIN ({}) AS own ON own.link_key = one.link_key AND own.profile_id = one.profile_id "
        "LEFT JOIN (SELECT s.profile_id, m.link_key, count(DISTINCT s.other_id) AS members "
        "FROM {} AS s JOIN ({}) AS m ON m.profile_id = s.other_id GROUP BY 1, 2) AS r "
        "ON r.link_key = one.link_key AND r.profile_id = one.profile_id "
        "WHERE one.kind = {} AND g.members - CASE WHEN own.profile_id IS NULL THEN 0 ELSE 1 END "
        "- coalesce(r.members, 0) >= {} "
        "UNION SELECT s.profile_id FROM {} AS s JOIN ({}) AS q ON q.id = s.other_id "
        "GROUP BY 1 HAVING count(DISTINCT s.other_id) >= {}",
        *(tables.links, members, members, rejected, members, kind, at_least),
        *(accepted, living, at_least),
    )


def load_linked(
    *, connection: Connection, profile_ids: Collection[int], kinds: Collection[str]
) -> Linked:
    """Return with whom these profiles share a household or company; those of none are left out."""
    found: Linked = {}
    ids = sorted(profile_ids)
    for kind in sorted(kinds):
        query = sql(
            "SELECT one.profile_id, array_agg(DISTINCT other.profile_id) FROM store_link AS one "
            "JOIN store_link AS other ON other.kind = one.kind "
            "AND other.link_key = one.link_key AND other.profile_id <> one.profile_id "
            "JOIN store_profile AS q ON q.id = other.profile_id AND q.merged_into IS NULL "
            "WHERE one.profile_id = ANY({}::bigint[]) AND one.kind = {} "
            "AND NOT EXISTS (SELECT FROM store_link_candidate AS c "
            "WHERE c.one_id = least(one.profile_id, other.profile_id) "
            "AND c.other_id = greatest(one.profile_id, other.profile_id) "
            "AND c.kind = one.kind AND c.state = 'rejected') "
            "GROUP BY one.profile_id, one.link_key UNION ALL "
            "SELECT s.profile_id, array_agg(DISTINCT s.other_id) FROM {} AS s "
            "JOIN store_profile AS q ON q.id = s.other_id AND q.merged_into IS NULL "
            "WHERE s.profile_id = ANY({}::bigint[]) GROUP BY s.profile_id",
            ids,
            kind,
            _said(_HERE, kind, "accepted"),
            ids,
        )
        for profile_id, others in connection.execute(query.encode(), query.params):
            found.setdefault(profile_id, {}).setdefault(kind, []).append(set(others))
    return found
