"""Journeys from event to message: through the log, the fold and the journeys consumer."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.broadcast import api_journeys
from amity.broadcast.logic.journeys import enrolling, enrolling_book
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def add_template(name="Cart reminder", message_class="marketing"):
    """A template as the tables hold it; how it is written is not this test's matter."""
    with database.transaction() as connection:
        content = connection.execute(
            "INSERT INTO broadcast_content (class, subject, source, html, text)"
            " VALUES (%s, 'Still yours', '-', '-', '-') RETURNING id",
            [message_class],
        ).fetchone()[0]
        return connection.execute(
            "INSERT INTO broadcast_template (name, content_id) VALUES (%s, %s) RETURNING id",
            [name, content],
        ).fetchone()[0]


class Shop:
    """Sends events and runs the consumers until nothing is left to do."""

    def __init__(self):
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self.template_id = add_template()
        self._sent = 0

    def track(self, user, event, at=NOW, now=None, **properties):
        self._sent += 1
        body = {
            "type": "track",
            "userId": user,
            "event": event,
            "messageId": f"m{self._sent}",
            "timestamp": format_instant(at),
            "properties": properties,
        }
        self.send(body, now=now or max(at, NOW))

    def send(self, body, now=NOW):
        receipt = store.append_events(
            source_id=self.source_id, events=[msgspec.json.encode(body)], now=now
        )
        assert receipt.quarantined == 0
        self.run(now)

    def identify(self, user, now=NOW, **more):
        self._sent += 1
        self.send({"type": "identify", "userId": user, "messageId": f"m{self._sent}", **more}, now)

    def run(self, now):
        for _ in range(200):
            folded = store.fold_batch().events
            stepped = api_journeys.step_batch(now=now).events
            if not folded and not stepped:
                return
        raise AssertionError("the consumers never came to rest")

    def begin(self, definition, name="A journey"):
        made = api_journeys.create_journey(name=name, definition=definition, by="test", now=NOW)
        api_journeys.set_journey_state(journey_id=made.journey_id, state="live", by="test", now=NOW)
        return made.journey_id

    def begin_cart(self):
        return self.begin(api_journeys.abandoned_cart(template_id=self.template_id), "Cart")

    def id_of(self, user):
        return store.find_profile(kind="user_id", value=user).profile_id

    def ways(self, user=None, **more):
        ids = [self.id_of(user)] if user else None
        page = api_journeys.list_enrolments(profile_ids=ids, **more)
        return [(way.node, way.ending) for way in reversed(page.items)]


def sends():
    with database.transaction() as connection:
        return connection.execute(
            "SELECT step_key, state, reason, class, purpose, variables, contact_point, profile_id"
            " FROM broadcast_send WHERE run_kind = 'journey' ORDER BY step_key"
        ).fetchall()


def check_counts(journey_id):
    """What is counted while stepping is what the ways themselves say."""
    report = api_journeys.report_journey(journey_id=journey_id)
    for node in report.nodes:
        assert node.here == node.came - sum(node.left.values()), node
    assert report.active == sum(node.here for node in report.nodes)
    assert report.entered == report.active + sum(report.endings.values())
    return report


@pytest.fixture
def shop(db):
    return Shop()


def test_a_cart_that_is_left_gets_one_reminder(shop):
    cart = shop.begin_cart()
    shop.identify("ann", traits={"email": "ann@shop.example"})
    shop.track("ann", "Product Added", product_id="p1")
    assert shop.ways("ann") == [("an hour", "")]
    shop.run(NOW + HOUR - timedelta(seconds=1))
    assert sends() == []
    shop.run(NOW + HOUR)
    assert shop.ways("ann") == [("reminder", "finished")]
    [(key, state, reason, kind, purpose, variables, point, profile_id)] = sends()
    way = api_journeys.list_enrolments().items[0]
    assert key == f"{way.enrolment_id}:reminder:1"
    assert (state, reason, kind, purpose) == ("queued", "", "marketing", "marketing.email")
    assert variables["event"]["product_id"] == "p1"
    assert point == store.contact_key(channel="email", address="ann@shop.example")
    assert profile_id == shop.id_of("ann")
    shop.run(NOW + 5 * HOUR)
    assert len(sends()) == 1
    report = check_counts(cart)
    assert (report.entered, report.active, report.finished) == (1, 0, 1)
    assert report.counts.pending == report.counts.targeted == 1
    by_name = {node.node: node for node in report.nodes}
    assert list(by_name) == ["an hour", "ordered?", "reminder"]
    assert by_name["ordered?"].left == {"yes": 0, "no": 1}
    assert by_name["ordered?"].next == {"yes": "", "no": "reminder"}


