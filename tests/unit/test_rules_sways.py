"""Which way events move answers, and what a few of them decide, for rules of rules."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from amity.rules import RuleIndex, Subject, compile_rule, decode_rule, encode_rule, walk

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEAR = [{"property": "total", "is": {"op": "gte", "value": 50}}]
SOON = [{"property": "ends_at", "is": {"op": "within_next", "days": 3}}]


def _did(event, **more):
    return {"node": "did", "event": event, **more}


def _sways(rule, event, **properties):
    index = RuleIndex()
    index.add(1, decode_rule(rule))
    return sorted(way for _, way in index.list_swayed(event, properties))


@pytest.mark.parametrize(
    ("rule", "ways"),
    [
        (_did("a"), [1]),
        (_did("a", at_most=0, within_days=3), [-1]),
        (_did("a", at_least=1, at_most=2), [0]),
        ({"node": "not", "of": _did("a")}, [-1]),
        ({"node": "not", "of": {"node": "not", "of": _did("a", at_least=2)}}, [1]),
        ({"node": "any", "of": [_did("a"), _did("a", at_most=5)]}, [-1, 1]),
        ({"node": "active_days", "event": "a", "at_least": 3}, [1]),
        ({"node": "last_event", "event": "a", "when": {"op": "within_last", "days": 3}}, [0]),
        ({"node": "not", "of": {"node": "last_event", "event": "a", "has": DEAR}}, [0]),
    ],
)
def test_an_event_moves_an_answer_one_way_or_either(rule, ways):
    assert _sways(rule, "a", total=60) == ways
    assert _sways(rule, "b") == []


def test_only_what_an_event_must_be_like_counts():
    rule = {"node": "all", "of": [_did("a", where=DEAR), _did("b", at_most=0)]}
    assert _sways(rule, "a", total=50) == [1]
    assert _sways(rule, "a", total=49) == []
    assert _sways(rule, "b", total=50) == [-1]


def _foresee(rule, **history):
    known = {
        name: [(NOW - timedelta(days=each), {}) for each in days] for name, days in history.items()
    }
    return compile_rule(decode_rule(rule)).foresee(Subject(history=known), NOW)


def test_what_cannot_be_otherwise_is_foreseen():
    assert _foresee(_did("a"), a=[1]) is True
    assert _foresee(_did("a")) is None
    assert _foresee(_did("a", within_days=2), a=[3]) is None
    assert _foresee(_did("a", at_least=2), a=[1]) is None
    assert _foresee(_did("a", at_least=1, at_most=2), a=[1]) is None
    both = {"node": "all", "of": [_did("a"), _did("b", at_most=0)]}
    assert _foresee(both, a=[1]) is None, "there may be a b"
    assert _foresee(both, b=[1]) is False
    either = {
        "node": "any",
        "of": [_did("a"), {"node": "check", "field": "trait.x", "is": {"op": "exists"}}],
    }
    assert _foresee(either, a=[1]) is True
    assert _foresee({"node": "not", "of": either}, a=[1]) is False
    assert _foresee(either) is None
    assert _foresee({"node": "all", "of": []}) is True
    assert _foresee({"node": "any", "of": []}) is False


def _make_rule(rng, depth):
    kind = rng.choice(["did", "did", "days", "last", "not", "all", "any"][: 7 if depth else 4])
    event = rng.choice("ab")
    window = rng.choice([{}, {"within_days": rng.choice([1, 3])}, {"during": {"unit": "day"}}])
    bounds = rng.choice(
        [
            {"at_least": rng.randint(1, 3)},
            {"at_most": rng.randint(0, 2)},
            {"at_least": 1, "at_most": rng.randint(1, 3)},
        ]
    )
    if kind == "did":
        return _did(event, where=rng.choice([[], DEAR, SOON]), **bounds, **window)
    if kind == "days":
        return {"node": "active_days", "event": event, **bounds, **window}
    if kind == "last":
        return {"node": "last_event", "event": event, "has": DEAR}
    if kind == "not":
        return {"node": "not", "of": _make_rule(rng, depth - 1)}
    return {"node": kind, "of": [_make_rule(rng, depth - 1) for _ in range(rng.randint(0, 3))]}


def _make_event(rng):
    at = NOW + timedelta(days=rng.choice([-5, -3, -2, -1, -0.5, 0, 0.5, 1]))
    return rng.choice("ab"), (
        at,
        {
            "total": rng.choice([10, 60]),
            "ends_at": rng.choice(["2026-03-02T12:00:00Z", "2026-03-09T12:00:00Z", 5]),
        },
    )


def _subject(events):
    history = {}
    for name, happened in events:
        history.setdefault(name, []).append(happened)
    return Subject(history=history)


@pytest.mark.parametrize("seed", range(8))
def test_rules_of_rules_keep_their_word(seed):
    rng = random.Random(seed)
    decided = moved = 0
    for _ in range(120):
        rule = decode_rule(_make_rule(rng, 3))
        assert decode_rule(encode_rule(rule)) == rule
        events = [_make_event(rng) for _ in range(rng.randint(0, 5))]
        one = _make_event(rng)
        index = RuleIndex()
        index.add(1, rule)
        ways = {way for _, way in index.list_swayed(one[0], one[1][1])}
        before, after = _subject(events), _subject([*events, one])
        times = [NOW + timedelta(days=days) for days in (0, 0.25, 0.75, 1.5, 2.5, 4, 30)]
        for now in times:
            was, is_ = rule.matches(before, now), rule.matches(after, now)
            assert was is is_ or ways != {-1 if is_ else 1}, (rule, one, ways)
            moved += was is not is_
        known = _subject(rng.sample([*events, one], rng.randint(0, len(events) + 1)))
        holds = rule.foresee(known, NOW)
        if holds is not None:
            later = rule.next_change(known, NOW)
            for now in times:
                is_over = later is not None and now >= later
                assert is_over or rule.matches(after, now) is holds, rule
            decided += 1
    assert decided > 5, decided
    assert moved > 20, moved


def test_every_condition_that_counts_says_so_to_the_index():
    rule = decode_rule(
        {
            "node": "not",
            "of": {"node": "all", "of": [_did("a"), {"node": "any", "of": [_did("b")]}]},
        }
    )
    counted = {event for part in walk(rule) for event, _ in part.counts()}
    assert {event for event, _, _ in rule.sways()} == counted == {"a", "b"}
