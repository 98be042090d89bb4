"""Reports over a real warehouse: computed by the worker, kept, opened, cancelled."""

import threading
import time
from datetime import UTC, datetime, timedelta

import ibis
import msgspec
import pytest

from amity.analysis import api_reports as reports
from amity.analysis.logic.reporting import keeping
from amity.analysis.reports.dimensions import Dimensions
from amity.infra import warehouse
from amity.infra.database import transaction
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound, Unavailable
from amity.store import api as store
from amity.testing.installation import wait_for
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


def test_an_answer_is_computed_once_and_kept_with_its_age(shop):
    given = {"days": "30"}
    first = reports.open_report(name="dimensions", given=given, now=NOW)
    assert first.state.run is None
    assert first.state.wanted_at is None
    assert reports.run_waiting_reports(now=NOW) == 0
    reports.refresh_report(name="dimensions", given=given, now=NOW)
    assert reports.run_waiting_reports(now=NOW) == 1
    assert reports.run_waiting_reports(now=NOW) == 0
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
    reports.cancel_report(name="dimensions", given={}, now=NOW)
    assert reports.run_waiting_reports(now=NOW) == 0
    page = reports.open_report(name="dimensions", given={}, now=NOW)
    assert "cancelled" in page.state.error
    assert page.state.wanted_at is None
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    assert reports.run_waiting_reports(now=NOW) == 1


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
    worker = threading.Thread(target=reports.run_waiting_reports, kwargs={"now": NOW})
    worker.start()
    wait_for(lambda: reports.open_report(name="dimensions", given={}, now=NOW).state.steps == 2)
    worker.join(1)
    assert worker.is_alive()
    reports.cancel_report(name="dimensions", given={}, now=NOW)
    began = time.monotonic()
    worker.join(20)
    assert time.monotonic() - began < 5
    page = reports.open_report(name="dimensions", given={}, now=NOW)
    assert "cancelled" in page.state.error
    assert page.state.wanted_at is None
    assert page.state.run.answer == before.answer
    assert list((warehouse.folder().parent / "warehouse-spill").iterdir()) == []


def test_a_question_an_ended_worker_was_at_is_answered_by_the_next(shop):
    reports.refresh_report(name="dimensions", given={}, now=NOW)
    with transaction() as connection:
        assert keeping.take(connection, now=NOW) is not None
    assert reports.run_waiting_reports(now=NOW) == 0
    reports.release_reports(now=NOW + timedelta(seconds=1))
    assert reports.run_waiting_reports(now=NOW) == 1


def test_who_waits_comes_before_what_is_to_be_ready_in_the_morning(db):
    later = NOW + timedelta(hours=5)
    reports.keep_reports_warm(now=NOW)
    with transaction() as connection:
        connection.execute("UPDATE analysis_report_run SET wanted_at = NULL, started_at = NULL")
    reports.keep_reports_warm(now=later)
    reports.refresh_report(name="rfm_grid", given={"days": "9"}, now=later + timedelta(minutes=1))
    with transaction() as connection:
        taken = keeping.take(connection, now=later)
    assert (taken.report, taken.parameters) == ("rfm_grid", {"days": "9"})


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
