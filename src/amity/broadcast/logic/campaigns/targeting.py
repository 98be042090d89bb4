"""From a segment to a ledger: whom a campaign draws, and how it begins and ends.

A campaign goes through its audience, the members at the moment it began, in slices by profile id.
A slice is one transaction with the cursor in it: whatever dies, each member is drawn once. Whoever
cannot be reached is `excluded` with a reason, before the draw; the rest are drawn into `treatment`,
which gets a row of the ledger each, and `holdout`, which gets none and so can never be sent to.
"""

from collections import Counter
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.broadcast.contracts import HELD_OUT, CampaignEstimate
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.store import api as store

_SQL: Final = queries.load("amity.broadcast")
_CHANNEL: Final = "email"
SLICE = 2_000
"""Members drawn in one transaction; what others write waits for it, so it is short."""

_CANCELLED_AT_ONCE: Final = 5_000


class _Run(msgspec.Struct, frozen=True):
    """A campaign as it is claimed for one turn."""

    campaign_id: int
    state: str
    segment_id: int
    channel: str
    purpose: str
    began_at: datetime | None
    cursor: int
    segment_state: str | None


class _Person(msgspec.Struct, frozen=True):
    """One of the audience: where they can be written to, or why they cannot."""

    profile_id: int
    contact_point: str
    reason: str


def run_campaigns(*, now: datetime) -> int:
    """Take one turn of every campaign that has something to do; return how much was done."""
    with transaction() as connection:
        due = [row[0] for row in connection.execute(_SQL["target_due"], {"now": now})]
    return sum(_take_turn(campaign_id, now) for campaign_id in due)


def _take_turn(campaign_id: int, now: datetime) -> int:
    with transaction() as connection:
        row = connection.execute(_SQL["target_claim"], [campaign_id]).fetchone()
        if row is None:
            return 0
        run = _Run(campaign_id, *row)
        if run.state == "scheduled":
            return _begin(connection, run, now)
        if run.state == "targeting":
            return _target_slice(connection, run, now)
        cancelled = _cancel(connection, campaign_id, now) if run.state == "stopped" else 0
        values = {"campaign_id": campaign_id, "now": now}
        return cancelled + connection.execute(_SQL["target_close"], values).rowcount


def _begin(connection: Connection, run: _Run, now: datetime) -> int:
    values: dict[str, Any] = {"campaign_id": run.campaign_id, "now": now}
    if run.segment_state in {None, "archived"}:
        values["note"] = "stopped, for its segment was archived before it began"
        return connection.execute(_SQL["campaign_stop"], values).rowcount
    if run.segment_state == "building":
        return 0
    return connection.execute(_SQL["target_begin"], values).rowcount


def _target_slice(connection: Connection, run: _Run, now: datetime) -> int:
    assert run.began_at is not None
    members = _list_audience(connection, run.segment_id, run.began_at, run.cursor)
    if not members:
        values = {"campaign_id": run.campaign_id, "now": now}
        return connection.execute(_SQL["target_done"], values).rowcount
    people = _assess(connection, members, run.purpose, now)
    people = _part_addresses(people, _list_taken(connection, run.campaign_id, people))
    store.ensure_contact_points(
        connection=connection,
        channel=_CHANNEL,
        address_keys=[person.contact_point for person in people if not person.reason],
    )
    connection.execute(
        _SQL["target_draw"],
        {
            "campaign_id": run.campaign_id,
            "profile_ids": [person.profile_id for person in people],
            "contact_points": [person.contact_point for person in people],
            "reasons": [person.reason for person in people],
            "now": now,
        },
        prepare=False,
    )
    _record_held_out(connection, run.campaign_id, [person.profile_id for person in people], now)
    _advance(connection, run.campaign_id, members[-1])
    return len(members)


def _record_held_out(
    connection: Connection, campaign_id: int, profile_ids: list[int], now: datetime
) -> None:
    """Tell the histories of those who get nothing that they were drawn, so that rules can ask."""
    events = [
        store.SystemEvent(
            profile_id=profile_id,
            name=HELD_OUT,
            properties={"campaign_id": campaign_id, "campaign_name": name},
            message_id=f"campaign-held-out:{campaign_id}:{profile_id}",
        )
        for profile_id, name in _run(connection, "target_held_out", [campaign_id, profile_ids])
    ]
    if events:
        store.record_events(connection=connection, events=events, now=now)


