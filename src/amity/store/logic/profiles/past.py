"""A customer as known at some moment: the log folded again, as far as it had come by then.

Which profiles were one then is read from the merges that held at that moment, so a merge that was
made later, or undone later, does not change the past. Two things are as they are today: the rules
by which claims are chosen, and evidence that has been found wrong since.
"""

from datetime import datetime
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.rules import PlacedOrder
from amity.store.contracts import (
    Activity,
    Identifier,
    Profile,
    TraitOrigin,
)
from amity.store.contracts_claims import AsOf, PastProfile
from amity.store.logic.consent.choices import list_consent_history
from amity.store.logic.folding.batch import MARKER
from amity.store.logic.folding.consumer import read_kinds
from amity.store.logic.folding.consumers import activity
from amity.store.logic.folding.fold import (
    FOLDED_SYSTEM_EVENTS,
    Happening,
    State,
    begin,
    combine,
    fold,
    names_of,
)
from amity.store.logic.folding.orders import (
    ORDER_EVENTS,
    Order,
    as_placed,
    combine_orders,
    read_order,
    sum_orders,
)
from amity.store.logic.intake.decoding import DecodedEvent
from amity.store.logic.profiles.reading import find_root
from amity.store.logic.profiles.survivorship_rules import read_rules

_SQL: Final = queries.load("amity.store")
_MOST_STATEMENTS: Final = 1000


class _Join(msgspec.Struct, frozen=True):
    """A merge that held at the moment asked for."""

    event_id: int
    winner_id: int
    loser_id: int


def get_profile_as_of(*, profile_id: int, at: datetime, by: AsOf = "received") -> PastProfile:
    """Return a customer as known at a moment: traits, identifiers, consents, counts, joins.

    `received` counts what had reached Amity by then; `happened` what had happened by then, however
    late it was told. Raises NotFound when nothing was known of her yet, and Invalid for a moment
    without a time zone. Cost grows with her events.
    """
    if at.tzinfo is None:
        raise Invalid("say in which time zone", code="bad_moment")
    with transaction() as connection:
        find_root(connection, profile_id)
        past = _Past(connection, profile_id, at, by)
    state = past.replay()
    if state is None:
        raise NotFound(f"profile {profile_id} was not known then")
    return PastProfile(
        at=at,
        by=by,
        profile=past.make_profile(state),
        identifiers=past.identifiers,
        joined=sorted(past.joined),
        consent_history=[
            statement
            for statement in list_consent_history(profile_id=profile_id, limit=_MOST_STATEMENTS)
            if statement.event_id in past.event_ids
        ],
        orders=past.list_placed(),
        activity=sorted(
            past.activities, key=lambda each: (each.occurred_at, each.position), reverse=True
        ),
    )


