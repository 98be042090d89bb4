"""Rows of 80/20 and of the loyalty matrix, and the scores of the night their rules go by."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.loyalty import Loyalty
from amity.analysis.reports.pareto import Pareto
from amity.analysis.store_estimate import load_store_estimates
from amity.kernel.errors import AmityError
from amity.rules import decode_rule
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, find
from amity.testing.reports_town import NOW, Town, expressions
from amity.testing.store_estimates_kit import make_known, run_on_town

TOMORROW = NOW.date() + timedelta(days=1)
COSTS = {
    "unit_costs": [
        {"unit": unit, "amount_minor": amount, "currency": "EUR"}
        for unit, amount in (("order", 120), ("email", 90), ("call", 2_500))
    ]
}


def asked_of(kind, facts, **more):
    """Return the usual question of a report: its days up to today, in the home currency."""
    asked = msgspec.structs.replace(
        ASKED,
        from_on=TOMORROW - timedelta(days=kind.days),
        until_on=TOMORROW,
        home_currency="EUR",
    )
    return complete(kind, msgspec.structs.replace(asked, **more), facts)


def crowd():
    """Sixty people who buy, answer, open mail and call as it is drawn; two are one person."""
    town, rng = Town(), np.random.default_rng(21)
    for who in range(1, 61):
        town.customer(who, root_id=3 if who == 40 else None)
        for _ in range(int(rng.integers(0, 6))):
            at = NOW - timedelta(days=int(rng.integers(1, 300)))
            line = {"product_id": "p", "price": 20.0, "cost": float(rng.integers(5, 19))}
            back = int(rng.choice([0, 0, 0, 2_000]))
            town.order(who, at, 2_000, products=(line,), refunded_minor=back)
        for number in range(int(rng.integers(0, 7))):
            town.send(who, NOW - timedelta(days=10 + number))
            town.event(who, "Email Opened", NOW - timedelta(days=10 + number))
        if rng.random() < 0.3:
            answer = {"kind": "nps", "answer": int(rng.integers(0, 11))}
            town.event(who, "Survey Answered", NOW - timedelta(days=20), answer)
        if rng.random() < 0.2:
            town.event(who, "Call Started", NOW - timedelta(days=30))
    # At the very first moment of the window and the last before it.
    town.order(7, asked_of(Loyalty, {}).from_at, 500)
    town.order(8, asked_of(Loyalty, {}).from_at - timedelta(microseconds=1), 500)
    return town


def scores_in(town, name, facts):
    return found_in(town, name, facts).scores


def scores_report(town, name, facts):
    return found_in(town, name, facts).report


def found_in(town, name, facts):
    kind = load_store_estimates()[name]
    known = make_known(kind)
    asked = msgspec.structs.replace(known.asked, facts=facts)
    return run_on_town(kind, town, msgspec.structs.replace(known, asked=asked))


def followers(scores, rule):
    """Return whose score passes a rule, by the operator itself."""
    [rule] = rule.get("of", [rule])
    scored = scores[rule["score"]]
    condition = decode_rule(rule)
    actual = scored.column.labels if rule.get("by") == "label" else scored.column.value.tolist()
    return [
        who
        for who, value in zip(scored.customer_id.tolist(), actual, strict=True)
        if condition.is_.matches(value, NOW)
    ]


@pytest.mark.parametrize(("kind", "facts"), [(Pareto, COSTS), (Loyalty, {})])
def test_whom_a_rows_rule_follows_is_who_is_behind_the_row(kind, facts):
    town = crowd()
    asked, run = asked_of(kind, facts), duckdb_engine(town.tables())
    answer = find(kind, town, asked=asked, facts=facts)
    scores = scores_in(town, kind.name, facts)
    followed = 0
    for name in {"pareto": ("zones", "deciles"), "loyalty": ("cells",)}[kind.name]:
        table = answer.table(name)
        for number in range(len(table.rows)):
            row = table.row(number)
            rule = kind().segment_rule(asked, name, row)
            ids = drill(kind(), expressions(), asked, run, table=name, row=row)
            assert followers(scores, rule.rule) == ids, (name, row)
            assert rule.score in scores
            followed += len(ids)
    assert followed >= 59


@pytest.mark.parametrize(
    ("kind", "table", "more", "words"),
    [
        (Pareto, "zones", {"segment_id": 7}, "those of a segment"),
        (Pareto, "zones", {"from_on": TOMORROW - timedelta(days=30)}, "365 days up to today"),
        (Pareto, "deciles", {"until_on": NOW.date()}, "365 days up to today"),
        (Pareto, "deciles", {"currency": "USD"}, "is in EUR"),
        (Loyalty, "cells", {"choices": {"often": 5}}, "cuts at 3 orders"),
        (Loyalty, "cells", {"from_on": TOMORROW - timedelta(days=90)}, "180 days up to today"),
        (Loyalty, "moves", {}, "not a move"),
        (Loyalty, "steps", {}, "not a move"),
    ],
)
def test_what_the_score_does_not_say_is_a_list_and_says_why(kind, table, more, words):
    asked = asked_of(kind, {}, **more)
    row = {"zone": "Retain", "decile": 1, "now": "True loyalty"}
    assert kind().segment_rule(asked, table, row) is None
    assert words in kind().list_reason(asked, table, row)


def test_a_cell_among_the_members_of_a_segment_is_the_cell_and_the_segment():
    asked = asked_of(Loyalty, {}, segment_id=7)
    rule = Loyalty().segment_rule(asked, "cells", {"now": "Latent loyalty"})
    assert [node["node"] for node in rule.rule["of"]] == ["score", "in_segment"]


def test_scores_say_what_they_are_made_of_and_refuse_what_cannot_be_said():
    town = Town()
    for who in range(1, 13):
        town.customer(who)
        line = {"price": 10.0, "cost": 4.0}
        town.order(who, NOW - timedelta(days=who), 1_000 * who, products=(line,))
    town.send(1, NOW - timedelta(days=3))
    found = scores_in(town, "pareto", COSTS)
    zone, tenth = found["pareto_zone"], found["pareto_tenth"]
    warned = scores_report(town, "pareto", COSTS)["warnings"]
    assert any(one.startswith("No cost is entered for one item") for one in warned)
    assert not any(one.endswith(".") for one in warned), "the page ends each by itself"
    # 12,000 less 400 of goods and 120 of an order is the best; 1,000 less 400, 120 and 90 the last.
    assert zone.column.value[[11, 0]].tolist() == [114.8, 3.9]
    assert zone.column.labels[11].startswith("Retain: place 1 of 12 by contribution, 114.80 EUR")
    assert "goods 4.00 EUR, service 2.10 EUR" in zone.column.labels[0]
    assert tenth.column.value.tolist() == sorted(tenth.column.value.tolist(), reverse=True)
    assert (tenth.column.value[11], tenth.column.value[0]) == (1, 10)
    with pytest.raises(AmityError, match="12 customers nobody answered"):
        scores_in(town, "loyalty", {})
    town.event(2, "Signed In", NOW - timedelta(days=1))
    cells = scores_in(town, "loyalty", {})["loyalty_cell"]
    assert cells.column.labels[1] == "No loyalty: 1 order in 180 days, 1 sign of interest"
    untold = Town()
    for who in range(1, 11):
        untold.customer(who)
        untold.order(who, NOW - timedelta(days=who), 1_000)
    label = scores_in(untold, "pareto", {})["pareto_zone"].column.labels[0]
    assert "goods not known" in label
    few = Town()
    few.customer(1)
    few.order(1, NOW - timedelta(days=1), 100)
    with pytest.raises(AmityError, match="it takes 10"):
        scores_in(few, "pareto", {})
