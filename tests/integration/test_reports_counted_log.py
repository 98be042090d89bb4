"""The small demo shop, counted again from the bodies of its events as they lie in the log."""

import csv
import io
import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.test import Client

from amity.analysis import api as analysis
from amity.analysis.logic.reporting import running
from amity.cli.demo.people import assign_people
from amity.cli.demo.shop import Calendar
from amity.cli.demo.stand_in import StandIn
from amity.cli.demo.till import Tally, iter_orders
from amity.cli.demo.web_shop import choose_sign_ins, iter_web_events
from amity.infra import warehouse
from amity.infra.database import transaction
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.store import api as store
from amity.testing import reports_oracle as oracle
from amity.testing.reports_oracle import Act, Placed, table_of
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)
TOMORROW = NOW.date() + timedelta(days=1)
ZONE = "Pacific/Chatham"
STEPS = ["Product Viewed", "Product Added", "Checkout Completed"]


@pytest.fixture
def source_id(db):
    yield store.create_source(name="Demo", kind="server").source_id
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def tell(source_id, events):
    """Have events come in, be folded and be exported, as they are when Amity runs."""
    bodies = [msgspec.json.encode(event) for event in events]
    for first in range(0, len(bodies), 500):
        store.append_events(source_id=source_id, events=bodies[first : first + 500], now=NOW)
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())


def demo():
    data = StandIn()
    calendar = Calendar.ending_today(NOW, data.last_day)
    clicks, holders = data.clicks(), assign_people(data)
    yield from iter_orders(data.iter_baskets(), calendar, Tally())
    yield from iter_web_events(clicks, choose_sign_ins(clicks, holders), calendar)


def order_event(kind, order_id, days_ago, who, **properties):
    at = NOW - timedelta(days=days_ago)
    told = {"order_id": order_id, "currency": "USD"} | properties
    return {"type": "track", "event": kind, "timestamp": at.isoformat(), "properties": told} | who


def late():
    """What comes in after the first count: orders of long ago, money back, somebody joined."""
    card, stranger = {"userId": "card-late"}, {"anonymousId": "a-stranger"}
    yield order_event("Order Completed", "late-1", 40, card, total=12.5)
    yield order_event("Order Completed", "late-2", 130, stranger, total=80, products=[])
    yield order_event("Order Completed", "late-3", 9, card, total=7)
    yield order_event("Order Cancelled", "late-3", 8, card)
    yield order_event("Order Refunded", "late-1", 30, card, total=2.5)
    yield order_event("Order Completed", "late-4", 5, stranger, total=30)
    yield order_event("Order Refunded", "late-4", 4, stranger)
    yield {"type": "identify", "timestamp": NOW.isoformat(), "traits": {}} | card | stranger


def read_log():
    """Return the orders and the acts of customers, by what the bodies in the log say alone."""
    with transaction("readonly") as connection:
        rows = connection.execute("SELECT source_id, body FROM store_event_log ORDER BY xid, id")
        bodies = [json.loads(bytes(body)) for source, body in rows if source > 1]
    whose = _join(bodies)
    orders, back, gone, acts = {}, defaultdict(int), set(), []
    for number, body in enumerate(bodies):
        who = whose[body.get("userId") or body["anonymousId"]]
        at = datetime.fromisoformat(body["timestamp"].replace("Z", "+00:00"))
        name, told = body.get("event", body["type"]), body.get("properties", {})
        acts.append(Act(who, at, number, name, name, True))
        if name == "Order Completed":
            orders[told["order_id"]] = (who, at, number, round(told["total"] * 100))
        elif name == "Order Refunded":
            back[told["order_id"]] += round(told["total"] * 100) if "total" in told else 10**9
        elif name == "Order Cancelled":
            gone.add(told["order_id"])
    placed = [
        Placed(who, at, order_id, number, "USD", max(total - back[order_id], 0), 0)
        for order_id, (who, at, number, total) in orders.items()
        if order_id not in gone
    ]
    return placed, sorted(acts)


def _join(bodies):
    """Return one number for all names of a customer: those told together are one's."""
    whose = {}
    for body in bodies:
        names = [body[key] for key in ("userId", "anonymousId") if body.get(key)]
        known = {whose.get(name, name) for name in names}
        for name, one in list(whose.items()):
            if one in known and len(known) > 1:
                whose[name] = names[0]
        for name in names:
            whose[name] = names[0] if len(known) > 1 else next(iter(known))
    numbers = {one: number for number, one in enumerate(sorted(set(whose.values())))}
    return {name: numbers[one] for name, one in whose.items()}


def within(placed, until, days):
    return [one for one in placed if until - timedelta(days=days) <= one.at.date() < until]


