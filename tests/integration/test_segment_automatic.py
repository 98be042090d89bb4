"""Groups and lookalikes among customers written for it, and the segments made of them."""

from datetime import UTC, datetime

import numpy as np
import pytest
from tests.fixtures.segment_town import define, members, settle, write_profiles

from amity.analysis import api_segment_tools
from amity.analysis.estimator import Refused
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound

NOW = datetime.now(UTC)
PRO = {"node": "check", "field": "trait.plan", "is": {"op": "eq", "value": "pro"}}
VIP = {"node": "check", "field": "trait.vip", "is": {"op": "is_true"}}


def rng():
    return np.random.default_rng(1)


def profiles_of(plan):
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT id FROM store_profile WHERE traits ->> 'plan' = %s", [plan]
        )
        return {row[0] for row in rows}


def runs_of(score):
    """Return the runs that scores of a name say they come from."""
    with transaction() as connection:
        query = "SELECT DISTINCT model_run_id FROM analysis_score WHERE name = %s"
        return [row[0] for row in connection.execute(query, [score])]


def test_groups_become_segments_that_hold_everybody(db):
    with pytest.raises(Refused, match="at least 200"):
        api_segment_tools.refresh_clusters(now=NOW, rng=rng())
    with pytest.raises(NotFound):
        api_segment_tools.save_clusters(by="t", now=NOW)
    write_profiles(80)
    found = api_segment_tools.refresh_clusters(now=NOW, rng=rng())
    assert (found.chosen.clusters, found.looked_at) == (3, 240)
    assert api_segment_tools.find_clusters() == found
    made = api_segment_tools.save_clusters(by="t", now=NOW)
    settle()
    held = [members(each.segment_id) for each in made]
    plans = [profiles_of(plan) for plan in ("pro", "free", "lapsed")]
    assert sorted(map(sorted, held)) == sorted(map(sorted, plans))
    # Saved again they are the same segments.
    again = api_segment_tools.save_clusters(by="t", now=NOW)
    assert [each.segment_id for each in again] == [each.segment_id for each in made]
    settle()
    with transaction("owner") as connection:
        gone = connection.execute(
            "UPDATE analysis_score SET label = 'nobody', value = 99 WHERE name = %s RETURNING 1",
            [again[0].rule["score"]],
        ).rowcount
    # Each night everybody is put where they belong, by a run of its own.
    assert gone == 240
    assert api_segment_tools.renew_found_segments(now=NOW, rng=rng()) == 1
    settle()
    assert [members(each.segment_id) for each in made] == held
    assert len(runs_of(again[0].rule["score"])) == 1


def test_lookalikes_are_like_the_members_and_none_of_them(db):
    write_profiles(200)
    seeds = define(
        "Some pros",
        {
            "node": "all",
            "of": [PRO, {"node": "bucket", "salt": "half", "to": 60}],
        },
    )
    settle()
    with pytest.raises(NotFound):
        api_segment_tools.save_lookalikes(segment_id=seeds, size=5, by="t", now=NOW)
    found = api_segment_tools.refresh_lookalikes(segment_id=seeds, now=NOW, rng=rng())
    assert found.auc_low > 0.8
    assert found.auc_low <= found.auc <= found.auc_high
    assert found.left_out == ["plan"]
    assert "plan" not in {each.name for each in found.traits}
    strong = {each.words: each.strength for each in found.traits[:8]}
    assert strong["did “Manual Opened”"] > 0
    assert api_segment_tools.find_lookalikes(segment_id=seeds) == found

    rest = profiles_of("pro") - members(seeds)
    made = api_segment_tools.save_lookalikes(segment_id=seeds, size=len(rest), by="t", now=NOW)
    settle()
    assert members(made.segment_id) == rest
    smaller = api_segment_tools.save_lookalikes(segment_id=seeds, size=5, by="t", now=NOW)
    settle()
    assert smaller.segment_id == made.segment_id
    assert len(members(made.segment_id)) == 5
    assert members(made.segment_id) <= rest
    before = runs_of(f"lookalike_{seeds}")
    assert api_segment_tools.renew_found_segments(now=NOW, rng=rng()) == 1
    settle()
    assert len(members(made.segment_id)) == 5
    assert members(made.segment_id) <= rest
    assert runs_of(f"lookalike_{seeds}") > before
    with pytest.raises(Invalid):
        api_segment_tools.save_lookalikes(segment_id=seeds, size=0, by="t", now=NOW)


def test_what_cannot_be_told_apart_is_refused(db):
    write_profiles(100)
    vip = define("VIP", VIP)  # drawn by chance
    pro = define("Few", {"node": "all", "of": [PRO, {"node": "bucket", "salt": "x", "to": 30}]})
    settle()
    with pytest.raises(Refused, match="cannot be told from others"):
        api_segment_tools.refresh_lookalikes(segment_id=vip, now=NOW, rng=rng())
    with pytest.raises(Refused, match="at least 100"):
        api_segment_tools.refresh_lookalikes(segment_id=pro, now=NOW, rng=rng())


def test_rfm_cells_become_segments(db):
    with pytest.raises(Refused, match="nobody has an RFM score"):
        api_segment_tools.refresh_rfm_cells(now=NOW)
    with transaction("owner") as connection:
        connection.execute(
            "INSERT INTO store_profile (id, first_seen_at, last_seen_at, version)"
            " SELECT g, now(), now(), 1 FROM generate_series(1, 10) g"
        )
        connection.execute(
            "INSERT INTO analysis_score (profile_id, name, value, label, model_run_id)"
            " SELECT g, 'rfm', 9, CASE WHEN g < 8 THEN '5-4-3 Champion' ELSE '1-1-1 Lost' END, 1"
            " FROM generate_series(1, 10) g"
        )
    found = api_segment_tools.refresh_rfm_cells(now=NOW)
    assert [(each.word, each.customers) for each in found.cells] == [("Champion", 7), ("Lost", 3)]
    assert api_segment_tools.find_rfm_cells() == found
    made = api_segment_tools.save_rfm_cell(word="Champion", by="t", now=NOW)
    settle()
    assert (made.name, members(made.segment_id)) == ("RFM: Champion", set(range(1, 8)))
    with pytest.raises(Conflict):
        api_segment_tools.save_rfm_cell(word="Champion", by="t", now=NOW)
    with pytest.raises(NotFound):
        api_segment_tools.save_rfm_cell(word="King", by="t", now=NOW)
