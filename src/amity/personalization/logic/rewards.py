"""What came of what was shown (pure): from events to outcomes, from outcomes to posteriors.

Everything is a function of the set of events, not of their order: a direct outcome (seen,
clicked) is the earliest event that tells it; an order and an unsubscription belong to the last
thing that touched the customer before them; a posterior counts outcomes. So events may come
twice, late and in any order, and the result is the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.personalization.contracts import Goal, OutcomeKind, PlacementKind
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity

LATEST: Final = timedelta(days=30)
"""After this, what comes of a decision is ignored."""
WINDOW: Final = timedelta(days=7)
"""How long after a touch an order or an unsubscription belongs to it."""
HORIZON: Final = timedelta(days=120)
"""What happened longer ago is not looked at again: an order refunded later still counts."""
EMAIL_CHANNEL: Final = "email"
_MOST_VALUE: Final = 10**15  # beyond this an amount is a mistake, as for orders themselves

Pair = tuple[UUID, str]
"""A decision and one thing it chose."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one event says of one decision; ``items`` None means all that it chose."""

    decision_id: UUID | None
    """None when what was sent is no id."""
    items: tuple[str, ...] | None
    kind: OutcomeKind
    at: datetime
    profile_id: int
    event: str


class Told(msgspec.Struct, frozen=True, order=True, array_like=True):
    """When an outcome happened, to whom, and what it was worth."""

    at: datetime
    profile_id: int
    value_minor: int = 0


Measure = tuple[str, int]
"""A metric of the catalogue and its version."""
Outcomes = dict[Pair, dict[OutcomeKind, Told]]


class Made(msgspec.Struct, frozen=True, array_like=True):
    """A decision as far as rewards look at it."""

    decision_id: UUID
    decided_at: datetime
    profile_id: int | None
    placement_id: int
    placement_kind: PlacementKind
    goal: Goal
    channel: str
    goal_metric: str
    goal_version: int
    items: list[str]

    @property
    def measure(self) -> Measure | None:
        """The version of a metric that rewards it, where that is the goal."""
        return (self.goal_metric, self.goal_version) if self.goal == "metric" else None


