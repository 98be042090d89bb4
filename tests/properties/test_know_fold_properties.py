"""The fold in any order gives the same profile; a merge undone is a merge never made."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.store.logic.consent.statements import combine_consents
from amity.store.logic.folding.fold import (
    Happening,
    begin,
    combine,
    fold,
    name_of,
    properties_of,
    time_of,
)
from amity.store.logic.folding.orders import (
    ORDER_EVENTS,
    OrderTotals,
    add_orders,
    combine_orders,
    read_order,
    sum_orders,
)
from amity.store.logic.intake.decoding import decode_event

T0 = datetime(2026, 1, 1, tzinfo=UTC)
instants = st.integers(0, 40).map(lambda hours: T0 + timedelta(hours=hours))
traits = st.dictionaries(
    st.sampled_from(["plan", "city", "email", "age"]),
    st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["a", "b", "x@y.z"]), st.booleans()),
    max_size=3,
)
order_properties = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["o1", "o2", 3, None]),
        "total": st.sampled_from([None, 10, "12.5", -4, "nonsense"]),
        "currency": st.sampled_from([None, "USD", "eur"]),
    }
)
preferences = st.dictionaries(st.sampled_from(["marketing.email", "ads"]), st.booleans())


@st.composite
def wires(draw):
    kind = draw(st.sampled_from(["identify", "track", "order", "consent", "page"]))
    wire = {"userId": "u", "timestamp": draw(instants).isoformat()}
    if kind == "identify":
        return wire | {"type": "identify", "traits": draw(traits)}
    if kind == "page":
        return wire | {"type": "page", "name": "Home"}
    if kind == "order":
        name = draw(st.sampled_from(sorted(ORDER_EVENTS)))
        return wire | {"type": "track", "event": name, "properties": draw(order_properties)}
    if kind == "consent":
        name = draw(st.sampled_from(["Unsubscribed", "Segment Consent Preference Updated"]))
        properties = {"categoryPreferences": draw(preferences)}
        return wire | {"type": "track", "event": name, "properties": properties}
    return wire | {"type": "track", "event": draw(st.sampled_from(["A", "B"]))}


@st.composite
def happenings(draw):
    made = []
    for number, wire in enumerate(draw(st.lists(wires(), min_size=1, max_size=8)), start=1):
        event = decode_event(wire["type"], msgspec.json.encode(wire))
        kind = draw(st.sampled_from(["server", "browser", "system"]))
        at = time_of(event, T0 + timedelta(days=9))
        made.append(Happening(number, number, 7, kind, at, name_of(event), event))
    return made


def fold_all(events):
    state = begin(1, events[0].occurred_at)
    for event in events:
        state = fold(state, event)
    return state


def orders_of(events):
    return [
        read_order(
            event.name,
            properties_of(event.event),
            event_id=event.event_id,
            at=event.occurred_at,
            home_currency="USD",
        )
        for event in events
        if event.name in ORDER_EVENTS
    ]


def join_orders(told):
    orders = {}
    for order in told:
        held = orders.get(order.order_id)
        orders[order.order_id] = order if held is None else combine_orders(held, order)
    return orders


def is_same(one, other):
    """Equal but for where the first event stood: a profile begins with a customer's own event."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


@given(happenings(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_late_and_reordered_events_give_the_same_profile(events, rng):
    first = events[0]
    if first.source_kind == "system":
        events[0] = msgspec.structs.replace(first, source_kind="server")
    shuffled = [event for event in events if event.source_kind != "system"]
    rng.shuffle(shuffled)
    rest = [event for event in events if event.source_kind == "system"]
    assert is_same(fold_all(events), fold_all(shuffled + rest))


@given(happenings(), st.integers(0, 8), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_two_halves_combined_are_the_whole(events, cut, rng):
    events = [msgspec.structs.replace(event, source_kind="server") for event in events]
    whole = fold_all(events)
    rng.shuffle(events)
    one, other = events[: cut % len(events)], events[cut % len(events) :]
    if not one or not other:
        return
    joined = combine(fold_all(one), fold_all(other))
    assert is_same(joined, combine(fold_all(other), fold_all(one)))
    # Consents alone are not what one person's would be: a no of either half holds.
    assert is_same(
        msgspec.structs.replace(whole, consents={}), msgspec.structs.replace(joined, consents={})
    )
    assert whole.consents.keys() == joined.consents.keys()


@given(happenings(), st.integers(0, 8), st.integers(0, 8))
@settings(max_examples=150, deadline=None)
def test_consents_of_several_are_the_strictest_in_any_order(events, first, second):
    events = [msgspec.structs.replace(event, source_kind="server") for event in events]
    start, end = sorted((first % (len(events) + 1), second % (len(events) + 1)))
    pieces = [events[:start], events[start:end], events[end:]]
    a, b, c = (fold_all(piece).consents if piece else {} for piece in pieces)
    joined = combine_consents(combine_consents(a, b), c)
    for one, two, three in itertools.permutations((a, b, c)):
        assert combine_consents(one, combine_consents(two, three)) == joined
    for purpose, consent in joined.items():
        said = [each[purpose] for each in (a, b, c) if purpose in each]
        assert (consent.status == "granted") is all(one.status == "granted" for one in said)
        assert consent.at == max(one.at for one in said)


@given(happenings(), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_orders_do_not_depend_on_the_order_they_are_told_in(events, rng):
    told = orders_of(events)
    shuffled = list(told)
    rng.shuffle(shuffled)
    one, other = join_orders(told), join_orders(shuffled)
    assert one == other
    totals = sum_orders(list(one.values()), "USD")
    assert totals == sum_orders(list(reversed(list(other.values()))), "USD")
    piecewise = OrderTotals()
    for order in other.values():
        piecewise = add_orders(piecewise, [order], "USD")
    assert piecewise == totals
    placed = [order for order in one.values() if order.placed_at and not order.is_cancelled]
    assert totals.order_count == len(placed)
    assert 0 <= totals.revenue_minor <= sum(order.total_minor for order in placed)
