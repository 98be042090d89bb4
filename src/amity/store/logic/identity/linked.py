"""Who belongs together without being one, as rules see it: the same pairs in memory and in SQL."""

from collections.abc import Collection

from amity.infra.database import Connection
from amity.rules import Fragment, sql

Linked = dict[int, dict[str, set[int]]]
"""By profile and kind, the others of the household or company."""


def pairs_sql(kind: str) -> Fragment:
    """Return a query of `profile_id` and `other_id`: who shares a household or a company.

    Those of shared facts as they were gathered last, but for pairs that a review rejected, and
    those a review accepted. The other is never merged into somebody; a pair can come twice.
    """
    return sql(
        "SELECT one.profile_id, other.profile_id AS other_id FROM store_link AS one "
        "JOIN store_link AS other ON other.kind = one.kind AND other.link_key = one.link_key "
        "AND other.profile_id <> one.profile_id "
        "JOIN store_profile AS q ON q.id = other.profile_id AND q.merged_into IS NULL "
        "WHERE one.kind = {} AND NOT EXISTS (SELECT FROM store_link_candidate AS c "
        "WHERE c.one_id = least(one.profile_id, other.profile_id) "
        "AND c.other_id = greatest(one.profile_id, other.profile_id) "
        "AND c.kind = one.kind AND c.state = 'rejected') "
        "UNION ALL SELECT c.one_id, c.other_id FROM store_link_candidate AS c "
        "JOIN store_profile AS q ON q.id = c.other_id AND q.merged_into IS NULL "
        "WHERE c.kind = {} AND c.state = 'accepted' "
        "UNION ALL SELECT c.other_id, c.one_id FROM store_link_candidate AS c "
        "JOIN store_profile AS q ON q.id = c.one_id AND q.merged_into IS NULL "
        "WHERE c.kind = {} AND c.state = 'accepted'",
        kind,
        kind,
        kind,
    )


def load_linked(
    *, connection: Connection, profile_ids: Collection[int], kinds: Collection[str]
) -> Linked:
    """Return with whom these profiles share a household or company; those of none are left out."""
    found: Linked = {}
    ids = sorted(profile_ids)
    for kind in sorted(kinds):
        query = sql(
            "SELECT DISTINCT g.profile_id, g.other_id FROM ({}) AS g "
            "WHERE g.profile_id = ANY({}::bigint[])",
            pairs_sql(kind),
            ids,
        )
        for profile_id, other_id in connection.execute(query.encode(), query.params):
            found.setdefault(profile_id, {}).setdefault(kind, set()).add(other_id)
    return found