class _Past:
    """What is read of a customer and of all who ever were one with her, up to a moment."""

    def __init__(self, connection: Connection, profile_id: int, at: datetime, by: AsOf) -> None:
        self._by, self._at = by, at
        everyone, merges = _read_joined(connection, profile_id)
        rows = connection.execute(_SQL["read_activity_of_all"], [everyone], binary=True)
        every = [activity(row) for row in rows]
        moments = {each.event_id: self._moment(each) for each in every}
        self._joins = [
            _Join(*row[:3])
            for row in merges
            if self._has_come(moments, row[0])
            and (row[3] is None or not self._has_come(moments, row[3]))
        ]
        self.joined = _closure(profile_id, self._joins)
        self.activities = [
            each for each in every if each.origin_id in self.joined and self._moment(each) <= at
        ]
        self.event_ids = {each.event_id for each in self.activities}
        self._kinds, self._rules = read_kinds(connection), read_rules(connection)
        found = connection.execute(_SQL["list_identifiers_of"], [everyone]).fetchall()
        names = Identifier.__struct_fields__
        self.identifiers = [
            Identifier(**dict(zip(names, row, strict=True)))
            for row in found
            if row[5] in self.event_ids and row[3] in self.joined
        ]

    def _moment(self, each: Activity) -> datetime:
        return each.received_at if self._by == "received" else each.occurred_at

    def _has_come(self, moments: dict[int, datetime], event_id: int) -> bool:
        moment = moments.get(event_id)
        return moment is not None and moment <= self._at

    def replay(self) -> State | None:
        """Fold what is known, joining profiles where they were joined; None when nothing is."""
        states: dict[int, State] = {}
        roots: dict[int, int] = {}
        joins: dict[int, list[_Join]] = {}
        for join in self._joins:
            joins.setdefault(join.event_id, []).append(join)
        for each in self.activities:
            for join in joins.pop(each.event_id, []):
                winner, loser = _root(roots, join.winner_id), _root(roots, join.loser_id)
                if winner == loser:
                    continue
                roots[loser] = winner
                lost = states.pop(loser, None)
                if lost is not None:
                    held = states.get(winner)
                    states[winner] = (
                        msgspec.structs.replace(lost, profile_id=winner)
                        if held is None
                        else combine(held, lost, self._rules)
                    )
            self._fold(states, _root(roots, each.origin_id), each)
        return states[min(states)] if states else None

    def _fold(self, states: dict[int, State], root: int, each: Activity) -> None:
        kind = self._kinds[each.source_id]
        if each.type == MARKER:
            return
        if kind == "system" and (each.name not in FOLDED_SYSTEM_EVENTS or root not in states):
            return
        state = states.get(root) or begin(root, each.occurred_at)
        happening = Happening(
            *(each.event_id, each.position, each.source_id, kind, each.occurred_at),
            *(each.name, _decoded(each)),
        )
        states[root] = fold(state, happening, self._rules)

    def make_profile(self, state: State) -> Profile:
        """Return a state as the profile it was."""
        names, currency = names_of(state.traits), settings().currency
        orders = sum_orders(self._orders(currency), currency)
        user_ids = [one.value for one in self.identifiers if one.kind == "user_id"]
        return Profile(
            profile_id=state.profile_id,
            merged_into=None,
            user_id=user_ids[0] if user_ids else None,
            name=names.name,
            email=names.email,
            phone=names.phone,
            traits=state.traits,
            trait_origins={
                name: TraitOrigin(source_id=from_.source_id, at=from_.at, event_id=from_.event_id)
                for name, from_ in state.origins.items()
            },
            consents=state.consents,
            first_seen_at=state.first_seen_at,
            last_seen_at=state.last_seen_at,
            event_count=state.event_count,
            event_counts=state.event_counts,
            order_count=orders.order_count,
            revenue_minor=orders.revenue_minor,
            first_order_at=orders.first_order_at,
            last_order_at=orders.last_order_at,
            last_orders=list(orders.last_orders),
            version=state.version,
        )

    def list_placed(self) -> list[PlacedOrder]:
        """Return the orders that count, as they were known."""
        return [
            as_placed(order)
            for order in self._orders(settings().currency)
            if order.placed_at is not None and not order.is_cancelled
        ]

    def _orders(self, currency: str) -> list[Order]:
        orders: dict[str, Order] = {}
        for each in self.activities:
            is_order = each.name in ORDER_EVENTS and each.type == "track"
            if is_order and self._kinds[each.source_id] != "system":
                told = read_order(
                    each.name,
                    each.properties,
                    event_id=each.event_id,
                    at=each.occurred_at,
                    home_currency=currency,
                )
                held = orders.get(told.order_id)
                orders[told.order_id] = told if held is None else combine_orders(held, told)
        return list(orders.values())


def _read_joined(
    connection: Connection, profile_id: int
) -> tuple[list[int], list[tuple[int, int, int, int | None]]]:
    """Return all who ever were one with a profile, and the merges between them, oldest first."""
    ids: set[int] = set()
    fresh = {profile_id}
    merges: dict[int, tuple[int, int, int, int | None]] = {}
    while fresh:
        for each in fresh - ids:
            found = connection.execute(_SQL["find_component"], {"profile_id": each}).fetchall()
            ids.update(row[0] for row in found)
            ids.add(each)
        near = connection.execute(_SQL["list_merges_among"], [sorted(ids), sorted(ids)]).fetchall()
        merges |= {row[0]: tuple(row[1:]) for row in near}
        fresh = {each for _, winner, loser, _ in merges.values() for each in (winner, loser)} - ids
    return sorted(ids), [merges[key] for key in sorted(merges)]


def _closure(profile_id: int, joins: list[_Join]) -> set[int]:
    joined = {profile_id}
    grows = True
    while grows:
        near = {
            each
            for join in joins
            if {join.winner_id, join.loser_id} & joined
            for each in (join.winner_id, join.loser_id)
        }
        grows = not near <= joined
        joined |= near
    return joined


def _root(roots: dict[int, int], profile_id: int) -> int:
    while profile_id in roots:
        profile_id = roots[profile_id]
    return profile_id


def _decoded(each: Activity) -> DecodedEvent:
    """Return the event an activity was made of, as far as the fold looks at it."""
    return DecodedEvent(
        type=each.type,
        message_id="",
        user_id=None,
        anonymous_id=None,
        previous_id=None,
        group_id=None,
        name=each.name,
        traits=each.properties if each.type == "identify" else {},
        properties={} if each.type == "identify" else each.properties,
        context=each.context,
        timestamp=None,
        sent_at=None,
        profile_id=None,
        is_sanitized=False,
    )
