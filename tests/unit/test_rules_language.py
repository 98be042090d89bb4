"""The rule language by itself: what is refused and why, words, what is mentioned, the index."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from amity.kernel.errors import Invalid
from amity.rules import (
    Did,
    RuleIndex,
    Subject,
    Where,
    compile_rule,
    decode_rule,
    explain,
    list_operators,
    mentions,
)
from amity.rules.fragment import sql
from amity.rules.operator import operators, quote_days

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FRENCH = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}

SUM = {
    "node": "aggregate",
    "measure": "sum",
    "property": "total",
    "event": "Order Completed",
    "is": {"op": "gte", "value": 1000},
}
TEA = [{"property": "category", "is": {"op": "eq", "value": "Tea"}}]


def nest(levels):
    rule = FRENCH
    for _ in range(levels - 1):
        rule = {"node": "not", "of": rule}
    return rule


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (5, "Expected `object`"),
        ({"node": "sql"}, "at node: Invalid value 'sql'; the conditions are active_days, "),
        ({"node": "check", "field": "trait.a"}, "missing required field `is`"),
        ({**FRENCH, "is": {"op": "like"}}, "at is.op: Invalid value 'like'; the operators are"),
        ({**FRENCH, "field": "trait."}, "no field 'trait.'"),
        ({**FRENCH, "field": "profile.password"}, "no field 'profile.password'"),
        ({**FRENCH, "field": "profile.last_seen_at"}, "does not go with profile.last_seen_at"),
        ({**FRENCH, "is": {"op": "eq", "value": "\0"}}, "at is.value: a text with a NUL"),
        ({**FRENCH, "is": {"op": "eq", "value": "\ud800"}}, "a text with a NUL or half"),
        ({**FRENCH, "is": {"op": "eq", "value": None}}, "at is.value"),
        ({**FRENCH, "is": {"op": "gt", "value": True}}, "at is.value: Expected `int | float`"),
        ({**FRENCH, "is": {"op": "gt", "value": 2**63}}, "does not fit in 64 bits"),
        ({**FRENCH, "is": {"op": "gt", "value": float("inf")}}, "too large"),
        ({**FRENCH, "is": {"op": "gt", "value": float("nan")}}, "too large"),
        ({**FRENCH, "is": {"op": "before", "value": "soon"}}, "'soon' is not a date"),
        ({**FRENCH, "is": {"op": "between", "low": 2, "high": 1}}, "`low` is above `high`"),
        ({**FRENCH, "is": {"op": "within_last", "days": 0}}, "at is.days"),
        ({**FRENCH, "is": {"op": "in", "values": []}}, "at is.values"),
        ({**FRENCH, "more": 1}, "unknown field `more`"),
        ({"node": "did", "event": ""}, "at event"),
        ({"node": "did", "event": "A", "within_days": -1}, "at within_days"),
        ({"node": "did", "event": "A", "at_least": 3, "at_most": 2}, "above `at_most`"),
        ({"node": "did", "event": "A", "during": {"unit": "hour"}}, "at during.unit"),
        ({"node": "did", "event": "A", "during": {"unit": "day", "count": 2}}, "`last` periods"),
        (
            {"node": "did", "event": "A", "during": {"unit": "day", "zone": "Mars/Base"}},
            "at during: 'Mars/Base' is not a time zone such as Europe/Paris",
        ),
        (
            {"node": "did", "event": "A", "within_days": 1, "during": {"unit": "day"}},
            "`within_days` or `during`, not both",
        ),
        ({"node": "active_days", "event": "A", "zone": "../etc/passwd"}, "is not a time zone"),
        ({**SUM, "measure": "median"}, "at measure: Invalid enum value 'median'"),
        ({**SUM, "is": {"op": "exists"}}, "'is known' does not go with a number"),
        ({**SUM, "is": {"op": "starts_with", "value": "a"}}, "does not go with a number"),
        ({"node": "bought", "measure": "margin", "is": {"op": "is_true"}}, "does not go with"),
        ({"node": "last_event", "event": "A"}, "`when`, `has` or both"),
        ({"node": "last_event", "event": "A", "when": {"op": "gt", "value": 1}}, "with a moment"),
        ({"node": "sequence", "first": {"event": "A"}}, "missing required field `then`"),
        (
            {"node": "sequence", "first": {"event": "A"}, "then": {"event": "B", "days": 1}},
            "at then: Object contains unknown field `days`",
        ),
        ({"node": "not_since", "event": "A", "since": {"event": "B"}, "which": "next"}, "at which"),
        ({"node": "all", "of": [FRENCH, {"node": "any", "of": 1}]}, "at of[1].of"),
        (nest(22), "more than 20 levels deep; make segments of its parts"),
        (
            {"node": "all", "of": [FRENCH] * 500},
            "more than 500 conditions, counting each all, any and not; make",
        ),
    ],
)
def test_a_wrong_rule_is_refused_with_place_and_reason(rule, reason):
    with pytest.raises(Invalid) as caught:
        decode_rule(rule)
    assert reason in caught.value.message
    assert caught.value.reason == "invalid_rule"


def test_the_largest_rules_are_accepted_and_compile():
    for rule in (nest(20), {"node": "all", "of": [FRENCH] * 499}):
        matcher = compile_rule(decode_rule(rule))
        assert isinstance(matcher.matches(Subject(traits={"country": "FR"}), NOW), bool)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"node": "all", "of": []}, "everyone"),
        ({"node": "any", "of": []}, "no one"),
        ({"node": "did", "event": "A"}, "did “A”"),
        ({"node": "did", "event": "A", "at_most": 0}, "did not “A”"),
        ({"node": "did", "event": "A", "at_most": 1}, "did “A” at most once"),
        ({"node": "did", "event": "A", "at_least": 2, "at_most": 2}, "did “A” exactly 2 times"),
        ({"node": "did", "event": "A", "at_least": 2, "at_most": 3}, "did “A” 2 to 3 times"),
        (
            {
                "node": "did",
                "event": "A",
                "at_least": 2,
                "within_days": 0.25,
                "where": [{"property": "total", "is": {"op": "gt", "value": 1000}}],
            },
            "did “A” at least 2 times in the last 6 hours where total is more than 1,000",
        ),
        ({"node": "in_segment", "segment_id": 7}, "is in segment “VIP”"),
        ({"node": "in_segment", "segment_id": 8}, "is in segment “no. 8”"),
        (
            {"node": "all", "of": [FRENCH, {"node": "any", "of": [FRENCH, FRENCH]}]},
            "country is “FR” and (country is “FR” or country is “FR”)",
        ),
        ({"node": "did", "event": "A", "during": {"unit": "day"}}, "did “A” today"),
        (
            {
                "node": "did",
                "event": "A",
                "at_most": 0,
                "during": {"unit": "quarter", "which": "last", "count": 2, "zone": "Asia/Tokyo"},
            },
            "did not “A” in the last 2 whole quarters (Asia/Tokyo)",
        ),
        (
            {**SUM, "within_days": 30, "where": TEA},
            "the sum of total of “Order Completed” in the last 30 days is at least 1,000 "
            "where category is “Tea”",
        ),
        (
            {"node": "active_days", "event": "A", "at_least": 3, "during": {"unit": "week"}},
            "did “A” on at least 3 days in this week",
        ),
        (
            {"node": "bought", "measure": "spend", "is": {"op": "lt", "value": 5}, "lines": TEA},
            "the spend where category is “Tea” is less than 5",
        ),
        (
            {
                "node": "last_event",
                "event": "A",
                "when": {"op": "more_than_ago", "days": 60},
                "has": [{"property": "total", "is": {"op": "gt", "value": 50}}],
            },
            "the last “A” is 60 days ago or longer and total of the last “A” is more than 50",
        ),
        (
            {"node": "not_since", "event": "A", "since": {"event": "B"}},
            "has not done “A” since the last “B”",
        ),
        (
            {
                "node": "sequence",
                "first": {"event": "A", "where": TEA},
                "then": {"event": "B"},
                "apart_days": 7,
                "without": {"event": "C"},
                "during": {"unit": "month"},
            },
            "did “A” where category is “Tea” and then “B” within 7 days without “C” between "
            "in this month",
        ),
        ({"node": "consent", "purpose": "sms"}, "allows “sms” now"),
        ({"node": "said_yes", "purpose": "sms"}, "last said yes to “sms”"),
    ],
)
def test_words(rule, words):
    assert decode_rule(rule).describe({7: "VIP"}) == words


def test_days_in_words():
    assert [quote_days(days) for days in (1, 30, 0.5, 1 / 1440, 0.3)] == [
        "1 day",
        "30 days",
        "12 hours",
        "1 minute",
        "432 minutes",
    ]


def test_mentions():
    rule = decode_rule(
        {
            "node": "all",
            "of": [
                FRENCH,
                {"node": "not", "of": {"node": "did", "event": "A", "within_days": 3}},
                {"node": "check", "field": "profile.email", "is": {"op": "exists"}},
                {"node": "consent", "purpose": "sms"},
                {"node": "in_segment", "segment_id": 7},
            ],
        }
    )
    found = mentions(rule)
    assert (found.traits, found.events, found.fields) == ({"country"}, {"A"}, {"email"})
    assert (found.purposes, found.segments, found.is_timed) == ({"sms"}, {7}, True)
    assert not mentions(decode_rule(FRENCH)).is_timed


def test_truth_and_one_are_told_apart_in_the_same_index():
    index = RuleIndex()
    for key, value in (("truth", True), ("one", 1), ("text", "1")):
        index.add(key, Did(event="e", where=(Where("x", operators["eq"](value)),)))
    for value, key in ((True, "truth"), (1, "one"), (1.0, "one"), ("1", "text")):
        assert index.list_counting("e", {"x": value}) == [key]
    assert index.list_counting("e", {"x": None}) == []


def test_the_index_agrees_with_every_rule_while_rules_come_and_go():
    rng = random.Random(5)
    examples = [example for kind in operators for example in kind.examples() if not kind.is_timed]
    pool = [None, True, False, 0, 1, 5, 0.1, 10.5, 2**53 + 1, "", "a", "FR", "é%", ["a"], {}]
    index, held = RuleIndex(), {}
    for step in range(400):
        key = rng.randrange(60)
        if rng.random() < 0.3:
            index.remove(key)
            held.pop(key, None)
        else:
            where = tuple(
                Where(rng.choice("xyz"), rng.choice(examples)) for _ in range(rng.randrange(4))
            )
            held[key] = Did(event=rng.choice("AB"), where=where)
            index.add(key, held[key])
        properties = {name: rng.choice(pool) for name in "xyz" if rng.random() < 0.8}
        wanted = {
            key
            for key, rule in held.items()
            if rule.event == "A" and all(test.matches(properties, NOW) for test in rule.where)
        }
        assert set(index.list_counting("A", properties)) == wanted, (step, properties)
    assert len(index) == len(held)
    for key in list(held):
        index.remove(key)
    assert (len(index), index.list_counting("A", {})) == (0, [])


def test_explaining_says_which_part_fails():
    rule = decode_rule({"node": "not", "of": {"node": "all", "of": [FRENCH, FRENCH]}})
    why = explain(rule, Subject(), NOW, {})
    assert why.holds
    assert [part.holds for part in why.parts[0].parts] == [False, False]


def test_a_timer_comes_when_the_count_sinks_below():
    rule = decode_rule({"node": "did", "event": "A", "at_least": 2, "within_days": 10})
    days = [1, 5, 8]
    subject = Subject(history={"A": [(NOW - timedelta(days=day), {}) for day in days]})
    # Of the three the third latest may go; the second latest may not.
    assert compile_rule(rule).next_change(subject, NOW) == NOW + timedelta(days=5)
    assert compile_rule(rule).next_change(Subject(), NOW) is None


def test_builders_are_told_all_they_need():
    offered = {entry.op: entry for entry in list_operators()}
    assert list(offered) == sorted(operators.names())
    assert [parameter.kind for parameter in offered["between"].parameters] == ["number"] * 2
    assert offered["within_last"].accepts == ("instant", "text")
    assert all(entry.label and entry.example["op"] == op for op, entry in offered.items())


def test_sql_takes_as_many_parts_as_places():
    with pytest.raises(ValueError, match="2 parts"):
        sql("{}", 1, 2)
