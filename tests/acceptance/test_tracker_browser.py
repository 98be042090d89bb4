"""`amity.js` in a real browser, on another origin's pages: all it promises, seen in the store."""

import base64
import gzip
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, Route
from tests.fixtures.pages import Pages, serving

from amity.infra.config import settings
from amity.infra.database import transaction
from amity.store import api
from amity.store.contracts import Source
from amity.testing.edge import LiveEdge, running_edge
from amity.testing.installation import wait_for

pytestmark = pytest.mark.browser

MODULES = Path(__file__).parents[1] / "node/node_modules"
EVENTS = """
    SELECT body, received_at, sent_at FROM store_event_log WHERE source_id = %s ORDER BY id
"""
KEPT = "Object.keys(localStorage).sort()"
QUEUE = "JSON.parse(localStorage.getItem('amity.queue') || '[]')"
Shop = tuple[Pages, LiveEdge]


@pytest.fixture(scope="module")
def shop(module_db: str) -> Iterator[Shop]:
    with running_edge() as edge, serving(MODULES) as pages:
        # Nothing inline, nothing evaluated: a page as strict as they come.
        pages.policy = f"default-src 'none'; script-src 'self' {edge.url}; connect-src {edge.url}"
        yield pages, edge


@pytest.fixture
def source(shop: Shop, request: pytest.FixtureRequest) -> Source:
    return api.create_source(name=request.node.name, kind="browser")


def script_tag(edge: LiveEdge, source: Source, attributes: str = 'data-consent="assumed"') -> str:
    address = f'src="{edge.url}/amity.js" data-key="{source.write_key}"'
    return f"<script {address} {attributes} async></script>"


def stored(source: Source) -> list[dict[str, Any]]:
    with transaction() as connection:
        rows = connection.execute(EVENTS, [source.source_id]).fetchall()
    return [json.loads(row[0]) | {"received": row[1], "sent": row[2]} for row in rows]


def names(source: Source) -> list[str]:
    return [event.get("event") or event["type"] for event in stored(source)]


def until(page: Page, condition: Callable[[], bool], what: str) -> None:
    """Wait as `wait_for` does, and let the browser's requests be answered meanwhile."""

    def look() -> bool:
        page.wait_for_timeout(20)
        return condition()

    wait_for(look, seconds=60, what=what)


def arrive(page: Page, source: Source, count: int) -> list[dict[str, Any]]:
    """Wait until so many events are stored; return them."""
    until(page, lambda: len(stored(source)) >= count, f"{count} events, not {names(source)}")
    found = stored(source)
    assert len(found) == count, names(source)
    return found


def visit(page: Page, address: str) -> None:
    page.goto(address)
    until(page, lambda: page.evaluate("Boolean(window.amity && amity.track)"), "the tracker")


def fold() -> None:
    while api.fold_batch().events:
        pass


