"""The rewards consumer: what came of what was shown teaches the arms.

A turn is one transaction: outcomes, posteriors, counts of troubles and the consumer's position
are committed together.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from amity.analysis import api_metrics as metrics
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.personalization.contracts import OutcomeKind
from amity.personalization.logic.decision_log import read_chosen
from amity.personalization.logic.facts_loading import find_roots
from amity.personalization.logic.rewards import (
    CLAIMING,
    EMAIL_CHANNEL,
    HORIZON,
    Claim,
    Happenings,
    Made,
    Measure,
    Outcomes,
    Pair,
    Tally,
    Told,
    Touches,
    derive,
    judge,
    list_touches,
    read_claims,
    tally,
    tell,
)
from amity.personalization.logic.troubles import count_troubles
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity, FoldResult

_SQL: Final = queries.load("amity.personalization")
_log = logging.getLogger("amity.rewards")
CONSUMER: Final = "rewards"
_ORDERS: Final = frozenset({"Order Completed", "Order Refunded", "Order Cancelled"})
_UNSUBSCRIBED: Final = "Unsubscribed"
_JOINED: Final = frozenset({"Profile Merged", "Profile Unmerged"})
_DERIVED: Final[tuple[OutcomeKind, ...]] = ("order", "unsubscribe", "metric")


def reward_batch(*, now: datetime, limit: int) -> FoldResult:
    """Take one turn; see `api.reward_batch`."""
    with transaction() as connection:
        position = store.claim_consumer(connection=connection, name=CONSUMER)
        if position is None:
            return FoldResult(events=0)
        activities = store.read_activity(connection=connection, after=position, limit=limit)
        if activities:
            _Turn(connection, now).take(activities)
            store.advance_consumer(
                connection=connection, name=CONSUMER, position=activities[-1].position
            )
    return FoldResult(events=len(activities))


class _Turn:
    """One turn's reading and writing."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._troubles: Counter[tuple[str, str]] = Counter()
        self._made: dict[UUID, Made] = {}
        self._roots: dict[int, int] = {}
        self._rewards = _load_rewards(connection)

    def take(self, activities: Sequence[Activity]) -> None:
        """Take in activities."""
        rewarding = _ORDERS | {_UNSUBSCRIBED}
        rewarding = rewarding.union(*(reward.events for reward in self._rewards.values()))
        claims = [claim for activity in activities for claim in read_claims(activity)]
        people = {activity.profile_id for activity in activities if activity.name in rewarding}
        joined = {
            activity.profile_id
            for activity in activities
            if activity.name in _JOINED and activity.source_id == SYSTEM_SOURCE_ID
        }
        told_before = self._read_past_claims(joined, activities[-1].position)
        if claims or told_before or people or joined:
            self._reward(claims, told_before, people | joined)
        count_troubles(self._connection, self._troubles, self._now)

    def _read_past_claims(self, joined: set[int], position: int) -> list[Claim]:
        """Return what those who were joined had said: it may have been of one another."""
        if not joined:
            return []
        wanted = {"ids": sorted(joined), "names": sorted(CLAIMING), "position": position}
        rows = self._connection.execute(_SQL["reward_past_activity"], wanted)
        names = Activity.__struct_fields__
        return [
            claim
            for row in rows
            for claim in read_claims(Activity(**dict(zip(names, row, strict=True))))
        ]

    def _reward(
        self, claims: Sequence[Claim], told_before: Sequence[Claim], people: set[int]
    ) -> None:
        self._read_made({claim.decision_id for claim in (*claims, *told_before)})
        accepted = list(self._accept(claims, is_counted=True))
        accepted += self._accept(told_before, is_counted=False)
        people = people | {claim.profile_id for claim, made, _ in accepted if _touches(claim, made)}
        members = self._read_members(people)
        wanted = [sorted(members), self._now - HORIZON]
        known = self._connection.execute(_SQL["reward_decisions_of"], wanted)
        self._read_made({row[0] for row in known})
        before = self._read_outcomes()
        after = {pair: dict(kinds) for pair, kinds in before.items()}
        for claim, made, items in accepted:
            tell(after, claim, made, items)
        self._derive(after, members)
        self._write(before, after)

    def _read_made(self, decision_ids: Iterable[UUID | None]) -> None:
        wanted = sorted({one for one in decision_ids if one is not None} - self._made.keys())
        rows = self._connection.execute(_SQL["reward_decisions"], [wanted]) if wanted else ()
        found = [Made(*(*row[:-1], read_chosen(row[-1]))) for row in rows]
        self._made |= {made.decision_id: made for made in found}
        owners = {made.profile_id for made in found if made.profile_id is not None}
        if owners:
            self._roots |= find_roots(self._connection, sorted(owners))

    def _accept(
        self, claims: Sequence[Claim], *, is_counted: bool
    ) -> list[tuple[Claim, Made, list[str]]]:
        """Return the claims that count with their decision and items; count the others."""
        accepted = []
        for claim in claims:
            made = None if claim.decision_id is None else self._made.get(claim.decision_id)
            items, trouble = judge(claim, made, self._roots)
            if made is not None and not trouble:
                accepted.append((claim, made, items))
            elif is_counted:
                self._troubles[trouble, claim.event] += 1
        return accepted

    def _read_members(self, people: set[int]) -> dict[int, int]:
        """Return, by profile, as whom it lives on, of all who live on as one of ``people``."""
        if not people:
            return {}
        return dict(self._connection.execute(_SQL["reward_members"], [sorted(people)]).fetchall())

    def _read_outcomes(self) -> Outcomes:
        outcomes: Outcomes = {}
        if self._made:
            rows = self._connection.execute(_SQL["reward_outcomes"], [sorted(self._made)])
            for decision_id, item, kind, *told in rows:
                outcomes.setdefault((decision_id, item), {})[kind] = Told(*told)
        return outcomes

    def _derive(self, outcomes: Outcomes, members: Mapping[int, int]) -> None:
        """Put orders and unsubscriptions of these people where they belong now."""
        theirs: dict[int, set[int]] = {}
        for member, root in members.items():
            theirs.setdefault(root, set()).add(member)
        by_person: dict[int, Outcomes] = {root: {} for root in theirs}
        for pair, kinds in outcomes.items():
            for root in {
                members[told.profile_id] for told in kinds.values() if told.profile_id in members
            }:
                by_person[root][pair] = kinds
        touched = {
            root: list_touches(pairs, self._made, frozenset(theirs[root]))
            for root, pairs in by_person.items()
        }
        starts = [found.first_at for found in touched.values() if found.first_at is not None]
        happened = self._read_happenings(touched, min(starts)) if starts else {}
        for root, touches in touched.items():
            derived = derive(root, happened.get(root, Happenings()), touches)
            _replace(by_person[root], theirs[root], derived)

    def _read_happenings(
        self, touched: Mapping[int, Touches], since: datetime
    ) -> dict[int, Happenings]:
        wanted = {"ids": sorted(touched), "since": since, "currency": settings().currency}
        orders: dict[int, list[tuple[datetime, int]]] = {}
        for root, at, value in self._connection.execute(_SQL["reward_orders"], wanted):
            orders.setdefault(root, []).append((at, int(value)))
        left: dict[int, list[datetime]] = {}
        for root, at in self._connection.execute(_SQL["reward_unsubscribes"], wanted):
            left.setdefault(root, []).append(at)
        measured = self._read_measured(touched, since)
        return {
            root: Happenings(orders.get(root, ()), left.get(root, ()), measured.get(root, {}))
            for root in orders.keys() | left.keys() | measured.keys()
        }

    def _read_measured(
        self, touched: Mapping[int, Touches], since: datetime
    ) -> dict[int, dict[Measure, list[tuple[datetime, int]]]]:
        """Return by person and metric when it was moved and by how much."""
        people: dict[Measure, list[int]] = {}
        for root, touches in touched.items():
            for measure in touches.measured:
                people.setdefault(measure, []).append(root)
        found: dict[int, dict[Measure, list[tuple[datetime, int]]]] = {}
        for measure, roots in people.items():
            reward = self._rewards.get(measure)
            if reward is None:
                continue
            for root, at, value in metrics.list_rewards(
                connection=self._connection, reward=reward, profile_ids=roots, since=since
            ):
                found.setdefault(root, {}).setdefault(measure, []).append((at, value))
        return found

    def _write(self, before: Outcomes, after: Outcomes) -> None:
        written: list[tuple[Pair, OutcomeKind, Told]] = []
        removed: list[tuple[Pair, OutcomeKind]] = []
        moves: dict[tuple[int, str], list[int]] = {}
        for pair in before.keys() | after.keys():
            old, new = before.get(pair, {}), after.get(pair, {})
            if old == new:
                continue
            written += [(pair, kind, told) for kind, told in new.items() if old.get(kind) != told]
            removed += [(pair, kind) for kind in old.keys() - new.keys()]
            made = self._made[pair[0]]
            if made.placement_kind == "offers":
                change = _subtract(tally(new, made.goal), tally(old, made.goal))
                held = moves.setdefault((made.placement_id, pair[1]), [0] * len(change))
                moves[made.placement_id, pair[1]] = [
                    a + b for a, b in zip(held, change, strict=True)
                ]
        self._write_outcomes(written, removed)
        self._move_arms({key: change for key, change in moves.items() if any(change)})

    def _write_outcomes(
        self,
        written: Sequence[tuple[Pair, OutcomeKind, Told]],
        removed: Sequence[tuple[Pair, OutcomeKind]],
    ) -> None:
        if removed:
            gone = {
                "decisions": [pair[0] for pair, _ in removed],
                "items": [pair[1] for pair, _ in removed],
                "kinds": [kind for _, kind in removed],
            }
            self._connection.execute(_SQL["delete_outcomes"], gone)
        if written:
            rows = {
                "decisions": [pair[0] for pair, _, _ in written],
                "items": [pair[1] for pair, _, _ in written],
                "kinds": [kind for _, kind, _ in written],
                "times": [told.at for _, _, told in written],
                "profiles": [told.profile_id for _, _, told in written],
                "values": [told.value_minor for _, _, told in written],
            }
            self._connection.execute(_SQL["write_outcomes"], rows)

    def _move_arms(self, moves: Mapping[tuple[int, str], Sequence[int]]) -> None:
        if not moves:
            return
        keys = sorted({item for _, item in moves})
        offers: dict[str, int] = dict(
            self._connection.execute(_SQL["offer_ids"], [keys]).fetchall()
        )
        rows = sorted(
            (placement_id, offers[item], *change)
            for (placement_id, item), change in moves.items()
            if item in offers
        )
        names = ("placements", "offers", "successes", "failures", "shown", "clicks", "orders")
        columns = (
            dict(zip((*names, "revenue", "unsubscribes"), zip(*rows, strict=True), strict=True))
            if rows
            else {}
        )
        if columns:
            wanted = {name: list(column) for name, column in columns.items()}
            self._connection.execute(_SQL["move_arms"], wanted)