def test_an_order_ends_the_way(shop):
    cart = shop.begin_cart()
    shop.track("ann", "Product Added")
    shop.track("ann", "Order Completed", at=NOW + timedelta(minutes=5), order_id="1", total=5)
    assert shop.ways("ann") == [("an hour", "exit")]
    shop.run(NOW + 2 * HOUR)
    assert sends() == []
    report = check_counts(cart)
    assert report.endings == {"exit": 1}
    assert report.nodes[0].left == {"next": 0, "exit": 1}


def test_an_order_from_before_the_cart_does_not_end_it(shop):
    shop.begin_cart()
    shop.track("ann", "Product Added")
    shop.track("ann", "Order Completed", at=NOW - HOUR, order_id="1", total=5)
    assert shop.ways("ann") == [("an hour", "")]
    shop.run(NOW + HOUR)
    assert len(sends()) == 1


def test_who_has_ordered_since_does_not_begin_by_an_event_that_comes_late(shop):
    shop.begin_cart()
    shop.track("ann", "Order Completed", at=NOW, order_id="1", total=5)
    shop.track("ann", "Product Added", at=NOW - timedelta(minutes=9))
    assert shop.ways("ann") == []
    shop.track("ann", "Product Added", at=NOW + timedelta(minutes=9))
    assert shop.ways("ann") == [("an hour", "")]


def test_an_old_event_does_not_begin_and_a_late_one_waits_for_the_rest_only(shop):
    shop.begin_cart()
    shop.track("ann", "Product Added", at=NOW - timedelta(hours=25))
    assert shop.ways("ann") == []
    shop.track("ann", "Product Added", at=NOW - timedelta(minutes=30))
    [way] = api_journeys.list_enrolments().items
    assert way.due_at == NOW + timedelta(minutes=30)


def test_people_begin_again_only_after_a_while(shop):
    shop.begin_cart()
    shop.track("ann", "Product Added")
    shop.track("ann", "Product Added", at=NOW + timedelta(minutes=1))
    assert len(shop.ways("ann")) == 1
    shop.run(NOW + HOUR)
    shop.track("ann", "Product Added", at=NOW + timedelta(days=6))
    assert len(shop.ways("ann")) == 1
    shop.track("ann", "Product Added", at=NOW + timedelta(days=7))
    assert len(shop.ways("ann")) == 2
    shop.run(NOW + timedelta(days=8))
    assert len(sends()) == 2


def test_waiting_for_an_event_goes_by_when_it_happened(shop):
    journey = shop.begin(
        {
            "entry": {"event": "Signed Up"},
            "reentry_days": 0,
            "start": "click",
            "nodes": {
                "click": {
                    "kind": "wait_for",
                    "event": "Email Link Clicked",
                    "seconds": 3600,
                    "happened": "thanks",
                    "timed_out": "",
                },
                "thanks": {"kind": "email", "template_id": shop.template_id},
            },
        }
    )
    shop.track("ann", "Signed Up")
    shop.track("bob", "Signed Up")
    shop.track("cid", "Signed Up")
    shop.track("ann", "Email Link Clicked", at=NOW + timedelta(minutes=1), is_machine=True)
    assert shop.ways("ann") == [("click", "")]
    shop.track("ann", "Email Link Clicked", at=NOW + timedelta(minutes=2))
    assert shop.ways("ann") == [("thanks", "finished")]
    # Heard of in the same turn as the time being up, but it was too late.
    shop.track("bob", "Email Link Clicked", at=NOW + 2 * HOUR)
    assert shop.ways("bob") == [("click", "finished")]
    assert shop.ways("cid") == [("click", "finished")]
    report = check_counts(journey)
    assert report.nodes[0].left == {"happened": 1, "timed_out": 2}
    assert len(sends()) == 1