class Touch(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Something shown that reached somebody; the greatest is the last."""

    at: datetime
    decision_id: UUID
    item: str


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def _one_item(name: str) -> Callable[[Mapping[str, Any]], tuple[str, ...] | None]:
    def read(properties: Mapping[str, Any]) -> tuple[str, ...] | None:
        item = _text(properties.get(name))
        return None if item is None else (item,)

    return read


def _listed(properties: Mapping[str, Any]) -> tuple[str, ...] | None:
    products = properties.get("products")
    if not isinstance(products, list):
        return None
    found = (_text(line.get("product_id")) for line in products if isinstance(line, dict))
    return tuple(dict.fromkeys(item for item in found if item is not None))


def _all_items(_properties: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None


class _Reading(msgspec.Struct, frozen=True):
    kind: OutcomeKind
    items: Callable[[Mapping[str, Any]], tuple[str, ...] | None]
    is_own: bool = False


_READINGS: Final[Mapping[str, _Reading]] = {
    "Promotion Viewed": _Reading("impression", _one_item("promotion_id")),
    "Promotion Clicked": _Reading("click", _one_item("promotion_id")),
    "Product List Viewed": _Reading("impression", _listed),
    "Product Clicked": _Reading("click", _one_item("product_id")),
    "Email Sent": _Reading("impression", _all_items, is_own=True),
    "Email Link Clicked": _Reading("click", _one_item("promotion_id"), is_own=True),
}
CLAIMING: Final = frozenset(_READINGS)


def read_claims(activity: Activity) -> list[Claim]:
    """Return what an activity says of decisions; nothing when it names none.

    What Amity records itself (messages) counts only from Amity; what a machine clicked does not.
    """
    reading = _READINGS.get(activity.name)
    properties = activity.properties
    if reading is None or (reading.is_own and activity.source_id != SYSTEM_SOURCE_ID):
        return []
    if properties.get("is_machine") is True:
        return []
    several = properties.get("decision_ids")
    named = [properties.get("decision_id"), *(several if isinstance(several, list) else ())]
    return [
        Claim(
            decision_id=_read_id(name),
            items=reading.items(properties),
            kind=reading.kind,
            at=activity.occurred_at,
            profile_id=activity.profile_id,
            event=activity.name,
        )
        for name in dict.fromkeys(str(name) for name in named if name not in (None, ""))
    ]


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def judge(claim: Claim, made: Made | None, roots: Mapping[int, int]) -> tuple[list[str], str]:
    """Return the items a claim tells of, and why it does not count if so.

    ``roots`` say who lives on as whom. A decision for somebody unknown may be claimed by whoever
    turns out to have been there.
    """
    if made is None:
        return [], "reward_unknown"
    if made.profile_id is not None:
        owner = roots.get(made.profile_id, made.profile_id)
        if owner != roots.get(claim.profile_id, claim.profile_id):
            return [], "reward_other_person"
    if claim.at > made.decided_at + LATEST:
        return [], "reward_late"
    items = [item for item in made.items if claim.items is None or item in claim.items]
    return items, "" if items else "reward_not_shown"


def tell(outcomes: Outcomes, claim: Claim, made: Made, items: Iterable[str]) -> None:
    """Add what a claim tells; of several that tell the same the earliest stands."""
    told = Told(claim.at, claim.profile_id)
    for item in items:
        kinds = outcomes.setdefault((made.decision_id, item), {})
        kinds[claim.kind] = min(told, kinds.get(claim.kind, told))


class Happenings(msgspec.Struct, frozen=True):
    """What one person did that belongs to what touched them before."""

    orders: Sequence[tuple[datetime, int]] = ()
    """When, and worth how much."""
    unsubscribes: Sequence[datetime] = ()
    measured: Mapping[Measure, Sequence[tuple[datetime, int]]] = {}
    """By metric, when it was moved and by how much."""


class Touches(msgspec.Struct, frozen=True):
    """What was shown that may have brought what a person did, each list by time."""

    buying: list[Touch]
    leaving: list[Touch]
    measured: Mapping[Measure, list[Touch]] = {}

    @property
    def first_at(self) -> datetime | None:
        """When the first of all was."""
        every = (self.buying, self.leaving, *self.measured.values())
        return min((touches[0].at for touches in every if touches), default=None)


def list_touches(outcomes: Outcomes, made: Mapping[UUID, Made], members: frozenset[int]) -> Touches:
    """Return what may have brought these members' orders, unsubscriptions and what metrics count.

    Orders follow a click, or an impression where orders are the goal; unsubscriptions follow a
    message; what a metric counts follows what was shown where it is the goal.
    """
    measured: dict[Measure, list[Touch]] = {}
    buying: list[Touch] = []
    leaving: list[Touch] = []
    for (decision_id, item), kinds in outcomes.items():
        decision = made.get(decision_id)
        if decision is None:
            continue
        click, seen = kinds.get("click"), kinds.get("impression")
        if click is not None and click.profile_id in members:
            buying.append(Touch(click.at, decision_id, item))
            if decision.measure is not None:
                touch = Touch(click.at, decision_id, item)
                measured.setdefault(decision.measure, []).append(touch)
        if seen is not None and seen.profile_id in members:
            if decision.goal == "order":
                buying.append(Touch(seen.at, decision_id, item))
            if decision.measure is not None:
                touch = Touch(seen.at, decision_id, item)
                measured.setdefault(decision.measure, []).append(touch)
            if decision.channel == EMAIL_CHANNEL:
                leaving.append(Touch(seen.at, decision_id, item))
    return Touches(
        sorted(buying),
        sorted(leaving),
        {measure: sorted(touches) for measure, touches in measured.items()},
    )


def derive(person: int, happenings: Happenings, touches: Touches) -> Outcomes:
    """Return the outcomes that follow from what a person did, given what touched them."""
    derived: Outcomes = {}
    _add_up(derived, "order", person, happenings.orders, touches.buying)
    for measure, moves in happenings.measured.items():
        _add_up(derived, "metric", person, moves, touches.measured.get(measure, ()))
    for at in happenings.unsubscribes:
        touch = _last_before(touches.leaving, at)
        if touch is None:
            continue
        for other in touches.leaving:
            if other.decision_id == touch.decision_id:
                kinds = derived.setdefault((other.decision_id, other.item), {})
                kinds["unsubscribe"] = min(
                    Told(at, person), kinds.get("unsubscribe", Told(at, person))
                )
    return derived


def _add_up(
    derived: Outcomes,
    kind: OutcomeKind,
    person: int,
    moves: Iterable[tuple[datetime, int]],
    touches: Sequence[Touch],
) -> None:
    """Add what was done to what touched the person last before: since when, and how much."""
    for at, value in moves:
        touch = _last_before(touches, at)
        if touch is not None:
            kinds = derived.setdefault((touch.decision_id, touch.item), {})
            held = kinds.get(kind, Told(at, person))
            worth = min(held.value_minor + value, _MOST_VALUE)
            kinds[kind] = Told(min(at, held.at), person, worth)


def _last_before(touches: Sequence[Touch], at: datetime) -> Touch | None:
    found = [touch for touch in touches if at - WINDOW <= touch.at <= at]
    return max(found, default=None)


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """What the outcomes of one thing shown add to its arm."""

    successes: int = 0
    failures: int = 0
    shown: int = 0
    clicks: int = 0
    orders: int = 0
    revenue_minor: int = 0
    unsubscribes: int = 0


_NOTHING: Final = Tally()


def tally(kinds: Mapping[OutcomeKind, Told], goal: Goal) -> Tally:
    """Count the outcomes of one thing shown.

    It was shown once, whichever of its outcomes are known: a click whose impression was lost
    still had one. An unsubscription takes a success back.
    """
    if not kinds:
        return _NOTHING
    is_success = goal in kinds and "unsubscribe" not in kinds
    order = kinds.get("order")
    return Tally(
        successes=int(is_success),
        failures=int(not is_success),
        shown=1,
        clicks=int("click" in kinds),
        orders=int(order is not None),
        revenue_minor=order.value_minor if order is not None else 0,
        unsubscribes=int("unsubscribe" in kinds),
    )
