"""The browser SDKs of Segment and RudderStack, unmodified, in Chromium on another origin's page."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page
from tests.fixtures.pages import Pages, serving

from amity.infra.database import transaction
from amity.store import api
from amity.store.contracts import Activity, Profile, Source
from amity.testing.edge import LiveEdge, running_edge
from amity.testing.installation import wait_for

pytestmark = pytest.mark.browser

MODULES = Path(__file__).parents[1] / "node/node_modules"
SEGMENT = "/npm/@segment/analytics-next/dist/umd/index.js"
RUDDER = "/npm/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"
ORDERED_AT = datetime(2026, 11, 20, 9, 30, 15, 250_000, tzinfo=UTC)
TRAITS = {"company": "Acme", "plan": "gold", "address": {"city": "Riga"}}
ORDER = {"order_id": "o-1", "total": 12.5, "currency": "USD", "products": [{"product_id": "p-1"}]}
TOLD = {
    "Identify": 1,
    "Product Viewed": 3,
    "Order Completed": 1,
    "Page Viewed": 2,
    "Group": 1,
    "Alias": 1,
    "Leaving": 2,
}
STORY = f"""
    client.page('Shop', 'Home', {{ theme: 'dark' }});
    client.track('Product Viewed', {{ product_id: 'p-1' }});
    client.identify('u-1', {json.dumps(TRAITS)});
    client.track('Product Viewed', {{ product_id: 'p-2' }});
    client.track('Product Viewed', {{ product_id: 'p-3' }});
    const at = '{ORDERED_AT.isoformat()}';
    client.track('Order Completed', {json.dumps(ORDER)}, {{ WHEN: at }});
    client.group('acme', {{ name: 'Acme' }});
    client.alias('u-1', 'old-1');
"""


def segment(strategy: str) -> str:
    """A page's script; its SDK is told the address and the key, and how to deliver."""
    return (
        "const client = AnalyticsNext.AnalyticsBrowser.load({ writeKey: 'KEY', cdnURL: 'EDGE' },"
        f" {{ integrations: {{ 'Segment.io': {{ deliveryStrategy: {strategy} }} }} }});"
        "client.ready(() => { window.isReady = true; });"
    )


def rudder(queue: str) -> str:
    return (
        "const client = new rudderanalytics.RudderAnalytics(); client.load('KEY', 'EDGE',"
        f" {{ configUrl: 'EDGE', {queue} onLoaded: () => {{ window.isReady = true; }} }});"
    )


BATCHES = "{ strategy: 'batching', config: { size: 4, timeout: 600 } }"
QUEUED = "queueOptions: { batch: { enabled: true, maxItems: 4, flushInterval: 500 } },"
BEACONS = "useBeacon: true, beaconQueueOptions: { maxItems: 4, flushQueueInterval: 500 },"
ONE_EACH = {"/v1/page", "/v1/track", "/v1/identify", "/v1/group", "/v1/alias"}


class Way(NamedTuple):
    """A way to deliver: the SDK, its page's script, how it says when something happened,
    which addresses the browser asks first, and whether it can deliver while a page is left."""

    module: str
    script: str
    when: str
    asked: set[str]
    can_leave: bool = True


AT, RUDDER_AT, CONFIG = "timestamp", "originalTimestamp", {"/sourceConfig/"}
WAYS = {
    "segment at once": Way(
        SEGMENT, segment("{ strategy: 'standard' }"), AT, {path[:5] for path in ONE_EACH}
    ),
    "segment in batches": Way(SEGMENT, segment(BATCHES), AT, {"/v1/b"}),
    "rudderstack at once": Way(RUDDER, rudder(""), RUDDER_AT, CONFIG | ONE_EACH, can_leave=False),
    "rudderstack in batches": Way(
        RUDDER, rudder(QUEUED), RUDDER_AT, CONFIG | {"/v1/batch"}, can_leave=False
    ),
    "rudderstack by beacon": Way(RUDDER, rudder(BEACONS), RUDDER_AT, CONFIG),
}


@pytest.fixture(scope="module")
def edge(module_db: str) -> Iterator[LiveEdge]:
    with running_edge() as running:
        yield running


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(MODULES) as served:
        served.page("gone")
        yield served