def test_a_branch_by_rule_sees_traits_segments_and_behaviour(shop):
    rule = {
        "node": "all",
        "of": [
            {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}},
            {"node": "did", "event": "Order Completed", "at_least": 2},
        ],
    }
    shop.begin(
        {
            "entry": {
                "event": "Signed In",
                "where": [{"property": "page", "is": {"op": "eq", "value": "shop"}}],
            },
            "start": "who",
            "nodes": {
                "who": {"kind": "branch", "rule": rule, "yes": "mail", "no": ""},
                "mail": {"kind": "email", "template_id": shop.template_id},
            },
        }
    )
    for user, country in (("ann", "FR"), ("bob", "DE"), ("cid", "FR")):
        shop.identify(user, traits={"country": country})
        for number in range(1 if user == "cid" else 2):
            shop.track(user, "Order Completed", order_id=f"{user}{number}", total=1)
        shop.track(user, "Signed In", page="other")
        assert shop.ways(user) == []
        shop.track(user, "Signed In", page="shop")
    assert shop.ways("ann") == [("mail", "finished")]
    assert shop.ways("bob") == shop.ways("cid") == [("who", "finished")]
    # Nobody wrote down an address: the gate will say so, the way goes on.
    assert [row[6] for row in sends()] == [f"profile:{shop.id_of('ann')}"]


def test_while_paused_nobody_begins_and_time_stands_still_but_an_order_counts(shop):
    cart = shop.begin_cart()
    for user in ("ann", "bob"):
        shop.track(user, "Product Added")
    api_journeys.set_journey_state(journey_id=cart, state="paused", by="test", now=NOW)
    shop.track("cid", "Product Added")
    shop.track("bob", "Order Completed", at=NOW + timedelta(minutes=1), order_id="1", total=1)
    shop.run(NOW + 3 * HOUR)
    assert (shop.ways("ann"), shop.ways("cid")) == ([("an hour", "")], [])
    assert shop.ways("bob") == [("an hour", "exit")]
    api_journeys.set_journey_state(journey_id=cart, state="live", by="test", now=NOW)
    shop.run(NOW + 3 * HOUR)
    assert shop.ways("ann") == [("reminder", "finished")]
    check_counts(cart)


def test_what_was_waited_for_during_a_pause_counts_when_it_goes_on(shop):
    journey = shop.begin(
        {
            "entry": {"event": "Signed Up"},
            "start": "click",
            "nodes": {
                "click": {
                    "kind": "wait_for",
                    "event": "Clicked",
                    "days": 1,
                    "happened": "thanks",
                    "timed_out": "",
                },
                "thanks": {"kind": "email", "template_id": shop.template_id},
            },
        }
    )
    shop.track("ann", "Signed Up")
    api_journeys.set_journey_state(journey_id=journey, state="paused", by="test", now=NOW)
    shop.track("ann", "Clicked", at=NOW + HOUR)
    assert shop.ways("ann") == [("click", "")]
    api_journeys.set_journey_state(journey_id=journey, state="live", by="test", now=NOW)
    shop.run(NOW + timedelta(days=3))
    assert shop.ways("ann") == [("thanks", "finished")]
    check_counts(journey)


def test_archiving_ends_everybody_and_cancels_what_is_queued(shop):
    cart = shop.begin_cart()
    shop.track("ann", "Product Added")
    shop.run(NOW + HOUR)
    shop.track("bob", "Product Added", at=NOW + HOUR)
    api_journeys.set_journey_state(journey_id=cart, state="archived", by="test", now=NOW)
    shop.run(NOW + 3 * HOUR)
    shop.track("cid", "Product Added", at=NOW + 3 * HOUR)
    assert shop.ways() == [("reminder", "finished"), ("an hour", "archived")]
    assert [row[1:3] for row in sends()] == [("cancelled", "stopped")]
    assert check_counts(cart).endings == {"finished": 1, "archived": 1}
    with pytest.raises(Conflict):
        api_journeys.set_journey_state(journey_id=cart, state="live", by="test", now=NOW)
    shop.begin_cart()


