"""Visits end to end: events come in; visits, attribution and interests come out."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.infra import config
from amity.store import api
from amity.store.follower import followers
from amity.store.logic.folding.following import take_turn

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture
def source_id(db):
    return api.create_source(name="Web", kind="browser").source_id


def page(url, minute, *, who="ann-phone", referrer="", **more):
    at = NOW - timedelta(days=2) + timedelta(minutes=minute)
    return {
        "type": "page",
        "messageId": f"{who}-{minute}-{url}",
        "anonymousId": who,
        "timestamp": at.isoformat(),
        "properties": {"url": f"https://shop.example{url}", "title": url, "referrer": referrer},
        "context": {"userAgent": AGENT, "locale": "en"} | more.pop("context", {}),
    } | more


def track(name, minute, *, who="ann-phone", **properties):
    event = page("/x", minute, who=who)
    event["messageId"] += name
    context = event["context"] | {"page": {"url": "https://shop.example/x"}}
    return event | {
        "type": "track", "event": name, "properties": properties, "context": context,
    }  # fmt: skip


def send(source_id, events, now=NOW):
    raw = [msgspec.json.encode(event) for event in events]
    receipt = api.append_events(source_id=source_id, events=raw, now=now)
    assert receipt.accepted == len(events), receipt
    follow(now)


def follow(now=NOW):
    while api.fold_batch().events or take_turn(followers()["visits"], now=now, limit=50):
        pass


def person(kind, value):
    return api.find_profile(kind=kind, value=value)


def visits_of(who="ann-phone"):
    return api.list_visits(profile_id=person("anonymous_id", who).profile_id).items


def test_a_late_event_bridges_two_visits_and_another_comes_before_them(source_id):
    send(source_id, [page("/a", 0), page("/b", 40)])
    assert [visit.page_views for visit in visits_of()] == [1, 1]
    assert all(visit.is_bounce for visit in visits_of())
    send(source_id, [page("/between", 20)])
    [visit] = visits_of()
    assert [each.url[-8:] for each in visit.pages] == ["xample/a", "/between", "xample/b"]
    first = page("/first?utm_source=news&utm_medium=email&gclid=1", -10, referrer="https://t.co/x")
    send(source_id, [first])
    [visit] = visits_of()
    assert visit.landing_page == "https://shop.example/first"
    assert (visit.source, visit.medium, visit.referrer_kind) == ("news", "email", "social")
    assert visit.seconds == 50 * 60
    assert visit.device == "desktop"


def test_a_campaign_and_midnight_begin_a_visit(source_id):
    send(source_id, [page("/a", 0), page("/b?utm_campaign=may", 5), page("/c", 6)])
    assert [visit.page_views for visit in visits_of()] == [2, 1]
    with config.override(visit_midnight="1", time_zone="Asia/Tokyo"):
        send(source_id, [page("/1", 175, who="b"), page("/2", 185, who="b")])
        assert len(visits_of("b")) == 2
    send(source_id, [page("/1", 175, who="c"), page("/2", 185, who="c")])
    assert len(visits_of("c")) == 1


def test_first_and_last_touch_and_an_order_of_the_visit(source_id):
    send(
        source_id,
        [
            page("/shoes", 0, referrer="https://www.google.com/"),
            page("/shoes?utm_source=news&utm_medium=email&utm_campaign=may", 600),
            page("/basket", 1200),
            track("Order Completed", 1203, order_id="o1", total=12.5, currency="USD"),
            page("/spam", 2000, context={"userAgent": ROBOT}),
        ],
    )
    latest = visits_of()
    assert [visit.machine != "" for visit in latest] == [True, False, False, False]
    assert (latest[1].order_count, latest[1].revenue_minor) == (1, 1250)
    found = api.get_attribution(profile_id=person("anonymous_id", "ann-phone").profile_id)
    assert (found.first.source, found.first.medium) == ("google.com", "search")
    assert (found.last.source, found.last.medium, found.last.campaign) == ("news", "email", "may")
    assert found.last.landing_page == "https://shop.example/shoes"
    assert (found.visit_count, found.machine_count) == (3, 1)
    shares = api.list_visit_shares(since=NOW - timedelta(days=9))
    by_source = {share.source: (share.people, share.machines, share.orders) for share in shares}
    assert by_source["google.com"] == (1, 0, 0)
    assert by_source["direct"] == (1, 1, 1)


def viewed(minute, *, who="ann-phone", **properties):
    return track("Product Viewed", minute, who=who, **properties)


def interests_of(profile_id, now=NOW):
    found = api.list_interests(profile_id=profile_id, now=now)
    return {one.topic: round(one.weight, 2) for one in found}


def test_interests_fade_add_up_and_leave_machines_out(source_id):
    at = NOW - timedelta(days=2)
    send(source_id, [viewed(0, category="Shoes", brand="Swift"), viewed(1, category="Shoes")])
    send(source_id, [viewed(n, who="bot", category="Hats") for n in range(1)])
    robot = viewed(3, who="robot", category="Hats")
    robot["context"]["userAgent"] = ROBOT
    send(source_id, [robot])
    ann = person("anonymous_id", "ann-phone").profile_id
    assert interests_of(ann, at) == {"shoes": 2.0, "swift": 1.0}
    assert interests_of(ann, at + timedelta(days=14)) == {"shoes": 1.0, "swift": 0.5}
    assert interests_of(person("anonymous_id", "robot").profile_id) == {}
    send(source_id, [track("Product Added", 9, who="ann-desk", category="Shoes", brand="Swift")])
    join = {"type": "identify", "userId": "ann", "timestamp": at.isoformat()}
    send(source_id, [join | {"anonymousId": who, "messageId": who} for who in ("ann-phone",)])
    send(source_id, [join | {"anonymousId": who, "messageId": who} for who in ("ann-desk",)])
    ann = person("user_id", "ann").profile_id
    assert interests_of(ann, at) == pytest.approx({"shoes": 5.0, "swift": 4.0}, abs=0.01)
    assert api.get_profile(profile_id=ann).traits["interests"] == {"shoes": 3, "swift": 3}


def test_rules_see_interests_come_and_fade(source_id):
    send(source_id, [track("Product Added", n, category="Shoes") for n in range(2)])
    ann = person("anonymous_id", "ann-phone").profile_id
    rule = {
        "node": "check", "field": "trait.interests",
        "is": {"op": "interested", "topic": "shoes", "value": 5},
    }  # fmt: skip
    analysis.create_segment(name="Shoe lovers", rule=rule, by="kit", now=NOW)

    def inside(now):
        while analysis.follow_batch(now=now).events:
            pass
        found = analysis.list_memberships(profile_id=ann)
        return [one.segment_name for one in found if one.left_at is None]

    assert inside(NOW) == ["Shoe lovers"]
    later = NOW + timedelta(days=15)
    follow(later)
    assert api.get_profile(profile_id=ann).traits["interests"] == {"shoes": 2}
    assert inside(later) == []
    gone = NOW + timedelta(days=60)
    follow(gone)
    assert "interests" not in api.get_profile(profile_id=ann).traits
    claims = api.list_claims(profile_id=ann, now=gone)
    assert claims is not None


def test_a_rebuild_tells_nothing_anew(source_id):
    send(source_id, [track("Product Added", n, category="Shoes") for n in range(2)])
    ann = person("anonymous_id", "ann-phone").profile_id
    before = len(api.list_activity(profile_id=ann).items)
    shown = visits_of()
    api.rebuild()
    follow()
    assert visits_of() == shown
    assert len(api.list_activity(profile_id=ann).items) == before


def test_a_server_that_tells_an_order_makes_no_visit(source_id):
    server = api.create_source(name="Shop", kind="server").source_id
    order = track("Order Completed", 50, order_id="o9", total=5, currency="USD", category="Hats")
    send(server, [order | {"context": {}}])
    assert visits_of() == []
    ann = person("anonymous_id", "ann-phone").profile_id
    assert interests_of(ann, NOW - timedelta(days=2)) == {"hats": 5.01}
    send(source_id, [page("/pay", 40)])
    [visit] = visits_of()
    assert (visit.order_count, visit.revenue_minor, visit.page_views) == (1, 500, 1)