def three(placed, until, days):
    now, base = within(placed, until, days), within(placed, until - timedelta(days=days), days)
    customers, first = {one.customer for one in now}, {}
    for one in placed:
        first[one.customer] = min(one.at, first.get(one.customer, one.at))
    net = sum(one.net for one in now)
    return {
        "acquisition": sum(
            until - timedelta(days=days) <= at.date() < until for at in first.values()
        ),
        "expansion": net / len(customers),
        "retention": len(customers & {one.customer for one in base})
        / len({one.customer for one in base}),
        "active": len(customers),
        "revenue": net,
    }


def report(name, **given):
    return running.run_report(name=name, given=given, now=NOW).answer


def check_all(placed, acts):
    """Hold what the pages say against the log: customers, the overview, four reports."""
    totals = defaultdict(list)
    for one in placed:
        totals[one.customer].append(one)
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT order_count, revenue_minor, first_order_at, last_order_at FROM store_profile"
            " WHERE merged_into IS NULL AND order_count > 0"
        ).fetchall()
    assert sorted(rows) == sorted(
        (len(each), sum(one.net for one in each), min(times), max(times))
        for each in totals.values()
        for times in [[one.at for one in each]]
    )
    for at in (NOW, NOW - timedelta(days=33)):
        known = [one for one in placed if one.at <= at]
        expected = three(known, at.date() + timedelta(days=1), 90)
        expected["active_customers"] = expected.pop("active")
        for figure in analysis.overview(now=at, days=90):
            scale = 100 if figure.name in {"expansion", "revenue"} else 1
            assert figure.value * scale == pytest.approx(expected[figure.name]), figure.name
    figures = {one.name: one for one in report("dimensions").figures}
    before = three(placed, TOMORROW - timedelta(days=90), 90)
    for name, value in three(placed, TOMORROW, 90).items():
        assert figures[name].value == pytest.approx(value), name
        assert figures[name].before == pytest.approx(before[name]), name
    _check_cohorts(placed)
    come = oracle.furthest(
        [act for act in acts if act.at.date() >= TOMORROW - timedelta(days=90)], STEPS, 24
    )
    found = table_of(report("funnel", steps=" > ".join(STEPS)), "steps")
    assert [row["customers"] for row in found] == [
        sum(number for far, number in come.items() if far >= step) for step in (1, 2, 3)
    ]


def _check_cohorts(placed):
    found = oracle.cohorts(placed, oracle.month_of, ZONE)
    from_on = TOMORROW - timedelta(days=730)
    today = NOW.astimezone(ZoneInfo(ZONE)).date()
    told = {
        (row["cohort"], row["offset"]): (row["size"], row["customers"])
        for row in table_of(report("cohorts", zone=ZONE, days="730", by="month"), "cohorts")
    }
    for (cohort, offset), counted in told.items():
        begun = date.fromisoformat(cohort)
        months = begun.year * 12 + begun.month - 1 + offset
        period = date(months // 12, months % 12 + 1, 1)
        there = found[begun]
        assert counted == (len(there[begun]), len(there.get(period, ()))), (cohort, offset)
        assert period <= today
    assert {cohort for cohort, _ in told} == {
        one.isoformat() for one in found if from_on <= one < TOMORROW
    }


def _check_pages():
    """Hold what the pages show against their files, row by row, and the files against the log."""
    from amity.web.staff.models import Staff

    Staff.objects.create_user("ana", password="seven kettles", role="analyst")
    client = Client(SERVER_NAME="localhost")
    client.post("/sign-in/", {"username": "ana", "password": "seven kettles"})
    for name, table in (("dimensions", "periods"), ("rfm_grid", "cells")):
        if name == "rfm_grid":
            report(name)
        page = client.get(f"/reports/{name}/").content.decode()
        body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)[1]
        shown = [
            [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
            for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
        ]
        file = client.get(f"/reports/{name}/tables/{table}/csv/").content.decode()
        head, *rows = list(csv.reader(io.StringIO(file)))
        assert len(shown) == len(rows) > 10
        first = 1 if name == "dimensions" else 2
        for cells, row in zip(shown, rows, strict=True):
            assert len(cells) == len(row)
            for told, kept in zip(cells[first:], row[first:], strict=True):
                assert (re.sub(r"[^0-9.-]", "", told) or "–") == (kept or "–"), (head, row)


def test_the_demo_is_what_its_events_say_and_stays_so_when_more_comes_late(source_id):
    tell(source_id, demo())
    placed, acts = read_log()
    assert len(placed) > 1_000
    assert any(act.name == "Checkout Completed" for act in acts)
    check_all(placed, acts)
    tell(source_id, late())
    later, acts = read_log()
    assert len(later) == len(placed) + 3
    assert {one.customer for one in later if one.order_id.startswith("late")} == {
        later[-1].customer
    }
    check_all(later, acts)
    _check_pages()
