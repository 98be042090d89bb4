"""A source's health page, its live debugger and the quarantine's filters, on a real database."""

import html
import json
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.test import Client

from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts_tracking import AlertTerms, PlanDraft, PlanField

NOW = datetime.now(UTC)


@pytest.fixture
def admin(db):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user("ann", role="admin"))
    return client


@pytest.fixture
def shop(db):
    return store.create_source(name="Shop", kind="server").source_id


def send(source_id, *events):
    raw = [
        event if isinstance(event, bytes) else msgspec.json.encode({"type": "track"} | event)
        for event in events
    ]
    store.append_events(source_id=source_id, events=raw, now=datetime.now(UTC))
    while store.fold_batch().events or api_plans.watch_quality(now=NOW):
        pass


def order(user, **properties):
    library = {"name": "amity.js", "version": "1.2.0"}
    return {
        "event": "Order Completed",
        "userId": user,
        "messageId": f"of-{user}",
        "timestamp": (NOW - timedelta(days=3)).isoformat(),
        "properties": properties,
        "context": {"library": library},
    }


def pin(policy):
    total = PlanField(path="total", types=["number"], is_required=True)
    code = PlanField(path="code", allowed=["a"], policy="cut")
    plan = PlanDraft(type="track", name="Order Completed", policy=policy, fields=[total, code])
    api_plans.pin_plan(plan=plan, by="test", now=NOW)


def text_of(page):
    assert page.status_code == 200, page.content
    return re.sub(r"\s+", " ", html.unescape(page.content.decode()))


def test_the_health_page_says_how_a_source_comes(admin, shop):
    address = f"/sources/{shop}/health/"
    empty = text_of(admin.get(address))
    assert "no event in the last hundred days" in empty
    assert "Nothing came in the last 24 hours." in empty
    pin("pass")
    events = [order(f"u{n}", total=n, note="ann@example.org") for n in range(8)]
    send(shop, *events, *events[:2], order("x"), order("y", total=1, code="b"), b"no json")
    page = text_of(admin.get(address))
    assert "10 events in 24 hours" in page
    assert "2 of 13 in thirty days were against their plan." in page
    assert "2 of 13 in thirty days came twice" in page
    assert "10 of 10 in thirty days came over a day after they happened." in page
    assert "amity.js 1.2.0" in page
    assert "nine of ten within 3 days" in page
    assert "e-mail address in it</span> 8 times" in page
    assert "value not allowed" in page
    assert f"{NOW.date():%-d %b %Y}" in page
    assert not re.search(r">\s*20\d\d-\d\d-\d\d\s*<", page), "days are written as everywhere"
    assert page.count('class="spark') == 6
    assert 'class="hourbars"' in page


def test_when_to_warn_is_set_on_the_page_and_muted(admin, shop):
    address = f"/sources/{shop}/watch/"
    typed = {"do": "terms", "silent_hours": "6", "most_violating": "2,5", "least_events": "50"}
    page = text_of(admin.post(address, typed | {"warns_personal": "yes"}, follow=True))
    assert 'value="2.5"' in page
    assert api_plans.get_source_watch(source_id=shop).terms == AlertTerms(
        silent_hours=6,
        most_violating=0.025,
        most_duplicate=None,
        most_late=None,
        null_rise=None,
        volume_deviations=None,
        least_events=50,
    )
    wrong = text_of(admin.post(address, typed | {"silent_hours": "soon"}, follow=True))
    assert "Nothing was changed: “soon” is no number" in wrong
    assert "Muted until" in text_of(admin.post(address, {"do": "mute", "days": "7"}, follow=True))
    held = api_plans.get_source_watch(source_id=shop)
    assert timedelta(days=6) < held.muted_until - NOW < timedelta(days=8)
    assert held.terms.silent_hours == 6
    admin.post(address, {"do": "unmute"})
    assert api_plans.get_source_watch(source_id=shop).muted_until is None


