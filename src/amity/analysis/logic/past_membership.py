"""Who was in a segment at a moment, and why: memberships are intervals, and the past is kept.

Why is asked of the customer as known then (`store.get_profile_as_of`, by receipt), with the rule
that was in force, so what was told later or changed later does not count.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from amity.analysis.contracts import Membership
from amity.analysis.contracts_batch import PastMembership
from amity.analysis.logic.segments import Definitions
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.rules import Mentions, Rule, decode_rule, explain, mentions
from amity.store import api as store
from amity.store.contracts_claims import PastProfile

_SQL = queries.load("amity.analysis")


def list_members_at(
    *, segment_id: int, at: datetime, cursor: str | None, limit: int
) -> Page[Membership]:
    """Return who was in a segment at a moment; see `api.list_members_at`."""
    _check(at)
    before = None if cursor is None else decode_cursor(cursor, (int,))[0]
    given = {"segment_id": segment_id, "at": at, "before": before, "limit": limit + 1}
    with transaction("readonly") as connection:
        Definitions(connection).make(segment_id)
        rows = connection.execute(_SQL["list_members_at"], given).fetchall()
    names = Membership.__struct_fields__
    found = [Membership(**dict(zip(names, row[1:], strict=True))) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(found, encode_cursor([rows[limit - 1][0]]) if more else None)


def explain_at(*, segment_id: int, profile_id: int, at: datetime) -> PastMembership:
    """Say whether somebody was in a segment at a moment, and why; see `api.explain_at`."""
    _check(at)
    past = store.get_profile_as_of(profile_id=profile_id, at=at)
    with transaction("readonly") as connection:
        rule, version = _rule_at(connection, segment_id, at)
        names = Definitions(connection).names
        policies = store.list_policies(connection=connection)
        given = {"ids": [*past.joined], "at": at}
        stays = connection.execute(_SQL["memberships_at"], given).fetchall()
    subject = store.make_subject(
        past.profile,
        segments={stay[0] for stay in stays},
        history=_history(past),
        policies=policies,
        orders=past.orders,
    )
    stay = next((stay for stay in stays if stay[0] == segment_id), (segment_id, None, None))
    return PastMembership(
        segment_id=segment_id,
        profile_id=profile_id,
        at=at,
        entered_at=stay[1],
        left_at=stay[2],
        rule_version=version,
        why=explain(rule, subject, at, names),
        notes=_notes(mentions(rule)),
    )


def _check(at: datetime) -> None:
    if at.tzinfo is None:
        raise Invalid("say in which time zone", code="bad_moment")


def _rule_at(connection: Connection, segment_id: int, at: datetime) -> tuple[Rule, int]:
    row = connection.execute(_SQL["rule_at"], {"segment_id": segment_id, "at": at}).fetchone()
    if row is None:
        raise NotFound(f"no rule of segment {segment_id} is known of then")
    return decode_rule(row[0]), row[1]


def _history(past: PastProfile) -> dict[str, list[tuple[datetime, Mapping[str, Any]]]]:
    history: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
    for each in past.activity:
        history.setdefault(each.name, []).append((each.occurred_at, each.properties))
    return history


def _notes(found: Mentions) -> list[str]:
    notes = []
    if found.scores:
        notes.append("scores of then are not kept: they count as missing")
    if found.together:
        notes.append("who shared a household or company then is not kept: it counts as nobody")
    if found.purposes:
        notes.append("what a purpose needs is taken as it is described today")
    return notes
