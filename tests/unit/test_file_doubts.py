"""What is doubtful about a file is said beside the answer, whatever is estimated from it."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import Example, load_file_estimates
from amity.analysis.logic.files.doubting import describe_doubts
from amity.analysis.logic.files.reading import Wanted, read_table
from amity.analysis.logic.files.running import estimate_file
from amity.testing.file_estimates_kit import write_example

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def ask(tmp_path):
    """Return what asks one estimator about its own example, rows changed."""

    def run(name, change, *, size=400):
        example = load_file_estimates()[name].example(np.random.default_rng(1), size)
        rows = change([list(row) for row in example.rows])
        path = write_example(
            tmp_path / "file.csv", msgspec.structs.replace(example, rows=[tuple(r) for r in rows])
        )
        return estimate_file(name=name, path=path, options=example.options, out=None, now=NOW)

    return run


def put(place, value, *, every=1):
    """Return a change that puts a value into a column of every so many rows."""

    def change(rows):
        for number, row in enumerate(rows):
            if number % every == 0:
                row[place] = value(row[place]) if callable(value) else value
        return rows

    return change


def said(answer, words):
    return [warning for warning in answer.warnings if words in warning]


def test_a_clean_file_has_nothing_doubtful_about_its_rows(ask):
    answer = ask("clv", lambda rows: rows)
    for words in ("could not be used", "say the same", "has not come yet"):
        assert not said(answer, words)


def test_refunds_written_as_negative_orders_are_left_out_and_told(ask):
    answer = ask("clv", put(2, lambda amount: f"-{amount}", every=5))
    [warning] = said(answer, "could not be used")
    assert "(20%)" in warning
    assert "row 1" in warning


def test_dates_in_several_ways_of_writing_are_told(ask):
    answer = ask("clv", put(1, "31/12/2024", every=3))
    assert said(answer, "'31/12/2024', not a date like 2024-05-31")


def test_rows_told_twice_are_seen(ask):
    assert said(ask("send-time", lambda rows: rows + rows), "of 2,400 rows say the same")
    assert not said(ask("clv", lambda rows: rows), "say the same")


def test_a_day_that_has_not_come_yet_is_named(ask):
    [warning] = said(ask("clv", put(1, "2199-01-01", every=1_000)), "has not come yet")
    assert "2199-01-01 (row 1" in warning


def test_a_day_long_before_all_others_is_named(ask):
    [warning] = said(ask("clv", put(1, "1900-01-01", every=1_000)), "long before all others")
    assert "1900-01-01 (row 1" in warning
    assert not said(ask("clv", lambda rows: rows), "long before")


def test_a_month_of_which_most_is_still_to_come_is_told(ask):
    def until_the_tenth(rows):
        return [row for row in rows if row[1] <= "2025-12-10"]

    assert said(ask("bgbb", until_the_tenth), "days before the end of its month")
    assert not said(ask("bgbb", lambda rows: rows), "before the end of its")


@pytest.mark.parametrize(("arms", "is_told"), [(2, False), (150, True)])
def test_arms_name_nobody_so_alike_rows_are_no_rows_told_twice(tmp_path, arms, is_told):
    """Yes and no before and after are the same in most rows of an experiment."""
    rows = [(f"a{place % arms}", place % 2, place % 3 % 2) for place in range(400)]
    example = Example(heads=("arm", "bought", "before"), rows=rows, options={})
    wanted = [
        Wanted(option="treatment", head="arm", kind="name"),
        Wanted(option="outcome", head="bought", kind="text"),
        Wanted(option="before", head="before", kind="text"),
    ]
    table = read_table(write_example(tmp_path / "trial.csv", example), wanted)
    assert bool(describe_doubts(table, now=NOW)) is is_told


def test_a_treatment_that_is_sometimes_unknown_is_left_out(ask):
    answer = ask("uplift", put(1, "nan", every=9), size=300)
    assert said(answer, "do not say who was treated")


def test_a_figure_that_is_the_same_for_all_is_no_proof(ask):
    answer = ask("experiment", put(3, str(10**17), every=1))
    assert not said(answer, "differs between the arms")
    with pytest.raises(Refused, match="quantities of all 400 rows are the same"):
        ask("price", put(3, "7"))


def test_send_time_is_tried_on_later_messages(ask):
    calibration = ask("send-time", lambda rows: rows).calibration
    assert sum(group["customers"] for group in calibration["groups"]) == calibration["rows"]
    assert "later messages" in calibration["sentence"]
