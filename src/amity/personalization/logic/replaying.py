"""Making logged decisions again: the same snapshot, facts and seed must give the same answer."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound
from amity.personalization.contracts import DecideRequest, Replay
from amity.personalization.logic.deciding import decide
from amity.personalization.logic.decision_log import (
    Kept,
    KeptItem,
    decode_result,
    encode_result,
)
from amity.personalization.logic.decisions import borrow_shelf
from amity.personalization.logic.facts import decode_facts
from amity.personalization.logic.snapshot import Snapshot
from amity.personalization.policy import load_policies
from amity.personalization.recommender import load_recommenders

_SQL: Final = queries.load("amity.personalization")
_AT_ONCE: Final = 500
_MOST_NAMED: Final = 100
# Another processor may round a logarithm otherwise; nothing else may differ.
_SAME: Final = 1e-9
_REQUEST: Final = msgspec.json.Decoder(DecideRequest)


class _Row(msgspec.Struct, frozen=True, array_like=True):
    decision_id: UUID
    decided_at: datetime
    profile_id: int | None
    snapshot_id: int
    seed: int
    policy: str
    fallback: str
    request: str
    facts: bytes
    result: bytes


def replay_decisions(*, since: datetime | None, limit: int | None, placement: str | None) -> Replay:
    """Make logged decisions again and compare; see `api.replay_decisions`."""
    replayed = same = missing = 0
    different: list[UUID] = []
    left = limit
    wanted: dict[str, Any] = {"since": since, "placement": placement, "at": None, "before": None}
    while left is None or left > 0:
        wanted["limit"] = _AT_ONCE if left is None else min(left, _AT_ONCE)
        with transaction("readonly") as connection:
            found = connection.execute(_SQL["replayable_decisions"], wanted, binary=True)
            rows = [_Row(*row) for row in found]
            answers = _remake(connection, rows)
        for row, is_same in zip(rows, answers, strict=True):
            replayed += 1
            missing += is_same is None
            same += is_same is True
            if is_same is False:
                different.append(row.decision_id)
        if len(rows) < wanted["limit"]:
            break
        left = None if left is None else left - len(rows)
        wanted["at"], wanted["before"] = rows[-1].decided_at, rows[-1].decision_id
    return Replay(replayed=replayed, same=same, different=different[:_MOST_NAMED], missing=missing)


def _remake(connection: Connection, rows: Sequence[_Row]) -> list[bool | None]:
    """Say of each whether it came out the same; None where what it was made from is gone."""
    answers: list[bool | None] = []
    with borrow_shelf() as shelf:
        for row in rows:
            try:
                snapshot = shelf.get(connection, row.snapshot_id)
            except NotFound:
                answers.append(None)
                continue
            answers.append(_is_same(snapshot, row))
    return answers


def _is_same(snapshot: Snapshot, row: _Row) -> bool | None:
    request = _REQUEST.decode(row.request)
    place = snapshot.places.get(request.placement)
    if place is None:
        return None
    plugs = load_policies() if place.placement.kind == "offers" else load_recommenders()
    if row.policy not in plugs:
        return None
    made = decide(
        snapshot,
        decode_facts(row.facts),
        request,
        decision_id=row.decision_id,
        now=row.decided_at,
        seed=row.seed,
    )
    return (made.profile_id, made.fallback, made.policy) == (
        row.profile_id,
        row.fallback,
        row.policy,
    ) and _are_alike(decode_result(encode_result(made, place.candidates)), row.result)


def _are_alike(made: Kept, raw: bytes) -> bool:
    logged = decode_result(raw)
    return (
        made.verdicts == logged.verdicts
        and len(made.items) == len(logged.items)
        and all(_is_alike(one, other) for one, other in zip(made.items, logged.items, strict=True))
    )


def _is_alike(one: KeptItem, other: KeptItem) -> bool:
    # The reason may name a product, and products are renamed; nothing is decided by it.
    return (
        one.item == other.item
        and math.isclose(one.propensity, other.propensity, rel_tol=_SAME)
        and math.isclose(one.score, other.score, rel_tol=_SAME)
    )
