"""Segments from definition to membership, through the log, the fold and the follower."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.analysis.logic import following_backfill
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store

FRENCH = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}
BUYER = {"node": "did", "event": "Order Completed", "within_days": 30}


def _now():
    return datetime.now(UTC)


@pytest.fixture
def shop(db):
    return Shop(store.create_source(name="Shop", kind="server").source_id)


class Shop:
    """Sends events and runs the consumers until nothing is left to do."""

    def __init__(self, source_id):
        self.source_id = source_id
        self._sent = 0

    def send(self, *events, now=None):
        bodies = []
        for event in events:
            self._sent += 1
            bodies.append(msgspec.json.encode({"messageId": f"m{self._sent}", **event}))
        receipt = store.append_events(source_id=self.source_id, events=bodies, now=now or _now())
        assert receipt.quarantined == 0, receipt
        self.run(now=now)

    def identify(self, user, now=None, **traits):
        self.send({"type": "identify", "userId": user, "traits": traits}, now=now)

    def track(self, user, event, at=None, **properties):
        body = {"type": "track", "userId": user, "event": event, "properties": properties}
        self.send(body | ({"timestamp": format_instant(at)} if at else {}))

    def run(self, now=None):
        for _ in range(200):
            folded = store.fold_batch()
            followed = analysis.follow_batch(now=now or _now())
            if not folded.events and not followed.events:
                return
        raise AssertionError("the consumers never came to rest")

    def define(self, name, rule, now=None):
        made = analysis.create_segment(name=name, rule=rule, by="test", now=now or _now())
        self.run(now=now)
        return made.segment_id

    def members(self, segment_id):
        page = analysis.list_members(segment_id=segment_id, limit=100)
        held = [member.profile_id for member in page.items]
        assert analysis.get_segment(segment_id=segment_id).members == len(held)
        return sorted(held)

    def id_of(self, user):
        return store.find_profile(kind="user_id", value=user).profile_id

    def events_of(self, user, *names):
        page = store.list_activity(profile_id=self.id_of(user), names=list(names))
        return [(item.name, item.properties["cause"]) for item in reversed(page.items)]


def test_membership_follows_traits_and_events(shop):
    french, buyers = shop.define("French", FRENCH), shop.define("Buyers", BUYER)
    both = shop.define(
        "French buyers",
        {"node": "all", "of": [{"node": "in_segment", "segment_id": s} for s in (french, buyers)]},
    )
    strangers = shop.define("Never bought", {"node": "not", "of": BUYER})
    shop.identify("ann", country="FR")
    ann = shop.id_of("ann")
    assert (shop.members(french), shop.members(buyers)) == ([ann], [])
    assert shop.members(strangers) == [ann]
    shop.track("ann", "Order Completed", order_id="1", total=5)
    assert (shop.members(buyers), shop.members(both)) == ([ann], [ann])
    assert shop.members(strangers) == []
    shop.identify("ann", country="DE")
    assert (shop.members(french), shop.members(both)) == ([], [])
    names = ("Segment Entered", "Segment Left")
    assert shop.events_of("ann", *names).count(("Segment Entered", "event")) == 4
    assert shop.events_of("ann", *names).count(("Segment Left", "event")) == 3
    stays = analysis.list_memberships(profile_id=ann)
    assert (stays[0].segment_name, stays[0].left_at) == ("Buyers", None)
    assert len(stays) == 4


def test_history_is_read_when_a_segment_is_made_or_changed(shop):
    shop.identify("ann", country="FR")
    shop.identify("bob", country="DE")
    segment = analysis.create_segment(name="French", rule=FRENCH, by="test", now=_now())
    assert segment.state == "building"
    assert segment.words == "country is “FR”"
    shop.run()
    made = analysis.get_segment(segment_id=segment.segment_id)
    assert (made.state, made.members, made.version) == ("live", 1, 1)
    assert shop.events_of("ann", "Segment Entered") == [("Segment Entered", "definition")]
    german = {**FRENCH, "is": {"op": "eq", "value": "DE"}}
    changed = analysis.update_segment(
        segment_id=segment.segment_id, rule=german, by="test", now=_now()
    )
    assert (changed.state, changed.version) == ("building", 2)
    shop.run()
    assert shop.members(segment.segment_id) == [shop.id_of("bob")]
    assert shop.events_of("ann", "Segment Left") == [("Segment Left", "definition")]
    renamed = analysis.update_segment(
        segment_id=segment.segment_id, name="German", by="test", now=_now()
    )
    assert (renamed.state, renamed.version, renamed.rule) == ("live", 2, german)
    shop.identify("cid", country="DE")
    assert len(shop.members(segment.segment_id)) == 2


def test_windows_end_by_timer(shop):
    buyers = shop.define("Buyers", BUYER)
    lapsed = shop.define(
        "Lapsed",
        {
            "node": "all",
            "of": [
                {"node": "did", "event": "Order Completed"},
                {"node": "not", "of": {"node": "in_segment", "segment_id": buyers}},
            ],
        },
    )
    bought_at = _now() - timedelta(days=1)
    shop.track("ann", "Order Completed", at=bought_at, order_id="1", total=5)
    ann = shop.id_of("ann")
    assert (shop.members(buyers), shop.members(lapsed)) == ([ann], [])
    just_before = bought_at + timedelta(days=30, milliseconds=-2)
    shop.run(now=just_before)
    assert shop.members(buyers) == [ann]
    shop.run(now=bought_at + timedelta(days=30))
    assert (shop.members(buyers), shop.members(lapsed)) == ([], [ann])
    assert shop.events_of("ann", "Segment Left") == [("Segment Left", "time")]
    with database.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM analysis_timer").fetchone() == (0,)


def test_a_large_segment_is_filled_in_slices(shop, monkeypatch):
    monkeypatch.setattr(following_backfill, "_SLICE", 2)
    for number in range(5):
        shop.track(f"u{number}", "Order Completed", order_id=str(number), total=5)
    now = _now()
    made = analysis.create_segment(name="Buyers", rule=BUYER, by="test", now=now).segment_id
    asking = {"node": "not", "of": {"node": "in_segment", "segment_id": made}}
    above = analysis.create_segment(name="Others", rule=asking, by="test", now=now).segment_id

    def timers():
        with database.transaction() as connection:
            query = "SELECT count(*) FROM analysis_timer WHERE segment_id = %s"
            return connection.execute(query, [made]).fetchone()[0]

    seen = []
    while analysis.get_segment(segment_id=above).state == "building":
        analysis.follow_batch(now=_now())
        found = analysis.get_segment(segment_id=made)
        seen.append((found.state, found.members, timers()))
    assert seen[:5] == [
        ("building", 2, 0),
        ("building", 4, 0),
        ("building", 5, 2),
        ("building", 5, 4),
        ("live", 5, 5),
    ]
    assert len(shop.members(made)) == 5
    assert shop.members(above) == []
    shop.run()
    assert shop.events_of("u3", "Segment Entered") == [("Segment Entered", "definition")]


def test_a_sequence_is_followed_by_event_and_by_timer(shop):
    convinced = shop.define(
        "Looked and bought",
        {
            "node": "sequence",
            "first": {"event": "Product Viewed"},
            "then": {"event": "Order Completed"},
            "apart_days": 1,
            "without": {"event": "Cart Cleared"},
            "within_days": 7,
        },
    )
    now = _now()
    for user in ("ann", "bob"):
        shop.track(user, "Order Completed", at=now - timedelta(hours=1), order_id=user)
    assert shop.members(convinced) == []
    for user in ("ann", "bob"):  # told late: what comes first is heard of last
        shop.track(user, "Product Viewed", at=now - timedelta(hours=3))
    assert shop.members(convinced) == sorted([shop.id_of("ann"), shop.id_of("bob")])
    shop.track("bob", "Cart Cleared", at=now - timedelta(hours=2))
    assert shop.members(convinced) == [shop.id_of("ann")]
    assert shop.events_of("bob", "Segment Left") == [("Segment Left", "event")]
    expiry = now - timedelta(hours=1) + timedelta(days=7)
    shop.run(now=expiry - timedelta(seconds=1))
    assert shop.members(convinced) == [shop.id_of("ann")]
    shop.run(now=expiry)
    assert shop.members(convinced) == []
    assert shop.events_of("ann", "Segment Left") == [("Segment Left", "time")]


def test_a_calendar_window_moves_at_midnight_of_its_zone(shop):
    now = _now()
    # One of two half a day apart, so that the day does not end while the test runs.
    zones = [ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/St_Johns")]
    zone = next(each for each in zones if now.astimezone(each).hour < 23)
    orders = {"node": "did", "event": "Order Completed", "at_least": 2}
    day = {"unit": "day", "zone": zone.key}
    today = shop.define("Bought twice today", {**orders, "during": day})
    spent = {"node": "aggregate", "measure": "sum", "property": "total", "event": "Order Completed"}
    spent |= {"is": {"op": "gt", "value": 9.5}, "during": {**day, "which": "last"}}
    yesterday = shop.define("Spent yesterday", spent)
    for order_id in ("1", "2"):
        shop.track("ann", "Order Completed", order_id=order_id, total=4.8)
    assert (shop.members(today), shop.members(yesterday)) == ([shop.id_of("ann")], [])
    tomorrow = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
    shop.run(now=tomorrow - timedelta(microseconds=1))
    assert (shop.members(today), shop.members(yesterday)) == ([shop.id_of("ann")], [])
    shop.run(now=tomorrow)
    assert (shop.members(today), shop.members(yesterday)) == ([], [shop.id_of("ann")])
    shop.run(now=tomorrow + timedelta(days=1))
    assert (shop.members(today), shop.members(yesterday)) == ([], [])
    assert shop.events_of("ann", "Segment Entered", "Segment Left") == [
        ("Segment Entered", "event"),
        ("Segment Left", "time"),
        ("Segment Entered", "time"),
        ("Segment Left", "time"),
    ]


def test_refunds_larger_than_their_order_take_no_more_than_it(shop):
    net = {"node": "ordered", "measure": "net", "currency": "EUR"}
    nothing = shop.define("Nothing left", {**net, "is": {"op": "eq", "value": 0}})
    below = shop.define("Below nothing", {**net, "is": {"op": "lt", "value": 0}})
    average = {**net, "average": True, "is": {"op": "lte", "value": 100}}
    average_of = shop.define("Small orders", average)
    bought = {"order_id": "1", "total": 30, "currency": "EUR"}
    shop.track("ann", "Order Completed", **bought)
    assert shop.members(average_of) == [shop.id_of("ann")]
    shop.track("ann", "Order Refunded", **{**bought, "total": 60})
    assert shop.members(nothing) == [shop.id_of("ann")]
    assert shop.members(below) == []
    # Of whoever never ordered no average is known.
    shop.track("bob", "Product Viewed", product_id="p1")
    assert shop.id_of("bob") not in shop.members(average_of)


def test_windows_of_history_end_by_timer_too(shop):
    bought_at = _now() - timedelta(days=10)
    shop.track("ann", "Order Completed", at=bought_at, order_id="1", total=5)
    buyers = shop.define("Buyers", BUYER)
    assert shop.members(buyers) == [shop.id_of("ann")]
    shop.run(now=bought_at + timedelta(days=30, seconds=1))
    assert shop.members(buyers) == []


def test_merged_profiles_are_one_member(shop):
    seen = {"node": "did", "event": "Page Viewed", "at_least": 2}
    twice, french = shop.define("Twice", seen), shop.define("French", FRENCH)
    shop.send(
        {"type": "page", "anonymousId": "phone"},
        {"type": "page", "anonymousId": "laptop"},
        {"type": "identify", "anonymousId": "phone", "traits": {"country": "FR"}},
        {"type": "identify", "anonymousId": "laptop", "traits": {"country": "FR"}},
    )
    assert shop.members(twice) == []
    assert len(shop.members(french)) == 2
    shop.send({"type": "identify", "anonymousId": "phone", "userId": "ann"})
    shop.send({"type": "identify", "anonymousId": "laptop", "userId": "ann"})
    ann = shop.id_of("ann")
    assert shop.members(twice) == [ann]
    assert shop.members(french) == [ann]
    merge = store.list_merges(profile_id=ann).items[0]
    store.unmerge(merge_id=merge.merge_id, by="test", now=_now())
    shop.run()
    assert shop.members(twice) == []
    assert len(shop.members(french)) == 2


def test_consent(shop):
    agreed = shop.define("Agreed", {"node": "consent", "purpose": "marketing.email"})

    def say(value):
        preferences = {"marketing.email": value}
        shop.send(
            {
                "type": "track",
                "userId": "ann",
                "event": "Segment Consent Preference Updated",
                "context": {"consent": {"categoryPreferences": preferences}},
            }
        )

    say(True)
    assert shop.members(agreed) == [shop.id_of("ann")]
    say(False)
    assert shop.members(agreed) == []


def test_archiving_ends_memberships_and_frees_the_name(shop):
    french = shop.define("French", FRENCH)
    user = shop.define("Users", {"node": "in_segment", "segment_id": french})
    shop.identify("ann", country="FR")
    with pytest.raises(Conflict, match="used by Users"):
        analysis.archive_segment(segment_id=french, by="test", now=_now())
    analysis.archive_segment(segment_id=user, by="test", now=_now())
    analysis.archive_segment(segment_id=french, by="test", now=_now())
    shop.run()
    assert shop.members(french) == []
    assert [s.name for s in analysis.list_segments(is_archived=True)] == ["French", "Users"]
    assert analysis.find_segment(name="french") is None
    with pytest.raises(Conflict, match="archived"):
        analysis.update_segment(segment_id=french, name="X", by="test", now=_now())
    with pytest.raises(Invalid, match="archived"):
        analysis.create_segment(
            name="Z", rule={"node": "in_segment", "segment_id": french}, by="test", now=_now()
        )
    again = shop.define("French", FRENCH)
    assert shop.members(again) == [shop.id_of("ann")]


def test_definitions_are_checked(shop):
    french = shop.define("French", FRENCH)
    with pytest.raises(Conflict, match="already a segment"):
        analysis.create_segment(name=" fRENCH ", rule=FRENCH, by="test", now=_now())
    inner = shop.define("Inner", {"node": "in_segment", "segment_id": french})
    with pytest.raises(Invalid, match="its own segment"):
        analysis.update_segment(
            segment_id=french,
            rule={"node": "in_segment", "segment_id": inner},
            by="test",
            now=_now(),
        )
    with pytest.raises(Invalid, match="does not exist"):
        analysis.create_segment(
            name="N", rule={"node": "in_segment", "segment_id": 999}, by="test", now=_now()
        )
    with pytest.raises(Invalid, match="name of 1 to 100"):
        analysis.create_segment(name=" ", rule=FRENCH, by="test", now=_now())
    with pytest.raises(NotFound):
        analysis.get_segment(segment_id=999)
    assert analysis.find_segment(name="FRENCH").segment_id == french


def test_preview_counts_warns_and_explains(shop):
    shop.identify("ann", country="FR", plan="gold")
    shop.identify("bob", country="FR")
    found = analysis.preview(rule=FRENCH, now=_now())
    assert (found.members, found.of_profiles, found.warnings) == (2, 2, [])
    assert found.examples == [shop.id_of("bob"), shop.id_of("ann")]
    unknown = {
        "node": "any",
        "of": [
            {"node": "check", "field": "trait.shoe_size", "is": {"op": "gt", "value": 44}},
            {"node": "did", "event": "Flew"},
            {"node": "in_segment", "segment_id": 999},
            {"node": "consent", "purpose": "space"},
        ],
    }
    found = analysis.preview(rule=unknown, now=_now())
    assert found.members == 0
    assert found.warnings == [
        "nobody has the trait “shoe_size”",
        "the event “Flew” was never seen",
        "nobody was ever asked for consent for “space”",
        "there is no segment 999",
    ]
    why = analysis.explain(
        rule={"node": "all", "of": [FRENCH, BUYER]}, profile_id=shop.id_of("ann"), now=_now()
    )
    assert not why.holds
    assert [(part.words, part.holds) for part in why.parts] == [
        ("country is “FR”", True),
        ("did “Order Completed” in the last 30 days", False),
    ]


def test_counts_by_day_reach_back_into_history(shop):
    now = _now()
    for days in (100, 20):
        shop.track(
            f"user{days}", "Order Completed", at=now - timedelta(days=days), order_id=f"{days}"
        )
    ever = shop.define("Ever bought", {"node": "did", "event": "Order Completed"})
    counts = analysis.list_counts(segment_id=ever)
    assert (counts[-1].day, counts[-1].members, counts[-1].method) == (now.date(), 2, "counted")
    past = {(now.date() - c.day).days: c.members for c in counts if c.method == "reconstructed"}
    assert past[14] == 2
    assert past[28] == 1
    assert past[91] == 1
    assert 105 not in past
    stay = analysis.list_counts(segment_id=ever)
    shop.run(now=now + timedelta(days=1))
    assert len(analysis.list_counts(segment_id=ever)) == len(stay) + 1


def test_rebuilding_memberships_changes_nothing(shop):
    french = shop.define("French", FRENCH)
    shop.identify("ann", country="FR")
    before = analysis.list_members(segment_id=french).items
    assert analysis.rebuild_memberships() == 1
    shop.run()
    assert analysis.list_members(segment_id=french).items == before
    assert analysis.get_segment(segment_id=french).state == "live"


def test_two_followers_do_not_step_on_each_other(shop):
    shop.define("French", FRENCH)
    with database.transaction() as connection:
        assert store.claim_consumer(connection=connection, name="segments") is not None
        assert analysis.follow_batch(now=_now()).events == 0
