"""Visits and interests do not depend on the order in which events come, nor on the batches."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from amity.store.contracts_visits import Campaign
from amity.store.logic.visits.cutting import Cutting, Hit, Span, cut, find_spans, join_spans
from amity.store.logic.visits.interests import (
    add_up,
    fade,
    keep_top,
    next_step_at,
    points_of,
    read_topics,
)

AT = datetime(2026, 3, 28, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CAMPAIGNS = [None, None, None, Campaign(source="news", medium="email"), Campaign(click_id="gclid")]
PARIS = ZoneInfo("Europe/Paris")
HALF_LIFE = timedelta(days=14)


@st.composite
def histories(draw):
    minutes = draw(st.lists(st.integers(0, 600), min_size=1, max_size=25))
    return [
        Hit(
            at=AT + minute * MINUTE,
            event_id=number,
            is_active=draw(st.integers(0, 5)) > 0,
            is_view=draw(st.booleans()),
            url=f"https://shop.example/{draw(st.integers(0, 3))}",
            campaign=draw(st.sampled_from(CAMPAIGNS)),
            order_id=draw(st.sampled_from(["", "", "o1", "o2"])),
            topics={draw(st.sampled_from("ab")): float(draw(st.integers(1, 5)))},
        )
        for number, minute in enumerate(minutes)
    ]


CUTTINGS = [Cutting(), Cutting(midnight_in=PARIS), Cutting(idle=timedelta(minutes=7))]


def plainly(hits, cutting):
    """Cut as one would by hand: event by event, each beside the one before it."""
    groups, last, campaign = [], None, None
    for hit in sorted(hits, key=lambda hit: (hit.at, hit.event_id)):
        if not hit.is_active:
            near = last is not None and hit.at - last < cutting.idle
            groups[-1].append(hit) if near else groups.append([hit])
            if not near:
                last = None
            continue
        is_new = last is None or hit.at - last >= cutting.idle
        is_new = is_new or (hit.campaign is not None and hit.campaign != campaign)
        if cutting.midnight_in and not is_new:
            zone = cutting.midnight_in
            days = {at.astimezone(zone).date() for at in (groups[-1][-1].at, hit.at)}
            is_new = len(days) > 1
        if is_new:
            groups.append([])
            campaign = None
        groups[-1].append(hit)
        last, campaign = hit.at, hit.campaign or campaign
    return [[hit.event_id for hit in group] for group in groups]


@given(histories(), st.sampled_from(CUTTINGS), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_cutting_is_what_one_would_do_by_hand(hits, cutting, rng):
    shuffled = rng.sample(hits, len(hits))
    visits = cut(shuffled, cutting)
    groups = plainly(hits, cutting)
    assert [visit.visit_id for visit in visits] == [group[0] for group in groups]
    assert [visit.event_count for visit in visits] == [len(group) for group in groups]
    assert sum(visit.page_views for visit in visits) == sum(hit.is_view for hit in hits)


@given(histories(), st.sampled_from(CUTTINGS), st.randoms(use_true_random=False), st.data())
@settings(max_examples=150, deadline=None)
def test_late_events_repair_visits(hits, cutting, rng, data):
    """Play what the follower does: recut what each batch touches, and only that."""
    kept, seen = {}, []
    left = rng.sample(hits, len(hits))
    while left:
        size = data.draw(st.integers(1, 6))
        batch, left = left[:size], left[size:]
        seen += batch
        spans = find_spans({1: [hit.at for hit in batch]}, cutting.idle)
        for span in join_spans(_widened(span, kept.values(), cutting.idle) for span in spans):
            inside = [hit for hit in seen if span.begins_at <= hit.at <= span.ends_at]
            for visit in list(kept.values()):
                if span.begins_at <= visit.started_at <= span.ends_at:
                    del kept[visit.visit_id]
            kept |= {visit.visit_id: visit for visit in cut(inside, cutting)}
    assert sorted(kept.values(), key=lambda v: (v.started_at, v.visit_id)) == cut(hits, cutting)


def _widened(span, visits, idle):
    near = [
        visit
        for visit in visits
        if visit.run_ended_at > span.begins_at - idle and visit.run_started_at < span.ends_at + idle
    ]
    return Span(
        span.origin_id,
        min([span.begins_at, *(visit.run_started_at for visit in near)]),
        max([span.ends_at, *(visit.run_ended_at for visit in near)]),
    )


WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 500), max_size=6)
MOMENTS = st.integers(0, 200_000).map(lambda minutes: AT + minutes * MINUTE)
VECTORS = st.lists(st.tuples(MOMENTS, WEIGHTS), max_size=8)


@given(VECTORS, MOMENTS, MOMENTS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_interests_add_up_whatever_the_order_and_the_moment(vectors, one, other, rng):
    direct = add_up(vectors, other, HALF_LIFE)
    assert add_up(rng.sample(vectors, len(vectors)), other, HALF_LIFE) == direct
    through = fade(add_up(vectors, one, HALF_LIFE), one, other, HALF_LIFE)
    assert through.keys() == direct.keys()
    assert all(math.isclose(through[topic], direct[topic], rel_tol=1e-9) for topic in direct)


@given(WEIGHTS)
@settings(max_examples=100, deadline=None)
def test_points_hold_until_the_next_step(weights):
    moment = next_step_at(weights, AT, HALF_LIFE)
    if moment is None:
        assert points_of(weights) == {}
        return
    assert moment > AT
    faded = fade(weights, AT, moment, HALF_LIFE)
    assert points_of(faded) != points_of(weights)
    before = fade(weights, AT, AT + (moment - AT) * 0.4, HALF_LIFE)
    if moment - AT > HALF_LIFE / 14:
        assert points_of(before).keys() == points_of(weights).keys()


@given(st.dictionaries(st.sampled_from(["category", "brand", "tags", "x"]), st.text(max_size=30)))
def test_topics_are_clean(properties):
    for topic, share in read_topics(properties).items():
        assert topic == topic.strip() == topic.casefold() or topic
        assert 0 < share <= 1
        assert "@" not in topic
    assert len(keep_top(dict.fromkeys("abcdefg", 1.0), 3)) == 3


def test_a_half_life_halves():
    assert fade({"a": 8.0}, AT, AT + HALF_LIFE, HALF_LIFE) == {"a": 4.0}
    path = read_topics({"category": "Women > Shoes > Running", "brand": "Swift", "tags": ["1234"]})
    assert path == {"women": 0.5, "shoes": 0.5, "running": 1.0, "swift": 1.0}
