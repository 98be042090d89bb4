"""Reports over a real warehouse: computed by the worker, kept, opened, cancelled."""

import threading
import time
from datetime import UTC, datetime, timedelta

import ibis
import msgspec
import pytest

from amity.analysis import api as analysis
from amity.analysis import api_reports as reports
from amity.analysis import api_work
from amity.analysis.logic.reporting import running
from amity.analysis.logic.working import queue
from amity.analysis.reports.dimensions import Dimensions
from amity.infra import warehouse
from amity.infra.database import transaction
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound, Unavailable
from amity.store import api as store
from amity.testing.installation import wait_for
from amity.testing.working import work_off
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)


def order(number, user, days_ago, total, currency="USD"):
    at = (NOW - timedelta(days=days_ago)).isoformat()
    properties = {"order_id": f"o-{number}", "total": total, "currency": currency}
    return {
        "type": "track",
        "event": "Order Completed",
        "timestamp": at,
        "properties": properties,
        "userId": user,
    }


ORDERS = [
    order(1, "ann", 5, 20),
    order(2, "ann", 40, 30),
    order(3, "bob", 10, 5.5),
    order(4, "cem", 40, 8),
    order(5, "cem", 5, 1000, "EUR"),
]


@pytest.fixture
def shop(db):
    source_id = store.create_source(name="Shop", kind="server").source_id
    store.append_events(
        source_id=source_id, events=[msgspec.json.encode(one) for one in ORDERS], now=NOW
    )
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def stop(name):
    state = reports.open_report(name=name, given={}, now=NOW).state
    api_work.stop_work(work_id=state.work_id, by="ann", may_all=True)


def test_an_answer_is_computed_once_and_kept_with_its_age(shop):
    given = {"days": "30"}
    first = reports.open_report(name="dimensions", given=given, now=NOW)
    assert first.state.run is None
    assert first.state.wanted_at is None
    assert work_off(now=NOW, most=1) == 0
    reports.refresh_report(name="dimensions", given=given, now=NOW)
    assert work_off(now=NOW, most=1) == 1
    assert work_off(now=NOW, most=1) == 0
    page = reports.open_report(name="dimensions", given=given, now=NOW + timedelta(minutes=1))
    run = page.state.run
    figures = {figure.name: figure for figure in run.answer.figures}
    assert figures["acquisition"].value == 1
    assert figures["acquisition"].before == 2
    assert figures["revenue"].value == 2550
    assert figures["revenue"].before == 3800
    assert figures["retention"].value == 0.5
    assert "left out" in run.answer.notes[0]
    assert not page.is_stale
    assert page.state.wanted_at is None
    later = reports.open_report(name="dimensions", given=given, now=NOW + timedelta(hours=2))
    assert later.is_stale
    assert later.state.run == run

    table = run.answer.table("periods")
    row = next(row for row in table.rows if row[2])
    key = table.key_of(row)
    ids = reports.list_row_customers(
        name="dimensions", given=given, table="periods", key=key, now=NOW
    )
    assert len(ids) == row[2]
    with pytest.raises(NotFound):
        reports.list_row_customers(
            name="dimensions", given=given, table="periods", key="1999-01-01", now=NOW
        )


def test_what_is_cancelled_is_not_computed_and_says_so(shop):
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    stop("dimensions")
    assert work_off(now=NOW, most=1) == 0
    page = reports.open_report(name="dimensions", given={}, now=NOW)
    assert page.state.error == "ann stopped it before there was an answer"
    assert page.state.wanted_at is None
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    assert work_off(now=NOW, most=1) == 1


def test_what_is_cancelled_in_the_middle_ends_at_once_and_the_answer_before_stays(
    shop, monkeypatch
):
    """Somebody presses Stop while DuckDB is at a step that would take days."""
    before = reports.run_report(name="dimensions", given={}, now=NOW)

    def endless(self, tables, asked):
        numbers = ibis.range(0, 10_000_000).unnest().name("n").as_table()
        pairs = numbers.cross_join(numbers.view())
        return {"pairs": pairs.aggregate(n=pairs.count())}

    monkeypatch.setattr(Dimensions, "expressions", endless)
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    worker = threading.Thread(target=work_off, kwargs={"now": NOW})
    worker.start()
    wait_for(lambda: reports.open_report(name="dimensions", given={}, now=NOW).state.steps == 2)
    worker.join(1)
    assert worker.is_alive()
    stop("dimensions")
    began = time.monotonic()
    worker.join(60)
    assert time.monotonic() - began < 30, "it would take days"
    page = reports.open_report(name="dimensions", given={}, now=NOW)
    assert page.state.error == "ann stopped it before there was an answer"
    assert page.state.wanted_at is None
    assert page.state.run.answer == before.answer
    assert list((warehouse.folder().parent / "warehouse-spill").iterdir()) == []


def lose():
    """Let who is at work have been silent for long, as one that was killed."""
    with transaction() as connection:
        connection.execute("UPDATE analysis_work SET seen_at = seen_at - interval '1 minute'")


def test_a_question_an_ended_worker_was_at_is_answered_once_more_and_then_given_up(shop):
    reports.refresh_report(name="dimensions", given={}, by="ann", now=NOW)
    assert queue.take(["report"], now=NOW) is not None
    [work] = api_work.list_work()
    assert (work.started_at, work.wanted_by) == (NOW, "ann")
    assert work_off(now=NOW) == 0
    lose()
    [work] = api_work.list_work()
    assert (work.started_at, work.wanted_at) == (None, NOW)  # it waits again
    assert queue.take(["report"], now=NOW) is not None
    lose()
    assert work_off(now=NOW) == 0
    [work] = api_work.list_work()
    assert (work.wanted_at, work.error) == (None, queue.INTERRUPTED)
    # Who tries again begins anew.
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    assert work_off(now=NOW) == 1
    assert api_work.list_work() == []