def test_who_is_under_way_stays_on_their_version(shop):
    cart = shop.begin_cart()
    shop.track("ann", "Product Added")
    changed = api_journeys.abandoned_cart(template_id=shop.template_id)
    changed["nodes"]["an hour"]["seconds"] = 7200
    changed["nodes"]["reminder"]["next"] = "and more"
    changed["nodes"]["and more"] = {"kind": "wait", "days": 1}
    assert (
        api_journeys.update_journey(journey_id=cart, definition=changed, by="test", now=NOW).version
        == 2
    )
    shop.track("bob", "Product Added")
    shop.run(NOW + HOUR)
    assert shop.ways("ann") == [("reminder", "finished")]
    assert shop.ways("bob") == [("an hour", "")]
    shop.run(NOW + 2 * HOUR)
    assert shop.ways("bob") == [("and more", "")]
    assert [way.version for way in api_journeys.list_enrolments().items] == [2, 1]
    check_counts(cart)


def test_a_merge_keeps_the_older_way_and_undoing_it_gives_it_back(shop):
    cart = shop.begin_cart()
    shop.track("ann", "Product Added")
    shop.send(
        {
            "type": "track",
            "event": "Product Added",
            "anonymousId": "cookie",
            "messageId": "x1",
            "timestamp": format_instant(NOW - timedelta(minutes=20)),
        }
    )
    cookie = store.find_profile(kind="anonymous_id", value="cookie").profile_id
    ann = shop.id_of("ann")
    assert cookie != ann
    shop.identify("ann", anonymousId="cookie")
    root = shop.id_of("ann")
    assert store.find_profile(kind="anonymous_id", value="cookie").profile_id == root
    assert sorted(shop.ways("ann")) == [("an hour", ""), ("an hour", "merged")]
    shop.run(NOW + timedelta(minutes=45))
    assert len(sends()) == 1
    shop.run(NOW + 3 * HOUR)
    assert len(sends()) == 1
    assert check_counts(cart).endings == {"finished": 1, "merged": 1}
    [merge] = [m for m in store.list_merges(profile_id=root).items if not m.refusal]
    store.unmerge(merge_id=merge.merge_id, by="test", now=NOW + 3 * HOUR)
    shop.run(NOW + 3 * HOUR)
    ways = {way.profile_id: way.ending for way in api_journeys.list_enrolments().items}
    assert ways == {cookie: "finished", ann: "merged"}


def test_the_order_of_one_who_turns_out_to_be_the_same_ends_the_way(shop):
    shop.begin_cart()
    shop.send(
        {
            "type": "track",
            "event": "Product Added",
            "anonymousId": "cookie",
            "messageId": "x1",
            "timestamp": format_instant(NOW),
        }
    )
    order = {
        "type": "track",
        "event": "Order Completed",
        "userId": "ann",
        "anonymousId": "cookie",
        "messageId": "x2",
        "timestamp": format_instant(NOW + timedelta(minutes=3)),
        "properties": {"order_id": "1", "total": 1},
    }
    shop.track("ann", "Signed In")
    shop.send(order)
    assert shop.ways("ann") == [("an hour", "exit")]


def test_erasure_leaves_no_way_and_the_counts_close(shop):
    cart = shop.begin_cart()
    for user in ("ann", "bob"):
        shop.track(user, "Product Added")
    assert enrolling.forget_ways(profile_ids=[shop.id_of("ann")]) == 1
    assert enrolling.forget_ways(profile_ids=[shop.id_of("ann")]) == 0
    report = check_counts(cart)
    assert (report.active, report.endings) == (1, {"gone": 1})


def test_somebody_who_is_gone_goes(shop):
    cart = shop.begin_cart()
    shop.track("ann", "Product Added")
    store.erase_profile(profile_id=shop.id_of("ann"), by="test", now=NOW)
    shop.run(NOW + 2 * HOUR)
    assert sends() == []
    assert check_counts(cart).endings == {"gone": 1}