def test_a_visit_is_told_with_all_that_belongs_to_it(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    early = """(window.amity = window.amity || []).push(
        ['identify', 'u-1', { email: 'ann@example.com', plan: 'gold' }],
        ['track', 'Early', { n: 1 }],
        function (amity) { amity.group('acme', { name: 'Acme' }); },
        function () { throw new Error('a fault of the page'); });"""
    pages.put("early.js", early)
    pages.page("before", '<a href="/visit?utm_source=news&utm_campaign=spring">go</a>')
    pages.page(
        "visit", '<script src="/early.js"></script>', script_tag(edge, source), title="Shoes"
    )
    page = open_page()
    page.goto(f"{pages.url}/before")
    visit(page, f"{pages.url}/visit?utm_source=news&utm_campaign=spring")
    page.evaluate(
        """() => {
            history.pushState({}, '', '/visit/red?size=4');
            document.title = 'Red shoes';
            history.replaceState({ a: 1 }, '', '/visit/red?size=4');
            location.hash = 'reviews';
        }"""
    )
    arrive(page, source, 5)
    page.evaluate("history.go(-2)")
    arrive(page, source, 6)
    page.evaluate("amity.track('Order Completed', {order_id: 'o-1', total: 12.5, currency: 'USD'})")
    page.evaluate("amity.page('Thanks', {order: 'o-1'}); amity.alias('u-1', 'old-1')")
    events = arrive(page, source, 9)
    assert names(source) == [
        *("identify", "Early", "group", "page", "page", "page"),
        *("Order Completed", "page", "alias"),
    ]
    seen = [
        (one["properties"]["path"], one["properties"]["title"])
        for one in events
        if one["type"] == "page"
    ]
    assert [path for path, _ in seen] == ["/visit", "/visit/red", "/visit", "/visit"]
    assert seen[1][1] == "Red shoes"
    first, second = events[3], events[4]
    assert first["context"]["campaign"] == {"source": "news", "name": "spring"}
    assert second["properties"]["referrer"] == first["properties"]["url"]
    assert events[7]["name"] == "Thanks"
    assert {one["anonymousId"] for one in events} == {cookie(page)["value"]}
    assert {one["userId"] for one in events} == {"u-1"}
    assert all(
        one["sent"] and abs(one["received"] - one["sent"]) < timedelta(minutes=1) for one in events
    )
    kept = cookie(page)
    days = (kept["expires"] - datetime.now(UTC).timestamp()) / 86_400
    assert (kept["sameSite"], kept["secure"], kept["path"]) == ("Lax", False, "/")
    assert 394 < days < 396
    fold()
    profile = api.find_profile(kind="anonymous_id", value=kept["value"])
    assert profile is not None
    assert profile == api.find_profile(kind="user_id", value="u-1")
    assert profile.traits == {"email": "ann@example.com", "plan": "gold"}
    assert (profile.order_count, profile.revenue_minor) == (1, 1250)
    told = {
        "Identify": 1,
        "Early": 1,
        "Group": 1,
        "Page Viewed": 4,
        "Alias": 1,
        "Order Completed": 1,
    }
    assert profile.event_counts == told


def test_it_is_served_for_any_page_and_kept_by_browsers(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    whole = fetch(f"{edge.url}/amity.js")
    assert whole.headers["content-type"] == "text/javascript; charset=utf-8"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["access-control-allow-origin"] == "*"
    assert "max-age=3600" in whole.headers["cache-control"]
    packed = fetch(f"{edge.url}/amity.js", **{"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == whole.body
    assert len(packed.body) < 3_000
    tag = whole.headers["etag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        again = fetch(f"{edge.url}/amity.js", **{"If-None-Match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert fetch(f"{edge.url}/amity.js", **{"If-None-Match": '"x"'}).status == 200
    named = f"{edge.url}/amity-{tag.strip(chr(34))}.js"
    for_ever = fetch(named)
    assert for_ever.body == whole.body
    assert "immutable" in for_ever.headers["cache-control"]
    assert fetch(f"{edge.url}/amity-000000000000.js").status == 404
    assert fetch(f"{edge.url}/amity.js", method="POST").status == 405
    check = "sha256-" + base64.b64encode(hashlib.sha256(whole.body).digest()).decode()
    attributes = f'integrity="{check}" crossorigin data-consent="assumed"'
    pages.page(
        "pinned",
        script_tag(edge, source, attributes).replace("/amity.js", named.removeprefix(edge.url)),
    )
    page = open_page()
    visit(page, f"{pages.url}/pinned")
    arrive(page, source, 1)


class Fetched(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def fetch(address: str, *, method: str = "GET", **headers: str) -> Fetched:
    request = urllib.request.Request(address, headers=headers, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Fetched(answer.status, lower, answer.read())


def cookie(page: Page) -> dict[str, Any]:
    (found,) = page.context.cookies()
    assert found["name"] == "amity_id"
    return dict(found)


def test_what_happens_offline_is_told_once_later(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    page = open_page()
    visit(page, pages.page("off", script_tag(edge, source)))
    arrive(page, source, 1)
    page.context.set_offline(True)
    page.evaluate("for (let n = 1; n < 301; n += 1) amity.track('Offline', { n })")
    assert page.evaluate(QUEUE + ".map((one) => one.properties.n)") == list(range(101, 301))
    page.wait_for_timeout(300)
    page.context.set_offline(False)
    events = arrive(page, source, 201)
    assert [one["properties"]["n"] for one in events[1:]] == list(range(101, 301))
    assert all(one["sent"] >= read_time(one) + timedelta(milliseconds=250) for one in events[1:])
    until(page, lambda: page.evaluate(QUEUE) == [], "an empty queue")


def read_time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def test_what_could_not_be_sent_survives_the_page(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    page = open_page()
    collector = f"{edge.url}/v1/batch"
    page.context.route(collector, lambda route: route.abort())
    visit(page, pages.page("lost", script_tag(edge, source)))
    page.evaluate("amity.track('Kept', { price: 3 })")
    page.evaluate("amity.identify({ plan: 'gold' })")
    page.wait_for_timeout(150)
    assert stored(source) == []
    page.context.unroute(collector)
    visit(page, f"{pages.url}/lost/again")
    events = arrive(page, source, 4)
    assert sorted(names(source)) == ["Kept", "identify", "page", "page"]
    assert len({one["messageId"] for one in events}) == 4
    assert len({one["anonymousId"] for one in events}) == 1


def test_a_collector_that_says_when_is_waited_for(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    page = open_page()
    tries: list[datetime] = []

    def refuse_first(route: Route) -> None:
        tries.append(datetime.now(UTC))
        allow = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
        if len(tries) == 1:
            route.fulfill(status=429, headers={**allow, "Retry-After": "2"}, body="{}")
        else:
            route.continue_()

    page.context.route(f"{edge.url}/v1/batch", refuse_first)
    visit(page, pages.page("busy", script_tag(edge, source)))
    until(page, lambda: len(tries) == 1, "the first try")
    page.evaluate("amity.track('Meanwhile')")
    arrive(page, source, 2)
    assert len(tries) == 2
    assert timedelta(seconds=2) <= tries[1] - tries[0] < timedelta(seconds=4)


def test_nothing_is_told_or_kept_before_consent(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    address = pages.page("ask", script_tag(edge, source, ""))
    yes, no = open_page(), open_page()
    for page in (yes, no):
        visit(page, address)
        page.evaluate("amity.track('Before', {}); amity.identify({ plan: 'gold' })")
        page.evaluate("amity.consent({ 'marketing.email': false })")
        page.wait_for_timeout(100)
        assert page.context.cookies() == []
        assert page.evaluate(KEPT) == ["amity.consent"]
        visit(page, address)
        page.evaluate("amity.track('Before', {})")
    no.evaluate("amity.consent({ analytics: false }); amity.track('After')")
    visit(no, address)
    assert no.evaluate("amity.consent()") == {"marketing.email": False, "analytics": False}
    no.goto("about:blank")
    yes.wait_for_timeout(100)
    assert stored(source) == []
    yes.evaluate("amity.consent({ analytics: true })")
    events = arrive(yes, source, 3)
    assert names(source) == ["page", "Before", "Segment Consent Preference Updated"]
    assert events[2]["properties"] == {"categoryPreferences": {"analytics": True}}
    assert {one["anonymousId"] for one in events} == {cookie(yes)["value"]}
    visit(yes, address)
    yes.evaluate("amity.consent({ analytics: true })")
    arrive(yes, source, 4)
    yes.evaluate("amity.consent({ analytics: false }); amity.track('After')")
    last = arrive(yes, source, 5)[4]
    assert last["properties"] == {"categoryPreferences": {"analytics": False}}
    assert last["anonymousId"] == events[0]["anonymousId"]
    assert yes.context.cookies() == []
    visit(yes, address)
    yes.goto("about:blank")
    arrive(yes, source, 5)


def test_a_page_without_cookies_keeps_nothing(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    address = pages.page("bare", script_tag(edge, source, 'data-consent="assumed" data-cookieless'))
    page, other = open_page(), open_page()
    visit(page, address)
    arrive(page, source, 1)
    visit(page, address)
    arrive(page, source, 2)
    visit(other, address)
    first, second, third = (one["anonymousId"] for one in arrive(other, source, 3))
    assert first == second == third, "the same browser, address and day"
    assert first.startswith("day-")
    page.evaluate("amity.identify({ email: 'bo@example.com' }); amity.track('Named')")
    named = arrive(page, source, 5)[3:]
    assert first not in {one["anonymousId"] for one in named}
    assert len({one["anonymousId"] for one in named}) == 1
    assert page.context.cookies() == []
    assert page.evaluate(KEPT) == []
    assert "127.0.0.1" not in {one["context"].get("ip") for one in stored(source)}
    keys = list((settings().data / "visitor-keys").iterdir())
    assert [key.name for key in keys] == [f"visitor-key-{datetime.now(UTC).date()}"]


def test_the_privacy_signal_is_heeded(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    page = open_page()
    page.context.add_init_script(
        "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })"
    )
    page.context.set_extra_http_headers({"Sec-GPC": "1"})
    visit(page, pages.page("gpc", script_tag(edge, source)))
    page.evaluate("amity.track('Looked')")
    events = arrive(page, source, 3)
    told = [one for one in events if one["messageId"].startswith("gpc-")]
    assert [one["properties"]["categoryPreferences"] for one in told] == [{"sharing": False}]
    said = [one for one in events if one not in told]
    assert [one["context"]["gpc"] for one in said] == [True, True]
    assert {one["anonymousId"] for one in events} == {said[0]["anonymousId"]}
    assert page.context.cookies() == []
    assert page.evaluate(KEPT) == []


def test_leaving_logging_out_and_going_wrong(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    page = open_page()
    visit(
        page, pages.page("leave", script_tag(edge, source, 'data-consent="assumed" data-outbound'))
    )
    arrive(page, source, 1)
    page.evaluate("amity.identify('u-7'); amity.track('One'); amity.reset(); amity.track('Two')")
    _, identify, one, two = arrive(page, source, 4)
    assert (identify["userId"], one["userId"], two.get("userId")) == ("u-7", "u-7", None)
    assert two["anonymousId"] == cookie(page)["value"] != one["anonymousId"]
    page.evaluate("amity.identify('u-8'); amity.identify('u-9')")
    eight, nine = arrive(page, source, 6)[4:]
    assert eight["anonymousId"] == two["anonymousId"] != nine["anonymousId"]
    page.evaluate("const own = {}; own.own = own; amity.track('Circle', own); amity.push(['no'])")
    answer = page.evaluate("amity.decide('nowhere', { page: '/' })")
    assert answer["code"] in {"unknown_placement", "starting"}
    page.evaluate(
        f"""() => {{
            const link = document.createElement('a');
            link.href = '{edge.url}/health/live';
            document.body.append(link);
            amity.track('Going');
            link.click();
        }}"""
    )
    last = arrive(page, source, 8)[6:]
    assert [one["event"] for one in last] == ["Going", "Link Clicked"]
    assert last[1]["properties"] == {"url": f"{edge.url}/health/live"}
    # Chromium may never close what it closes while it goes elsewhere.
    page.wait_for_url(f"{edge.url}/health/live")


def test_what_a_closed_page_had_to_tell_comes_by_beacon(
    shop: Shop, source: Source, open_page: Callable[[], Page]
) -> None:
    pages, edge = shop
    page, watcher = open_page(), open_page()
    visit(
        page, pages.page("shut", script_tag(edge, source, 'data-consent="assumed" data-cookieless'))
    )
    arrive(page, source, 1)
    page.evaluate("addEventListener('pagehide', () => amity.track('Last', { n: 45 }))")
    page.evaluate("for (let n = 0; n < 45; n += 1) amity.track('Last', { n }); location = '/gone'")
    arrive(watcher, source, 47)
    assert sorted(one["properties"]["n"] for one in stored(source)[1:]) == list(range(46))
    assert api.count_by_source()[source.source_id].quarantined == 0
