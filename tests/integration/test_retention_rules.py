"""Rules of retention: what is too old goes, counted, in slices, once; what is needed stays."""

import os
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import database
from amity.infra.config import settings
from amity.infra.data_map import read_map
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store
from amity.store import api_retention as keeping
from amity.store.contracts_retention import RetentionPlan
from amity.web.retention.sweeping import all_sweeps, run_due

NOW = datetime.now(UTC).replace(microsecond=0)
SWEEPS = all_sweeps()


def rows(query, *values):
    with database.transaction() as connection:
        found = connection.execute(query, values)
        return found.fetchall() if found.description else found.rowcount


def run(key, now=NOW):
    return keeping.run_retention(SWEEPS, key=key, by="ann", now=now)


def plan(days, **more):
    return RetentionPlan(keep_days=days, basis="contract", reason="so agreed", **more)


def test_every_table_and_file_with_days_has_a_rule(db):
    held = read_map()
    days = {each.name: each.keep_days for each in [*held.tables, *held.files] if each.keep_days}
    rules = keeping.list_retention_rules(SWEEPS)
    ruled = {name for rule in rules for name in rule.tables}
    # The edge destroys yesterday's key when it draws today's.
    assert set(days) - ruled == {"visitor-keys/**"}
    for rule in rules:
        sweep = SWEEPS[rule.kind]
        assert rule.keep_days == (sweep.days or days[rule.tables[0]]), rule.key
        assert rule.title
        assert rule.does.endswith(".")
        assert rule.reason.endswith(".")
        assert rule.keep_days >= rule.least_days


def test_a_run_removes_what_is_too_old_and_says_what(db, monkeypatch):
    monkeypatch.setattr("amity.store.logic.retention.tables._AT_ONCE", 3)
    rows(
        "INSERT INTO store_quarantine (received_at, source_id, reason, raw, content_hash)"
        " SELECT %s - n * interval '1 day', 1, 'r', 'x', sha256(n::text::bytea)"
        " FROM generate_series(26, 35) AS n",
        NOW,
    )
    rule = keeping.get_retention_rule(SWEEPS, "quarantine")
    assert (rule.keep_days, rule.set_by, rule.next_run_at) == (30, "", None)
    told = keeping.preview_retention(SWEEPS, rule=rule, now=NOW)
    assert (told.removal.rows, told.is_capped) == (5, False)
    assert rows("SELECT count(*) FROM store_quarantine") == [(10,)]
    done = run("quarantine")
    assert (done.state, done.asked_by, done.keep_days) == ("finished", "ann", 30)
    assert done.removed == told.removal
    assert done.removed.tables == {"store_quarantine": 5}
    assert done.removed.oldest_at == NOW - timedelta(days=35)
    assert done.removed.newest_at == NOW - timedelta(days=31)
    assert done.removed.size_bytes > 0
    assert done.worked_seconds > 0
    again = run("quarantine")
    assert again.removed.rows == 0
    assert [each.run_id for each in keeping.list_retention_runs().items] == [
        again.run_id,
        done.run_id,
    ]
    assert keeping.list_retention_runs(removing=True).items == [done]
    assert keeping.list_last_retention_runs() == {"quarantine": again}


def test_a_rule_is_set_refused_and_taken_back(db):
    made = keeping.save_retention_rule(
        SWEEPS, key="quarantine", plan=plan(60, is_enabled=False), by="ann", now=NOW
    )
    assert (made.keep_days, made.set_by, made.set_at, made.is_enabled) == (60, "ann", NOW, False)
    assert made.default_days == 30
    for bad, words in (
        (plan(0), "kept for 1 to"),
        (plan(40_000), "kept for 1 to"),
        (plan(9, every_hours=0), "every 1 to 720"),
        (plan(9, names=["X"]), "not about events"),
        (RetentionPlan(keep_days=9, basis="contract", reason=" "), "say why"),
        (RetentionPlan(keep_days=9, basis="whim", reason="x"), "lawful basis"),
    ):
        with pytest.raises(Invalid, match=words):
            keeping.save_retention_rule(SWEEPS, key="quarantine", plan=bad, by="ann", now=NOW)
    with pytest.raises(Invalid, match="90"):
        keeping.save_retention_rule(SWEEPS, key="events.ids", plan=plan(89), by="ann", now=NOW)
    with pytest.raises(NotFound):
        keeping.save_retention_rule(SWEEPS, key="nothing", plan=plan(9), by="ann", now=NOW)
    keeping.reset_retention_rule(SWEEPS, key="quarantine")
    assert keeping.get_retention_rule(SWEEPS, "quarantine").keep_days == 30
    narrow = {"kind": "events.details", "name": "Page views", "by": "ann", "now": NOW}
    with pytest.raises(Invalid, match="which events"):
        keeping.add_retention_rule(SWEEPS, plan=plan(90), **narrow)
    made = keeping.add_retention_rule(SWEEPS, plan=plan(90, names=["Page Viewed"]), **narrow)
    assert (made.key, made.is_extra) == ("events.details.page-views", True)
    with pytest.raises(Conflict):
        keeping.add_retention_rule(SWEEPS, plan=plan(90, names=["X"]), **narrow)
    keeping.reset_retention_rule(SWEEPS, key=made.key)
    with pytest.raises(NotFound):
        keeping.get_retention_rule(SWEEPS, made.key)