def test_a_drawing_that_cannot_be_read_any_more_stands_still_and_goes_on_later(shop):
    cart = shop.begin_cart()
    shop.track("ann", "Product Added")
    change = (
        "UPDATE broadcast_journey_version SET definition ="
        " jsonb_set(definition, '{nodes,reminder,kind}', %s::jsonb)"
    )
    with database.transaction() as connection:
        connection.execute(change, ['"gone"'])
    enrolling_book._kept.clear()
    shop.track("bob", "Product Added")
    shop.run(NOW + HOUR)
    assert shop.ways() == [("an hour", "")]
    with database.transaction() as connection:
        connection.execute(change, ['"email"'])
    enrolling_book._kept.clear()
    shop.run(NOW + 2 * HOUR)
    assert shop.ways() == [("reminder", "finished")]
    check_counts(cart)


def test_entering_a_segment_begins_a_journey(shop):
    rule = {"node": "did", "event": "Order Completed", "at_least": 2}
    segment = analysis.create_segment(name="Loyal", rule=rule, by="test", now=NOW)
    analysis.follow_batch(now=NOW)
    where = [
        {"property": "segment_id", "is": {"op": "eq", "value": segment.segment_id}},
        {"property": "cause", "is": {"op": "eq", "value": "event"}},
    ]
    shop.begin(
        {
            "entry": {"event": "Segment Entered", "where": where},
            "start": "thanks",
            "nodes": {"thanks": {"kind": "email", "template_id": shop.template_id}},
        }
    )
    for number in range(2):
        shop.track("ann", "Order Completed", order_id=str(number), total=1)
    assert shop.ways() == []
    while analysis.follow_batch(now=NOW).events:
        pass
    shop.run(NOW)
    assert shop.ways("ann") == [("thanks", "finished")]


def test_journeys_are_named_found_and_changed(shop):
    made = api_journeys.create_journey(
        name=" Cart ", definition=api_journeys.abandoned_cart(template_id=99), by="ann", now=NOW
    )
    assert (made.name, made.state, made.version, made.created_by) == ("Cart", "draft", 1, "ann")
    assert made.problems == ["“reminder” sends template no. 99, which is gone"]
    with pytest.raises(Invalid, match="which is gone"):
        api_journeys.set_journey_state(journey_id=made.journey_id, state="live", by="ann", now=NOW)
    with pytest.raises(Conflict):
        api_journeys.create_journey(name="cart", definition={}, by="ann", now=NOW)
    assert api_journeys.find_journey(name="CART").journey_id == made.journey_id
    fixed = api_journeys.update_journey(
        journey_id=made.journey_id,
        definition=api_journeys.abandoned_cart(template_id=shop.template_id),
        name="Left carts",
        by="ann",
        now=NOW,
    )
    assert (fixed.name, fixed.problems, fixed.version) == ("Left carts", [], 2)
    assert "“reminder” sends “Cart reminder”" in fixed.words
    other = api_journeys.create_journey(name="Other", definition={}, by="ann", now=NOW)
    assert other.problems
    with pytest.raises(Conflict):
        api_journeys.update_journey(journey_id=other.journey_id, name="LEFT CARTS", by="a", now=NOW)
    with pytest.raises(NotFound):
        api_journeys.get_journey(journey_id=10**12)
    with pytest.raises(Invalid):
        api_journeys.create_journey(name="x", definition=[], by="ann", now=NOW)
    assert [j.name for j in api_journeys.list_journeys()] == ["Left carts", "Other"]
    assert {words.kind for words in api_journeys.list_node_kinds()} >= {"wait", "branch", "email"}


def test_ways_are_listed_a_page_at_a_time(shop):
    shop.begin_cart()
    for number in range(5):
        shop.track(f"u{number}", "Product Added")
    first = api_journeys.list_enrolments(limit=3)
    rest = api_journeys.list_enrolments(limit=3, cursor=first.next_cursor)
    ids = [way.enrolment_id for way in (*first.items, *rest.items)]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 5
    assert rest.next_cursor is None
    assert len(api_journeys.list_enrolments(node="an hour").items) == 5
    assert api_journeys.list_enrolments(node="reminder").items == []
    with pytest.raises(Invalid):
        api_journeys.list_enrolments(cursor="nonsense")
    with pytest.raises(Invalid):
        api_journeys.list_enrolments(limit=0)
