"""The screens of visits, interests and the own site: what is shown, who may, what happens."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.test import Client

from amity.infra import config
from amity.infra.database import transaction
from amity.store import api as store
from amity.store import api_fetching
from amity.store.follower import followers
from amity.store.logic.folding.following import take_turn

AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


@pytest.fixture
def ann(db):
    source_id = store.create_source(name="Web", kind="browser").source_id
    now = datetime.now(UTC)

    def page(minute, url, agent=AGENT, **more):
        return {
            "type": "page",
            "messageId": f"{minute}{url}",
            "anonymousId": "ann",
            "timestamp": (now - timedelta(minutes=600 - minute)).isoformat(),
            "properties": {"url": f"https://shop.example{url}", "title": f"Page {url}"},
            "context": {"userAgent": agent, "locale": "en"},
        } | more

    view = {"product_id": "p1", "category": "Shoes > Running", "brand": "Swift"}
    events = [
        page(0, "/?utm_source=news&utm_medium=email&utm_campaign=Spring"),
        page(2, "/shoes", type="track", event="Product Viewed", properties=view),
        page(3, "/shoes", type="track", event="Product Added", properties=view),
        page(200, "/hats"),
        page(400, "/bot", agent=ROBOT),
    ]
    raw = [msgspec.json.encode(event) for event in events]
    assert store.append_events(source_id=source_id, events=raw, now=now).accepted == 5
    while store.fold_batch().events or take_turn(followers()["visits"], now=now, limit=99):
        pass
    found = store.find_profile(kind="anonymous_id", value="ann")
    return found.profile_id


def test_a_customer_shows_visits_interests_and_what_brought_her(ann) -> None:
    text = text_of(sign_in("viewer").get(f"/customers/{ann}/"))
    assert "First came from</dt><dd><b>news</b> “Spring”" in text
    assert "machine: a known crawler" in text
    assert "2 visits in all, and 1 taken for a machine’s, which counts for nothing" in text
    bar = r"<span>running<svg.*?</svg></span><span class=\"num small\">(3\.9|4\.0)<"
    assert re.search(bar, text)


def test_visits_are_counted_by_source_and_machines_apart(ann) -> None:
    text = text_of(sign_in("viewer").get("/visits/?days=7"))
    assert re.search(r"Visits of people</h2></header><div class=\"figure\"><b>2<", text)
    assert re.search(r"Visits of machines</h2></header><div class=\"figure\"><b>1<", text)
    assert '<b>news</b></td><td data-label="Kind">campaign' in text
    with transaction() as connection:
        connection.execute("TRUNCATE store_visit")
    assert "No visits in this time" in text_of(sign_in("agent").get("/visits/?days=nonsense"))


def test_the_site_is_named_read_and_stopped(db) -> None:
    admin, viewer = sign_in("admin"), sign_in("viewer")
    assert "No page has been read" in text_of(viewer.get("/site/"))
    assert viewer.post("/site/read/", {"do": "read"}).status_code == 403
    assert viewer.get("/site/settings/").status_code == 403
    form = {"start_urls": "http://127.0.0.1:4444/", "is_enabled": "on", "max_pages": "30"}
    refused = admin.post("/site/settings/", form)
    assert refused.status_code == 422
    assert "private network or to this machine" in text_of(refused)
    with config.override(egress_allow="127.0.0.1:4444"):
        assert admin.post("/site/settings/", form).status_code == 302
    assert api_fetching.get_site().max_pages == 30
    asked = admin.post("/site/read/", {"do": "read"}, follow=True)
    assert "waiting to begin" in text_of(asked)
    again = admin.post("/site/read/", {"do": "read"}, follow=True)
    assert "The site is being read already." in text_of(again)
    stopped = admin.post("/site/read/", {"do": "stop"}, follow=True)
    assert "The site is stopped" in text_of(stopped)


def test_pages_are_found_and_shown(db) -> None:
    with transaction() as connection:
        connection.execute(
            "INSERT INTO store_page (url, status, title, kind, product_id, headings, facts, topics,"
            " fetched_at, changed_at) SELECT 'https://shop.example/p/' || n, 200, 'Page ' || n,"
            " 'product', 'sku-' || n, ARRAY['<b>Big</b>'],"
            """ '{"schema": [{"type": "product", "name": "<i>x</i>"}], "open_graph": {}}',"""
            """ '{"shoes": 1}', now(), now() FROM generate_series(100, 170) n"""
        )
    viewer = sign_in("viewer")
    first = viewer.get("/site/")
    assert text_of(first).count('class="whole"') == 50
    more = re.search(r'href="([^"]*after=[^"]*)"', first.content.decode())[1].replace("&amp;", "&")
    assert text_of(viewer.get("/site/" + more if more[0] == "?" else more)).count("whole") == 21
    assert text_of(viewer.get("/site/?q=sku-133")).count('class="whole"') == 1
    assert "No page is like that" in text_of(viewer.get("/site/?q=nothing&kind=article"))
    one = text_of(viewer.get("/site/page/?url=https%3A//shop.example/p/100"))
    assert "&lt;b&gt;Big" in one
    assert "&lt;i&gt;x" in one
    assert viewer.get("/site/page/?url=x").status_code == 404