def test_the_debugger_shows_each_event_with_what_became_of_it(admin, shop):
    address = f"/sources/{shop}/live/"
    first = text_of(admin.get(address))
    assert "Waiting for the first event" in first
    pin("quarantine")
    send(shop, order("good", total=5), order("part", total=6, code="zz"), order("bad"), b"{oops")
    turn = re.search(r'hx-get="([^"]+)"', first)[1]
    page = text_of(admin.get(turn))
    assert page.count("<details>") == 4
    assert "Left out in part" in page
    assert "code: not_allowed. Version 1 of its plan said so." in page
    assert "Order Completed: total: missing" in page
    assert "As understood" in page
    assert page.count("As it came") == 4
    assert '"code": "zz"' in page.split("As it came")[2] or '"code": "zz"' in page
    following = re.search(r'hx-get="([^"]+)"', page)[1]
    assert "<details>" not in text_of(admin.get(following))
    paused = text_of(admin.get(f"{following}&pause=1"))
    assert "every 1s" not in paused
    assert "Go on" in paused

    def shown(**filters):
        found = text_of(admin.get(address, filters))
        stream = found.split('id="stream"')[1].split("The last two days")[0]
        # Not the name alone: some are hexadecimal, and occur in any number that is.
        marks = {name: f'"of-{name}"' for name in ("good", "part", "bad")} | {"oops": "{oops"}
        return {name for name, mark in marks.items() if mark in stream}

    assert shown(verdict="quarantined") == {"bad", "oops"}
    assert shown(verdict="cut") == {"part"}
    assert shown(verdict="fits") == {"good"}
    assert shown(who="GOOD") == {"good"}
    assert shown(name="order", verdict="quarantined") == {"bad"}
    assert shown(name="nothing so") == set()
    assert shown(verdict="no such") == {"good", "part", "bad", "oops"}
    assert admin.get(f"{address}turn/?after=nonsense").status_code == 422


def test_the_quarantine_is_narrowed_replayed_and_thrown_away(admin, shop, monkeypatch):
    from amity.web.sources import quarantine

    monkeypatch.setattr(quarantine, "_BATCH", 2)
    other = store.create_source(name="Till", kind="server").source_id
    pin("quarantine")
    send(shop, *[order(f"u{n}", total="x") for n in range(5)], b"{oops", b"{again \xff")
    send(other, order("till", total="y"))

    def count(**filters):
        return text_of(admin.get("/quarantine/", filters)).count("<details>")

    assert count() == 8
    assert count(event="Order Completed") == 6
    assert count(event="Order Completed", source=other) == 1
    assert count(text="of-u3") == 1
    assert count(text="total: wrong_type") == 6
    assert count(text="oops", reason="not_json") == 1
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert count(since=today, until=today) == 8
    assert count(until="2020-01-01") == 0
    assert admin.get("/quarantine/", {"since": "yesterday"}).status_code == 422

    def work(address, **asked):
        turns = 0
        while True:
            said = admin.post(address, asked, headers={"HX-Request": "true"})
            assert said.status_code == 200, said.content
            turns += 1
            values = re.search(r"hx-vals='([^']+)'", said.content.decode())
            if not values:
                return turns, text_of(said)
            asked = json.loads(html.unescape(values[1]))

    meant = {"what": "all", "event": "Order Completed", "source": shop}
    assert work("/quarantine/replay/", **meant)[0] == 3
    assert admin.post("/quarantine/discard/", meant).status_code == 422
    assert admin.post("/quarantine/discard/", meant | {"confirm": "4"}).status_code == 422
    turns, said = work("/quarantine/discard/", **meant, confirm="5")
    assert (turns, "5 events thrown away." in said) == (3, True)
    assert count() == 3
    left = store.list_quarantine(reason="not_json").items
    admin.post("/quarantine/discard/", {"one": left[0].quarantine_id})
    assert count() == 2
    page = text_of(admin.get("/quarantine/", {"handled": "1"}))
    assert page.count("thrown away by ann") == 6
    gone = store.list_quarantine(open_only=False).items
    assert all(not each.raw for each in gone if each.replayed_at)
    assert store.count_by_source()[shop].quarantined == 7, "that it came stays counted"