def _advance(connection: Connection, campaign_id: int, cursor: int) -> None:
    values = {"campaign_id": campaign_id, "cursor": cursor}
    connection.execute(_SQL["target_advance"], values)


def _list_audience(connection: Connection, segment_id: int, at: datetime, after: int) -> list[int]:
    values = {"segment_id": segment_id, "at": at, "after": after, "limit": SLICE}
    return [row[0] for row in _run(connection, "target_audience", values)]


def _run(connection: Connection, query: str, values: Any) -> list[tuple[Any, ...]]:
    """Run a query planned anew: a plan kept from when the tables were small takes a minute."""
    return connection.execute(_SQL[query], values, prepare=False).fetchall()


def _assess(
    connection: Connection, members: list[int], purpose: str, now: datetime
) -> list[_Person]:
    """Say of each member, as who they are by now, whether they can be reached; by profile id."""
    people = _run(connection, "target_people", [members])
    keys = {profile_id: _key_of(address) for profile_id, address in people}
    known = {profile_id: key for profile_id, key in keys.items() if key}
    values = {
        "profile_ids": list(known),
        "keys": list(known.values()),
        "channel": _CHANNEL,
        "purpose": purpose,
        "cap_count": settings().marketing_cap_count,
        "cap_days": settings().marketing_cap_days,
        "now": now,
    }
    reasons: dict[int, str] = dict(_run(connection, "target_reasons", values))
    return [
        _Person(profile_id, key, reasons.get(profile_id, "")) if key else _exclude(profile_id)
        for profile_id, key in keys.items()
    ]


def _key_of(address: str | None) -> str:
    try:
        return store.contact_key(channel=_CHANNEL, address=address) if address else ""
    except Invalid:
        return ""


def _exclude(profile_id: int, reason: str = "no_address") -> _Person:
    return _Person(profile_id, f"profile:{profile_id}", reason)


def _list_taken(connection: Connection, campaign_id: int, people: list[_Person]) -> set[str]:
    keys = [person.contact_point for person in people if not person.reason]
    return {row[0] for row in _run(connection, "target_taken", [campaign_id, keys])}


def _part_addresses(people: list[_Person], taken: set[str]) -> list[_Person]:
    """Let the first profile with an address have it; the others are the same reader."""
    parted = []
    for person in people:
        reason = person.reason
        if not reason and person.contact_point in taken:
            reason = "same_person"
        if reason:
            person = _exclude(person.profile_id, reason)  # noqa: PLW2901  # the same person, placed
        taken.add(person.contact_point)
        parted.append(person)
    return parted


def estimate_campaign(
    *, segment_id: int, purpose: str, holdout_rate: float, now: datetime
) -> CampaignEstimate:
    """Count whom a campaign would reach if it began now; see `api.estimate_campaign`."""
    excluded: Counter[str] = Counter()
    seen: set[str] = set()
    members = after = 0
    with transaction() as connection:
        row = connection.execute(_SQL["target_segment"], [segment_id]).fetchone()
        while slice_ := _list_audience(connection, segment_id, now, after):
            after = slice_[-1]
            people = _part_addresses(_assess(connection, slice_, purpose, now), seen)
            members += len(people)
            excluded.update(person.reason for person in people if person.reason)
    reachable = members - excluded.total()
    holdout = round(reachable * holdout_rate)
    return CampaignEstimate(
        members=members,
        reachable=reachable,
        excluded=dict(excluded.most_common()),
        treatment=reachable - holdout,
        holdout=holdout,
        is_complete=row is not None and row[0] != "building",
    )


def cancel_rest(*, campaign_id: int, now: datetime) -> None:
    """Cancel what of a stopped campaign has not left, in slices, and close it when that is all."""
    while True:
        with transaction() as connection:
            if not _cancel(connection, campaign_id, now):
                values = {"campaign_id": campaign_id, "now": now}
                connection.execute(_SQL["target_close"], values)
                return


def _cancel(connection: Connection, campaign_id: int, now: datetime) -> int:
    values = {"campaign_id": campaign_id, "limit": _CANCELLED_AT_ONCE, "now": now}
    return connection.execute(_SQL["target_cancel"], values).rowcount