def test_what_nobody_is_there_to_do_once_more_ends_by_itself(db):
    wanted = queue.Wanted(kind="groups", parameters={}, title="t")
    queue.want(wanted, by="ann", now=NOW)
    taken = queue.take(["groups"], now=NOW)
    for _ in range(11):
        lose()
    found = queue.find("groups", {})
    assert (found.wanted_at, found.error) == (None, queue.INTERRUPTED)
    # Stopped, it is not begun again.
    queue.want(wanted, by="ann", now=NOW)
    queue.take(["groups"], now=NOW)
    queue.cancel(taken.work_id, by="bob")
    lose()
    assert queue.take(["groups"], now=NOW) is None
    assert queue.find("groups", {}).error == "bob stopped it before there was an answer"


def test_who_asks_while_somebody_is_at_it_waits_for_that(shop, monkeypatch):
    count, compute = [], running._compute

    def slowly(question, **given):
        count.append(1)
        time.sleep(0.5)
        return compute(question, **given)

    monkeypatch.setattr(running, "_compute", slowly)
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    worker = threading.Thread(target=work_off, kwargs={"now": NOW})
    worker.start()
    wait_for(lambda: count)
    told = []
    found = reports.run_report(
        name="dimensions", given={}, now=NOW, tell=lambda *step: told.append(step)
    )
    worker.join(60)
    assert len(count) == 1
    assert told
    assert reports.open_report(name="dimensions", given={}, now=NOW).state.run == found


def test_who_waits_comes_before_what_is_to_be_ready_in_the_morning(db):
    later = NOW + timedelta(hours=5)
    reports.keep_reports_warm(now=NOW)
    reports.refresh_report(name="rfm_grid", given={"days": "9"}, now=later)
    taken = queue.take(["report"], now=later)
    assert taken.parameters == {"report": "rfm_grid", "given": {"days": "9"}}


def test_questions_that_make_no_sense_are_refused_in_words(db):
    for given in (
        {"days": "0"},
        {"days": "a"},
        {"days": "9", "from": "2026-01-01"},
        {"from": "2026-02-30"},
        {"from": "2026-03-01", "until": "2026-02-01"},
        {"until": "9999-01-01"},
        {"by": "year"},
        {"compare": "perhaps"},
        {"currency": "euro"},
        {"segment": "-1"},
        {"colour": "red"},
    ):
        with pytest.raises(Invalid):
            reports.open_report(name="dimensions", given=given, now=NOW)
    for name, given in (("nothing", {}), ("dimensions", {"segment": "77"})):
        with pytest.raises(NotFound):
            reports.open_report(name=name, given=given, now=NOW)
    with pytest.raises(Unavailable, match="warehouse"):
        reports.run_report(name="dimensions", given={}, now=NOW)
    with pytest.raises(Conflict):
        reports.list_row_customers(name="dimensions", given={}, table="periods", key="x", now=NOW)


def test_an_answer_about_a_segment_says_when_its_members_are_not_those_of_now(shop):
    rule = {"node": "check", "field": "profile.order_count", "is": {"op": "gte", "value": 1}}
    made = analysis.create_segment(name="Buyers", rule=rule, by="ann", now=NOW)
    given = {"segment": str(made.segment_id), "compare": "no"}
    filling = reports.run_report(name="rfm_grid", given=given, now=NOW).answer
    assert filling.empty
    assert "“Buyers” is still being filled" in filling.notes[-1]
    analysis.archive_segment(segment_id=made.segment_id, by="ann", now=NOW)
    archived = reports.run_report(name="rfm_grid", given=given, now=NOW).answer
    assert "“Buyers” is archived" in archived.notes[-1]


def test_one_question_has_one_spelling_and_all_are_kept_warm(db):
    usual = reports.open_report(name="dimensions", given={}, now=NOW)
    spelled = {"days": "90", "compare": "yes", "currency": "usd", "segment": " "}
    assert reports.open_report(name="dimensions", given=spelled, now=NOW).parameters == {}
    assert usual.parameters == {}
    assert usual.until_on == NOW.date()
    entries = reports.list_reports()
    assert reports.keep_reports_warm(now=NOW) == len(entries)
    assert all(entry.is_wanted for entry in reports.list_reports())


def test_facts_are_checked_listed_and_taken_back(db):
    cost = {
        "channel": "search",
        "from_on": "2026-01-01",
        "until_on": "2026-01-31",
        "amount_minor": "9900",
        "currency": "USD",
    }
    one = reports.enter_fact(kind="channel_cost", fact=cost, by="ann", now=NOW)
    assert [fact.fact.amount_minor for fact in reports.list_facts(kind="channel_cost")] == [9900]
    for wrong in (
        cost | {"amount_minor": -1},
        cost | {"currency": "dollar"},
        cost | {"until_on": "2025-01-31"},
        cost | {"channel": ""},
        {},
    ):
        with pytest.raises(AmityError):
            reports.enter_fact(kind="channel_cost", fact=wrong, by="ann", now=NOW)
    reports.delete_fact(fact_id=one.fact_id)
    assert reports.list_facts(kind="channel_cost") == []
    with pytest.raises(NotFound):
        reports.delete_fact(fact_id=one.fact_id)
