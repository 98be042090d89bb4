"""Who came, went and stayed, from stays written by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest
from tests.fixtures.segment_town import country_is

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.infra.database import transaction
from amity.kernel.errors import Invalid

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


STAYS = [
    # profile, entered, left, ended by a merge
    (1, -9, None, False),  # stays
    (2, -9, 3, False),  # goes
    (3, 2, None, False),  # comes
    (4, 2, 4, False),  # comes and goes
    (5, -9, 3, False),  # goes and is back: it stayed
    (5, 4, None, False),
    (6, -9, 5, True),  # becomes part of another
    (7, -9, -5, False),  # was gone before
    (8, 10, 20, False),  # comes at the very end
    (9, 11, None, False),  # comes after it
]


@pytest.fixture
def segment_id(db):
    made = analysis.create_segment(name="S", rule=country_is("FR"), by="t", now=day(-30))
    with transaction("owner") as connection:
        connection.cursor().executemany(
            "INSERT INTO analysis_membership (segment_id, profile_id, entered_at, left_at,"
            " is_retired) VALUES (%s, %s, %s, %s, %s)",
            [
                (made.segment_id, who, day(came), None if went is None else day(went), retired)
                for who, came, went, retired in STAYS
            ],
        )
    return made.segment_id


def test_the_account_adds_up(segment_id):
    found = api_segment_tools.describe_movement(segment_id=segment_id, since=day(0), until=day(10))
    assert (found.before, found.after) == (4, 4)
    assert (found.stayed, found.entered, found.left, found.merged) == (2, 2, 1, 1)
    assert found.before + found.entered - found.left - found.merged == found.after
    assert found.passed == 1
    assert (found.examples_entered, found.examples_left) == ([8, 3], [2])
    assert found.left_rate == 0.25
    assert found.left_low < 0.25 < found.left_high
    assert {each.day: (each.entered, each.left) for each in found.days} == {
        date(2026, 3, 3): (2, 0),
        date(2026, 3, 4): (0, 2),
        date(2026, 3, 5): (1, 1),
        date(2026, 3, 11): (1, 0),
    }
    assert found.notes == []


def test_what_the_rule_did_is_said(segment_id):
    analysis.update_segment(segment_id=segment_id, name="T", by="bob", now=day(4))
    analysis.update_segment(segment_id=segment_id, rule=country_is("DE"), by="bob", now=day(5))
    found = api_segment_tools.describe_movement(
        segment_id=segment_id, since=day(-40), until=day(10)
    )
    made, changed = found.notes
    assert "made on 30 Jan 2026" in made
    assert "changed on 6 Mar 2026 by bob" in changed


def test_periods_that_are_none_are_refused(segment_id):
    for since, until in ((day(1), day(1)), (day(2), day(1)), (day(0), day(800))):
        with pytest.raises(Invalid):
            api_segment_tools.describe_movement(segment_id=segment_id, since=since, until=until)
    empty = api_segment_tools.describe_movement(
        segment_id=segment_id, since=day(-20), until=day(-10)
    )
    assert (empty.left_rate, empty.left_low) == (None, None)
    assert empty.sentence == "Nobody was in it at either moment."
