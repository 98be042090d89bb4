"""Segments that are long empty or doubles of others are found, and no others."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.fixtures.segment_town import country_is, define, is_in

from amity.analysis import api as analysis
from amity.analysis import api_segment_tools
from amity.infra.database import transaction
from amity.kernel.errors import Invalid

NOW = datetime.now(UTC)


def set_members(segment_id, ids):
    with transaction("owner") as connection:
        connection.execute(
            "INSERT INTO analysis_membership (segment_id, profile_id, entered_at)"
            " SELECT %s, unnest(%s::bigint[]), now()",
            [segment_id, list(ids)],
        )
        connection.execute(
            "UPDATE analysis_segment SET state = 'live', members = %s WHERE id = %s",
            [len(ids), segment_id],
        )


def test_doubles_are_found_by_rule_and_by_members(db):
    french, german = country_is("FR"), country_is("DE")
    first = define("First", {"node": "any", "of": [french, german]})
    again = define("Again", {"node": "any", "of": [german, {"node": "all", "of": [french]}]})
    through = define("Through", is_in(first))
    near = define("Near", country_is("IT"))
    half = define("Half", country_is("ES"))
    small = define("Small", country_is("PT"))
    less = define("Small too", country_is("GR"))
    for segment_id in (first, again, through):
        set_members(segment_id, range(1, 101))
    set_members(near, range(3, 102))  # 98 of 101
    set_members(half, range(51, 151))
    for segment_id in (small, less):
        set_members(segment_id, range(1, 10))  # too few to say
    found = api_segment_tools.refresh_review(now=NOW)
    assert found.is_complete
    told = {(each.segment_ids, each.is_same_rule) for each in found.doubled}
    assert told == {
        ((first, again), True),
        ((first, through), True),
        ((near, first), False),
    }
    near_ones = [each.jaccard for each in found.doubled if each.jaccard is not None]
    assert near_ones == [pytest.approx(98 / 101)]
    assert api_segment_tools.find_review() == found


def test_empty_means_for_so_long(db):
    old = define("Old", country_is("FR"))
    new = define("New", country_is("DE"))
    left = define("Left", country_is("IT"))
    changed = define("Changed", country_is("ES"))
    for segment_id in (old, new, left, changed):
        set_members(segment_id, [])
    with transaction("owner") as connection:
        long_ago = NOW - timedelta(days=100)
        connection.execute(
            "UPDATE analysis_segment SET created_at = %s WHERE id <> %s", [long_ago, new]
        )
        connection.execute(
            "UPDATE analysis_segment_version SET changed_at = %s WHERE segment_id <> %s",
            [long_ago, new],
        )
        connection.execute(
            "INSERT INTO analysis_membership (segment_id, profile_id, entered_at, left_at)"
            " VALUES (%s, 1, %s, %s)",
            [left, long_ago, NOW - timedelta(days=40, hours=1)],
        )
    analysis.update_segment(
        segment_id=changed, rule=country_is("PT"), by="t", now=NOW - timedelta(days=5)
    )
    set_members(changed, [])
    found = api_segment_tools.refresh_review(now=NOW, empty_days=30)
    assert [(each.name, each.days) for each in found.empty] == [("Old", 100), ("Left", 40)]
    everything = api_segment_tools.refresh_review(now=NOW + timedelta(days=2), empty_days=1).empty
    assert {each.name for each in everything} == {"Old", "Left", "Changed", "New"}
    with pytest.raises(Invalid):
        api_segment_tools.refresh_review(now=NOW, empty_days=0)
