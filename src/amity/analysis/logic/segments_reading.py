"""Looking at segments: who is in them, who would be, and why."""

from datetime import datetime
from typing import Any, Final

from amity.analysis.contracts import Membership, Preview, SegmentCount, SegmentMoves
from amity.analysis.logic.measuring.conditions import read_rule
from amity.analysis.logic.scoring.rating import load_ratings
from amity.analysis.logic.segments import Definitions
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.analysis.logic.together import load_together
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.rules import Explanation, Mentions, explain, mentions, sql, to_sql
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_EXAMPLES: Final = 8
_LATER: Final = frozenset(("Order Refunded", "Order Cancelled"))


def tune(connection: Connection) -> None:
    """Prepare a transaction for set-wise rules: room to hash, no compiling of short queries."""
    connection.execute("SET LOCAL jit = off")
    connection.execute("SET LOCAL work_mem = '64MB'")


def preview(*, rule: dict[str, Any], now: datetime) -> Preview:
    """Run a rule over everyone now, without keeping it."""
    decoded = read_rule(rule)
    with transaction("readonly") as connection:
        tune(connection)
        definitions = Definitions(connection)
        query = sql(
            "WITH found AS MATERIALIZED ({}) SELECT (SELECT count(*) FROM found), ARRAY("
            "SELECT p.id FROM found JOIN store_profile p USING (id) "
            "ORDER BY p.last_seen_at DESC, p.id DESC LIMIT {})",
            to_sql(decoded, make_catalogue(store.list_policies(connection=connection)), now),
            _EXAMPLES,
        )
        row = connection.execute(query.encode(), query.params).fetchone()
        people = connection.execute(_SQL["count_people"]).fetchone()
        assert row is not None
        assert people is not None
        return Preview(
            words=decoded.describe(definitions.names),
            members=row[0],
            of_profiles=people[0],
            examples=row[1],
            warnings=_list_warnings(connection, mentions(decoded), definitions),
        )


def list_score_names() -> list[str]:
    """Return the names of the scores somebody has."""
    with transaction("readonly") as connection:
        return [row[0] for row in connection.execute(_SQL["score_names"])]


def _list_warnings(connection: Connection, found: Mentions, definitions: Definitions) -> list[str]:
    def absent(query: str, names: frozenset[str]) -> list[str]:
        if not names:
            return []
        return [row[0] for row in connection.execute(_SQL[query], [sorted(names)])]

    warnings = [f"nobody has the trait “{name}”" for name in absent("unknown_traits", found.traits)]
    # Orders as they stand are there without refunds and cancellations.
    awaited = found.events - (_LATER if found.orders else frozenset())
    warnings += [f"the event “{name}” was never seen" for name in absent("unknown_events", awaited)]
    warnings += [
        f"nobody was ever asked for consent for “{name}”"
        for name in absent("unknown_purposes", found.purposes)
    ]
    warnings += [f"nobody has a score “{name}”" for name in absent("unknown_scores", found.scores)]
    for segment_id in sorted(found.segments):
        state = definitions.state_of(segment_id)
        if state is None:
            warnings.append(f"there is no segment {segment_id}")
        elif state == "archived":
            warnings.append(f"the segment “{definitions.names[segment_id]}” is archived")
        elif state == "building":
            warnings.append(f"the segment “{definitions.names[segment_id]}” is still being built")
    return warnings


def list_members(*, segment_id: int, cursor: str | None, limit: int) -> Page[Membership]:
    """Return who is in a segment, the latest to enter first."""
    before = None if cursor is None else decode_cursor(cursor, (int,))[0]
    with transaction("readonly") as connection:
        rows = connection.execute(
            _SQL["list_members"],
            {"segment_id": segment_id, "before": before, "limit": limit + 1},
        ).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return Page([_membership(row) for row in rows], encode_cursor([rows[-1][0]]) if more else None)


def list_moves(*, segment_id: int, limit: int) -> SegmentMoves:
    """Return who entered and who left a segment last."""
    values = {"segment_id": segment_id, "limit": limit}
    with transaction("readonly") as connection:
        entered = connection.execute(_SQL["list_entered"], values).fetchall()
        left = connection.execute(_SQL["list_left"], values).fetchall()
    return SegmentMoves(
        entered=[_membership(row) for row in entered], left=[_membership(row) for row in left]
    )


def list_memberships(*, profile_id: int) -> list[Membership]:
    """Return a profile's stays in segments, those that last first."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["list_memberships"], [profile_id])
        return [_membership(row) for row in rows]


def _membership(row: tuple[Any, ...]) -> Membership:
    return Membership(
        segment_id=row[1],
        segment_name=row[2],
        profile_id=row[3],
        entered_at=row[4],
        left_at=row[5],
    )


def list_counts(*, segment_id: int) -> list[SegmentCount]:
    """Return a segment's counts by day."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["list_counts"], [segment_id]).fetchall()
    return [SegmentCount(day=day, members=members, method=method) for day, members, method in rows]


def explain_rule(*, rule: dict[str, Any], profile_id: int, now: datetime) -> Explanation:
    """Say of every part of a rule whether a profile passes it."""
    decoded = read_rule(rule)
    profile = store.get_profile(profile_id=profile_id)
    ids = [profile.profile_id]
    with transaction("readonly") as connection:
        names = Definitions(connection).names
        segments = {
            row[0] for row in connection.execute(_SQL["select_memberships"], [profile.profile_id])
        }
        wishes = store.make_wishes(mentions(decoded).looks, now)
        history = store.load_histories(connection=connection, profile_ids=ids, wishes=wishes)
        policies = store.list_policies(connection=connection)
        ratings = load_ratings(connection, profile_ids=ids, names=mentions(decoded).scores)
        asked = mentions(decoded).together
        groups = load_together(connection, profile_ids=ids, asked=asked)
        orders = store.load_placed_orders(connection=connection, profile_ids=ids)
    subject = store.make_subject(
        profile,
        segments=segments,
        history=history.get(profile.profile_id, {}),
        policies=policies,
        scores=ratings.get(profile.profile_id, {}),
        together=groups.get(profile.profile_id, {}),
        orders=orders.get(profile.profile_id, ()),
    )
    return explain(decoded, subject, now, names)
