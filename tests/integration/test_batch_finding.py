"""Rules asked of the warehouse: the same people as the database finds, and how far it is behind."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from amity.analysis import api as analysis
from amity.analysis.logic.scoring.keeping import replace_scores
from amity.cli.main import root
from amity.infra import warehouse
from amity.infra.database import transaction
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid, Unavailable
from amity.store import api as store
from amity.store import api_identity
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)
TWICE = {"node": "did", "event": "Order Completed", "at_least": 2, "within_days": 30}
GOLD = {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "gold"}}


def _track(user, name, days=0.0, **more):
    at = format_instant(NOW - timedelta(days=days))
    return {"type": "track", "event": name, "timestamp": at, **more} | (
        {"userId": user} if user else {}
    )


EVENTS = [
    {"type": "identify", "userId": "ann", "traits": {"tier": "gold"}},
    {"type": "identify", "userId": "bob", "traits": {"tier": "tin", "is_minor": True}},
    _track("ann", "Order Completed", 40),
    _track("ann", "Order Completed", 20),
    _track("bob", "Order Completed", 2),
    # Two who turn out to be one: a phone's order comes first, its owner is told later.
    _track(None, "Order Completed", 1, anonymousId="phone"),
    {"type": "identify", "userId": "bob", "anonymousId": "phone", "traits": {}},
]


@pytest.fixture
def filled(db):
    source = store.create_source(name="Shop", kind="server").source_id
    store.append_events(source_id=source, events=list(map(msgspec.json.encode, EVENTS)), now=NOW)
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _both(rule):
    batch = analysis.find_batch(rule=rule, now=NOW)
    live = analysis.preview(rule=rule, now=NOW)
    assert len(batch.profile_ids) == live.members
    assert sorted(live.examples) == batch.profile_ids
    assert batch.of_profiles == live.of_profiles
    assert batch.words == live.words
    return batch


def _preview(*more):
    command = ["segment", "preview", "--rule", json.dumps(TWICE), "--from", "warehouse", *more]
    done = CliRunner().invoke(root, command)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_warehouse_finds_whom_the_database_finds(filled):
    twice = _both(TWICE)
    assert len(twice.profile_ids) == 1, "the phone's order is bob's"
    assert twice.complete_at is not None
    assert twice.complete_at <= datetime.now(UTC)
    profiled = {"node": "consent", "purpose": "profiling"}
    assert len(_both(profiled).profile_ids) == 1, "bob is too young for it"
    gold = analysis.create_segment(name="Gold", rule=GOLD, by="test", now=NOW)
    inside = {"node": "in_segment", "segment_id": gold.segment_id}
    plain = {"node": "not", "of": inside}
    second = analysis.create_segment(name="Plain", rule=plain, by="test", now=NOW)
    while analysis.follow_batch(now=NOW).events:
        pass
    _both(inside)
    _both({"node": "all", "of": [TWICE, {"node": "in_segment", "segment_id": second.segment_id}]})
    analysis.archive_segment(segment_id=second.segment_id, by="test", now=NOW)
    analysis.archive_segment(segment_id=gold.segment_id, by="test", now=NOW)
    while analysis.follow_batch(now=NOW).events:
        pass
    assert _both(inside).profile_ids == []
    assert "Warehouse complete at" in _preview()
    facts = json.loads(_preview("--json"))
    assert facts["members"] == 1
    assert facts["of_profiles"] == 2
    assert facts["complete_at"]


def _people_with_ties():
    """Two of a household, of whom one is known for worth; return who that is."""
    home = {"street": "Main St. 5", "postalCode": "1010"}
    source = store.list_sources()[-1].source_id
    told = [
        {"type": "identify", "userId": user, "traits": {"name": name, "address": home}}
        for user, name in (("ann", "Ann Lee"), ("bob", "Bob Lee"))
    ]
    store.append_events(source_id=source, events=list(map(msgspec.json.encode, told)), now=NOW)
    while store.fold_batch().events:
        pass
    api_identity.gather_links(now=NOW)
    people = {each.user_id: each.profile_id for each in store.list_profiles(limit=9).items}
    with transaction() as connection:
        run = connection.execute(
            "INSERT INTO analysis_model_run (estimator, customers, parameters, report)"
            " VALUES ('test', 2, '{}', '{}') RETURNING id"
        ).fetchone()
        rows = [(people["ann"], "clv", 120.5, "best", None, None, run[0])]
        rows.append((people["bob"], "clv", 7.25, "", None, None, run[0]))
        replace_scores(connection, names=["clv"], rows=rows)
    export_all(list_exports())
    return people["ann"]


def test_scores_and_households_are_asked_of_the_warehouse(filled):
    ann = _people_with_ties()
    high = {"op": "gt", "value": 100}
    assert _both({"node": "score", "score": "clv", "is": high}).profile_ids == [ann]
    best = {"op": "eq", "value": "best"}
    assert _both({"node": "score", "score": "clv", "by": "label", "is": best}).profile_ids == [ann]
    upper = {"op": "gte", "value": 75}
    ranked = {"node": "score", "score": "clv", "by": "percentile", "is": upper}
    assert _both(ranked).profile_ids == [ann]
    assert len(_both({"node": "together", "kind": "household"}).profile_ids) == 2
    assert _both({"node": "together", "kind": "company"}).profile_ids == []
    worthy = analysis.create_segment(name="Worthy", rule=ranked, by="test", now=NOW)
    while analysis.follow_batch(now=NOW).events:
        pass
    beside = {"node": "together", "kind": "household", "segment_id": worthy.segment_id}
    (other,) = _both(beside).profile_ids
    assert other != ann
    api_identity.reject_link(profile_id=ann, kind="household", by="test", now=NOW)
    export_all(list_exports())
    assert _both(beside).profile_ids == []


def test_what_the_warehouse_lacks_is_refused(db):
    with pytest.raises(Unavailable, match="nothing is in the warehouse"):
        analysis.find_batch(rule=TWICE, now=NOW)
    with pytest.raises(Invalid, match="Profile Merged"):
        analysis.find_batch(rule={"node": "did", "event": "Profile Merged"}, now=NOW)
