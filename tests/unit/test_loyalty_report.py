"""The loyalty matrix over several windows, counted again from what everybody was drawn to do."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from amity.analysis.logic.behaviour.crossings import compare_crossings
from amity.analysis.logic.behaviour.loyalty import CELLS
from amity.analysis.logic.reporting.answering import answer as answer_report
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.loyalty import Loyalty
from amity.kernel.lift import Arm, rate_difference
from amity.testing.reports_kit import ASKED, UNTIL, complete, duckdb_engine, find
from amity.testing.reports_town import Town, expressions


def rows(answer, table):
    found = answer.table(table)
    return [found.row(number) for number in range(len(found.rows))]


def town_of_moves(rng, *, windows=5, people=90, days=30):
    """People whose cell is drawn for each window of so many days; who called is drawn too."""
    town, told = Town(), {}
    end = datetime.combine(UNTIL, datetime.min.time(), UTC)
    for who in range(1, people + 1):
        town.customer(who)
        for period in range(windows):
            start = end - timedelta(days=days * (windows - period))
            cell = str(rng.choice(["true", "spurious", "latent", "none"], p=[0.5, 0.2, 0.2, 0.1]))
            told[who, period] = cell, bool(rng.random() < 0.4)
            for number in range(3 if cell in {"true", "spurious"} else 1):
                town.order(who, start + timedelta(days=2 + number, hours=5), 1000)
            answer = {"kind": "nps", "answer": 10 if cell in {"true", "latent"} else 3}
            town.event(who, "Survey Answered", start + timedelta(days=9), answer)
            if told[who, period][1]:
                town.event(who, "Call Started", start + timedelta(days=10))
    # A look at the very beginning of the oldest window: so all of that one is known.
    town.event(1, "Product Viewed", end - timedelta(days=days * windows))
    return town, told


def test_the_matrix_of_several_windows_is_that_of_each_window_by_itself():
    town, told = town_of_moves(np.random.default_rng(11))
    asked = msgspec.structs.replace(ASKED, from_on=UNTIL - timedelta(days=30))
    answer = find(Loyalty, town, asked=asked)
    names = dict(zip(("true", "latent", "spurious", "none"), CELLS.values(), strict=True))
    shown = {(row["until"], row["to_cell"]): row["customers"] for row in rows(answer, "periods")}
    steps = {
        (row["number"], row["from_cell"], row["to_cell"]): row["customers"]
        for row in rows(answer, "steps")
        if row["from_cell"] != "not a customer"
    }
    counted = Counter()
    for period in range(5):
        until = (UNTIL - timedelta(days=1 + 30 * (4 - period))).isoformat()
        there = Counter(told[who, period][0] for who in range(1, 91))
        assert {cell: shown[until, cell] for cell in names} == {cell: there[cell] for cell in names}
        for who in range(1, 91):
            if period:
                counted[period + 1, told[who, period - 1][0], told[who, period][0]] += 1
    # Of six windows asked for the first is not known, so the second is number 1.
    assert steps == counted
    kept = rows(answer, "kept")
    assert [row["were"] - row["lost"] for row in kept] == [
        counted[period, "true", "true"] for period in range(2, 6)
    ]
    assert any("5 are shown" in note for note in answer.notes)
    [flow] = [one for one in answer.pictures if one.table == "steps"]
    drawn = [row for row in rows(answer, "steps") if row["before"] not in flow.without]
    assert {row["before"].split(",")[0] for row in drawn} == {"True", "Latent", "Spurious", "None"}
    crossed = sum(row["customers"] for row in drawn if row["from_cell"] != row["to_cell"])
    assert flow.title.startswith(f"{crossed:,} times")
    [stream] = [one for one in answer.pictures if one.table == "periods"]
    assert str(shown[(UNTIL - timedelta(days=1)).isoformat(), "true"]) in stream.title
    lost = {row["what"]: row for row in rows(answer, "preceded")}
    assert "over 4 moves" in answer.table("preceded").title
    calls = [
        (told[who, period][1], told[who, period][0] != "true")
        for who in range(1, 91)
        for period in range(1, 5)
        if told[who, period - 1][0] == "true"
    ]
    crossed = [called for called, has_crossed in calls if has_crossed]
    stayed = [called for called, has_crossed in calls if not has_crossed]
    row = lost["Called, chatted or wrote to service"]
    assert row["left"] == pytest.approx(np.mean(crossed))
    assert row["stayed"] == pytest.approx(np.mean(stayed))
    assert row["difference"] == pytest.approx(np.mean(crossed) - np.mean(stayed))


def test_a_move_of_any_window_opens_to_its_customers():
    town, told = town_of_moves(np.random.default_rng(4), windows=3, people=20)
    asked = msgspec.structs.replace(ASKED, from_on=UNTIL - timedelta(days=30))
    asked = complete(Loyalty, asked, {})
    run = duckdb_engine(town.tables())
    found = answer_report(Loyalty(), expressions(), asked, run)
    steps = found.table("steps")
    for number in range(len(steps.rows)):
        row = steps.row(number)
        ids = drill(Loyalty(), expressions(), asked, run, table="steps", row=row)
        period = row["number"] - 3
        expected = [
            who
            for who in range(1, 21)
            if told[who, period][0] == row["to_cell"]
            and (told[who, period - 1][0] if period else "not a customer") == row["from_cell"]
        ]
        assert ids == expected
        assert len(ids) == row["customers"]


def test_moves_of_one_customer_count_as_one_where_they_are_alike():
    def counted(times):
        return [
            {"crossed": times * c, "stayed": times * s, "customers": number}
            | {"crossed_had": times * c * had, "stayed_had": times * s * had}
            for c, s, had, number in ((1, 0, 1, 30), (1, 0, 0, 20), (0, 1, 1, 15), (0, 1, 0, 35))
        ]

    once, often = compare_crossings(counted(1)), compare_crossings(counted(4))
    known = rate_difference(
        Arm(customers=50, converted=30, spent=[]), Arm(customers=50, converted=15, spent=[])
    )
    assert once.difference == pytest.approx((known.value, known.low, known.high))
    assert often.difference == pytest.approx(once.difference)
    assert not once.is_chance
    assert compare_crossings([]) is None
    # Independent moves of the same customers are as many as there are.
    rng, inside = np.random.default_rng(8), 0
    for _ in range(200):
        base = rng.beta(2, 3, 60)
        stays = rng.binomial(3, base)
        leaves = rng.binomial(1, base)
        told = [
            {"crossed": 1, "stayed": 3, "crossed_had": a, "stayed_had": b, "customers": 1}
            for a, b in zip(leaves.tolist(), stays.tolist(), strict=True)
        ]
        found = compare_crossings(told)
        inside += found.difference[1] <= 0 <= found.difference[2]
    assert inside >= 182