class Visitor:
    """A visitor's page with an SDK on it, and what her browser asked first (CORS)."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.preflights: Counter[str] = Counter()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._watch)

    def _watch(self, event: dict[str, Any]) -> None:
        if event["request"]["method"] == "OPTIONS":
            self.preflights[urlsplit(event["request"]["url"]).path] += 1

    def come(self) -> None:
        """Open the page and wait until its SDK has its settings."""
        self.page.goto(self.address)
        self.until(lambda: self.page.evaluate("Boolean(window.isReady)"), "the SDK")

    def leave(self, source: Source, total: int, *, stays: bool) -> None:
        """Leave for another page while something is told, or once it is, when she ``stays``."""
        self.page.evaluate("client.track('Leaving', {})")
        if stays:
            self.until(lambda: count(source) == total, f"{total} events")
        self.page.evaluate("location.href = '/gone'")
        self.page.wait_for_url("**/gone")
        self.until(lambda: count(source) == total, f"{total} events, of those that were left")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait; meanwhile the browser is listened to."""

        def look() -> bool:
            self.page.wait_for_timeout(25)
            return condition()

        wait_for(look, seconds=60, what=what)


def need(module: str) -> None:
    if not (MODULES / module.removeprefix("/npm/")).exists():
        pytest.skip("the JavaScript clients are not installed (scripts/node.sh)")


def count(source: Source) -> int:
    counted = api.count_by_source().get(source.source_id)
    return counted.stored if counted else 0


@pytest.mark.parametrize("name", WAYS)
def test_an_sdk_tells_all_of_a_visit(
    name: str, edge: LiveEdge, pages: Pages, open_page: Callable[[], Page]
) -> None:
    way = WAYS[name]
    need(way.module)
    source = api.create_source(name=name, kind="browser")
    who = name.replace(" ", "-")
    pages.put(f"{who}.js", way.script.replace("KEY", source.write_key).replace("EDGE", edge.url))
    head = f'<script src="{way.module}"></script><script defer src="/{who}.js"></script>'
    visitor = Visitor(open_page(), f"{pages.page(who, head)}?utm_source=news&utm_campaign=spring")
    visitor.come()
    story = STORY.replace("WHEN", way.when).replace("u-1", f"{who}-u1")
    visitor.page.evaluate(f"() => {{ {story.replace('old-1', f'{who}-old')} }}")
    visitor.until(lambda: count(source) == 8, "the visit")
    visitor.leave(source, 9, stays=not way.can_leave)
    visitor.come()
    visitor.page.evaluate("client.page('Shop', 'Again')")
    visitor.leave(source, 11, stays=not way.can_leave)
    assert set(visitor.preflights) == way.asked
    check(source, who)


def check(source: Source, who: str) -> None:
    """Look at all that is known of the one who visited."""
    while api.fold_batch().events:
        pass
    counts = api.count_by_source()[source.source_id]
    assert (counts.quarantined, counts.refused) == (0, 0)
    profile = api.find_profile(kind="user_id", value=f"{who}-u1")
    assert profile is not None
    assert profile.event_counts == TOLD
    assert profile.traits == TRAITS
    assert (profile.order_count, profile.revenue_minor) == (1, 1250)
    look_at_activities(profile, source)
    look_at_identities(profile, source, who)


def look_at_activities(profile: Profile, source: Source) -> None:
    activities = [
        each
        for each in api.list_activity(profile_id=profile.profile_id, limit=100).items
        if each.source_id == source.source_id
    ]
    assert len(activities) == sum(TOLD.values())
    (order,) = [each for each in activities if each.name == "Order Completed"]
    assert {key: order.properties[key] for key in ORDER} == ORDER
    for each in activities:
        expected = ORDERED_AT if each is order else each.received_at
        assert abs(each.occurred_at - expected) < timedelta(seconds=3), each.name
    viewed = [each.properties["product_id"] for each in named(activities, "Product Viewed")]
    assert sorted(viewed) == ["p-1", "p-2", "p-3"]
    pages = named(activities, "Page Viewed")
    assert {each.properties["name"] for each in pages} == {"Home", "Again"}
    assert {each.context["campaign"]["name"] for each in pages} == {"spring"}


def named(activities: list[Activity], name: str) -> list[Activity]:
    return [each for each in activities if each.name == name]


def look_at_identities(profile: Profile, source: Source, who: str) -> None:
    with transaction() as connection:
        rows = connection.execute(
            "SELECT body FROM store_event_log WHERE source_id = %s", [source.source_id]
        ).fetchall()
    visitors = {json.loads(row[0])["anonymousId"] for row in rows}
    assert len(visitors) == 1, "the same browser on both visits"
    for value in (*visitors, f"{who}-old"):
        found = api.find_profile(kind="anonymous_id", value=value)
        assert found is not None, value
        assert found.profile_id == profile.profile_id