def test_the_worker_runs_what_is_due_and_nothing_twice(db):
    due = [rule for rule in keeping.list_retention_rules(SWEEPS) if rule.is_enabled]
    while run_due(now=NOW):
        pass
    runs = keeping.list_retention_runs(limit=200).items
    assert {each.state for each in runs} == {"finished"}
    assert sorted(each.rule_key for each in runs) == sorted(rule.key for rule in due)
    assert "profiles" not in {each.rule_key for each in runs}
    assert run_due(now=NOW) == 0
    assert run_due(now=NOW + timedelta(hours=25)) == 1
    after = keeping.get_retention_rule(SWEEPS, "quarantine")
    assert after.next_run_at == NOW + timedelta(hours=24)
    assert after.set_by == ""


def test_a_run_that_died_is_carried_on_and_its_counts_are_whole(db, monkeypatch):
    monkeypatch.setattr("amity.store.logic.retention.tables._AT_ONCE", 2)
    rows(
        "INSERT INTO store_event_key SELECT 1, gen_random_uuid(), 0, %s FROM generate_series(1, 7)",
        NOW - timedelta(days=121),
    )
    run_id = keeping.ask_retention(SWEEPS, key="events.ids", by="", now=NOW)
    assert keeping.ask_retention(SWEEPS, key="events.ids", by="", now=NOW) == run_id
    sweep, fails = SWEEPS["events.ids"], iter([False, True, False, True, True])
    real = sweep.take

    def take(*told):
        made = real(*told)
        if next(fails, False):
            raise OSError("a fault after the rows were deleted, before they were counted")
        return made

    monkeypatch.setattr(sweep, "take", take)
    while run_due(now=NOW) and keeping.get_retention_run(run_id=run_id).state == "running":
        pass
    done = keeping.get_retention_run(run_id=run_id)
    assert (done.state, done.removed.rows) == ("finished", 7)
    assert rows("SELECT count(*) FROM store_event_key") == [(0,)]


def test_a_run_that_cannot_succeed_ends_and_says_so(db, monkeypatch):
    def fail(*told):
        raise ValueError("ann@example.org is in the way")

    monkeypatch.setattr(SWEEPS["quarantine"], "take", fail)
    with pytest.raises(Conflict, match="ValueError"):
        run("quarantine")
    [failed] = keeping.list_retention_runs(state="failed").items
    assert failed.failure == "ValueError"
    assert "ann" not in failed.failure


def test_old_files_go_and_young_ones_stay(db):
    folder = settings().data / "logs"
    folder.mkdir(exist_ok=True)
    old, young = folder / "old.log", folder / "young.log"
    for path, days in ((old, 31), (young, 29)):
        path.write_text("words")
        at = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (at, at))
    done = run("logs")
    assert (done.removed.files, done.removed.size_bytes, done.removed.rows) == (1, 5, 0)
    assert young.exists()
    assert not old.exists()
    young.unlink()


def test_empty_days_of_the_log_are_dropped_and_others_never(db):
    source = store.create_source(name="Shop", kind="server").source_id
    day = NOW - timedelta(days=40)
    with database.transaction("owner") as connection:
        for each in (day, day - timedelta(days=1)):
            connection.execute("SELECT store_ensure_partition(%s)", [each.date()])
    event = msgspec.json.encode({"type": "track", "event": "X", "userId": "ann"})
    store.append_events(source_id=source, events=[event], now=day)
    while store.fold_batch().events:
        pass
    before = rows("SELECT count(*) FROM pg_partition_tree('store_event_log')")[0][0]
    assert run("events.days").removed.files == 1
    assert rows("SELECT count(*) FROM pg_partition_tree('store_event_log')") == [(before - 1,)]
    assert rows("SELECT count(*) FROM store_event_log") == [(1,)]