def _load_rewards(connection: Connection) -> dict[Measure, metrics.Reward]:
    """Return the metrics that placements learn by, each as it was when that was said."""
    found = {}
    for name, version in connection.execute(_SQL["reward_metrics"]).fetchall():
        try:
            found[name, version] = metrics.read_reward(
                connection=connection, name=name, version=version
            )
        except (Invalid, NotFound) as error:
            _log.warning("nothing is rewarded by the metric %s: %s", name, error.message)
    return found


def _touches(claim: Claim, made: Made) -> bool:
    """Say whether an order or an unsubscription may belong to what is claimed."""
    return claim.kind == "click" or made.goal != "click" or made.channel == EMAIL_CHANNEL


def _replace(outcomes: Outcomes, members: set[int], derived: Outcomes) -> None:
    """Put what follows from what some members did in the place of what was thought before."""
    for pair, kinds in outcomes.items():
        for kind in _DERIVED:
            told = derived.get(pair, {}).get(kind)
            held = kinds.get(kind)
            if told is not None:
                kinds[kind] = told
            elif held is not None and held.profile_id in members:
                del kinds[kind]


def _subtract(one: Tally, other: Tally) -> list[int]:
    return [getattr(one, name) - getattr(other, name) for name in Tally.__struct_fields__]
