"""One definition of a metric, wherever it is asked for: segments, campaigns, rewards, reports."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.analysis import api_reports as reports
from amity.analysis import api_segment_tools
from amity.analysis.logic.measuring.builtin import BUILT_IN
from amity.analysis.logic.measuring.conditions import expand
from amity.broadcast.nodes.branch import Branch
from amity.kernel.clock import format_instant
from amity.kernel.errors import Conflict, Invalid
from amity.personalization import api as personalization
from amity.rules import decode_rule, encode_rule, strip_filled
from amity.rules.text_reading import read_text
from amity.rules.text_writing import write_text
from amity.store import api as store

NOW = datetime.now(UTC)
SPENT = {
    "node": "metric",
    "metric": "revenue",
    "within_days": 90,
    "is": {"op": "gte", "value": 100},
}


class Shop:
    """Takes events and lets the readers of the log come to rest."""

    def __init__(self):
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self._sent = 0

    def send(self, user, event, days_ago=0.0, **properties):
        self._sent += 1
        body = {
            "type": "track",
            "messageId": f"m{self._sent}",
            "userId": user,
            "event": event,
            "timestamp": format_instant(NOW - timedelta(days=days_ago)),
            "properties": properties,
        }
        bodies = [msgspec.json.encode(body)]
        assert not store.append_events(source_id=self.source_id, events=bodies, now=NOW).quarantined

    def order(self, user, order_id, total, days_ago=0.0, **properties):
        told = {"order_id": order_id, "total": total, "currency": "USD", **properties}
        self.send(user, "Order Completed", days_ago, **told)

    def rest(self, now=NOW):
        while store.fold_batch().events or analysis.follow_batch(now=now).events:
            pass

    def members(self, segment_id):
        page = analysis.list_members(segment_id=segment_id, limit=100)
        ids = {member.profile_id for member in page.items}
        return {user for user in "abcdef" if self.id_of(user) in ids}

    def id_of(self, user):
        found = store.find_profile(kind="user_id", value=user)
        return None if found is None else found.profile_id


@pytest.fixture
def shop(db):
    return Shop()


def test_a_segment_asks_for_a_metric_and_follows_its_versions(shop):
    made = analysis.create_segment(name="Spenders", rule=SPENT, description="", by="ann", now=NOW)
    shop.order("a", "1", 150, 10)
    shop.order("b", "2", 99.99, 10)
    shop.order("b", "2", 99.99, 10)  # told twice
    shop.order("c", "3", 150, 95)
    shop.order("d", "4", 100, 1, currency="EUR")
    shop.order("e", "5", 120, 1)
    shop.rest()
    assert shop.members(made.segment_id) == {"a", "e"}
    shop.send("e", "Order Refunded", order_id="5", total=30)
    shop.order("b", "6", 0.01)
    shop.rest()
    assert shop.members(made.segment_id) == {"a", "b"}
    shop.send("a", "Order Cancelled", order_id="1")
    shop.rest()
    assert shop.members(made.segment_id) == {"b"}
    analysis.rebuild_memberships()
    shop.rest()
    assert shop.members(made.segment_id) == {"b"}, "history finds whom the stream found"
    shop.order("f", "7", 500, 89.5)
    shop.rest()
    assert shop.members(made.segment_id) == {"b", "f"}
    shop.rest(now=NOW + timedelta(days=1))
    assert shop.members(made.segment_id) == {"b"}

    gross = BUILT_IN["revenue"]
    column = msgspec.structs.replace(gross.expression, column="total_minor")
    gross = msgspec.to_builtins(msgspec.structs.replace(gross, expression=column))
    held = analysis.get_segment(segment_id=made.segment_id)
    assert held.text == "metric revenue in the last 90 days is at least 100"
    reports.save_metric(name="revenue", definition=gross, by="bob", now=NOW)
    after = analysis.get_segment(segment_id=made.segment_id)
    assert (after.version, after.text) == (held.version + 1, held.text)
    assert after.rule["means"]["measure"] == "total"
    versions = api_segment_tools.list_segment_versions(segment_id=made.segment_id)
    assert versions[0].changed_by == "bob"
    assert versions[0].changes
    analysis.rebuild_memberships()
    shop.rest()
    assert shop.members(made.segment_id) == {"b", "e", "f"}
    assert reports.find_metric_uses(name="revenue").segments == ("Spenders",)
    left = {"node": "metric", "metric": "opt_outs", "is": {"op": "gte", "value": 1}}
    analysis.create_segment(name="Gone", rule=left, by="ann", now=NOW)
    kept = msgspec.to_builtins(BUILT_IN["opt_outs"])
    with pytest.raises(Conflict, match="“Gone” asks for it, and there is no metric 'opt_outs'"):
        reports.save_metric(name="opt_outs", definition=kept, by="bob", now=NOW, is_retired=True)
    less = gross | {"expression": {"kind": "difference", "of": "orders", "less": "orders"}}
    with pytest.raises(Conflict, match=r"“Spenders” asks for it, .* difference of two numbers"):
        reports.save_metric(name="revenue", definition=less, by="bob", now=NOW)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("margin", "difference"),
        ("goods_cost", "order lines"),
        ("new_customers", "who was new"),
        ("repeat_rate", "two windows"),
        ("messages_sent", "ledger"),
        ("nothing", "no metric"),
    ],
)
def test_what_cannot_be_said_of_one_customer_is_refused(module_db, metric, words):
    with pytest.raises(Invalid, match=words):
        analysis.preview(rule=SPENT | {"metric": metric}, now=NOW)


@pytest.mark.parametrize(
    ("metric", "op", "words"),
    [
        (
            "orders",
            {"op": "gte", "value": 2},
            "the number of orders (USD) in the last 90 days is at least 2",
        ),
        ("average_order", {"op": "lt", "value": 50}, "on average what an order brought"),
        ("clicks", {"op": "gt", "value": 2}, "did “Email Link Clicked” at least 3 times"),
        ("clicks", {"op": "between", "low": 0, "high": 2}, "at most 2 times"),
        ("clicks", {"op": "ne", "value": 0}, "not (did not “Email Link Clicked”"),
        ("opt_outs", {"op": "eq", "value": 0}, "not (did “Unsubscribed”"),
        ("active_customers", {"op": "gte", "value": 1}, "the number of orders"),
        ("revenue_per_customer", {"op": "gte", "value": 0}, "what the orders brought"),
    ],
)
def test_metrics_in_words(metric, op, words):
    asked = decode_rule(SPENT | {"metric": metric, "is": op})
    assert words in expand(asked, BUILT_IN, "USD").describe()


@pytest.mark.parametrize(
    ("metric", "op"),
    [
        ("clicks", {"op": "gte", "value": 0}),
        ("clicks", {"op": "lt", "value": 0}),
        ("clicks", {"op": "eq", "value": 1.5}),
        ("clicks", {"op": "in", "values": [1, 2]}),
        ("opt_outs", {"op": "lt", "value": 5}),
    ],
)
def test_bounds_that_say_nothing_are_refused(metric, op):
    with pytest.raises(Invalid, match=metric):
        expand(decode_rule(SPENT | {"metric": metric, "is": op}), BUILT_IN, "USD")


@pytest.mark.parametrize(
    "text",
    [
        "metric revenue in the last 90 days is at least 100",
        "metric opt_outs is 0",
        "metric orders in this month is between 2 and 5 and not metric clicks is 0",
    ],
)
def test_metrics_as_text(text):
    rule = read_text(text, {})
    assert write_text(rule, {}) == text
    assert strip_filled(encode_rule(decode_rule(rule))) == rule


def test_who_is_in_and_why_is_said_with_the_meaning(shop):
    shop.order("a", "1", 150, 10)
    shop.rest()
    # What somebody writes in the place of the meaning is not believed.
    forged = SPENT | {"means": {"node": "all", "of": []}, "is": {"op": "gte", "value": 200}}
    assert analysis.preview(rule=forged, now=NOW).members == 0
    assert analysis.preview(rule=SPENT, now=NOW).members == 1
    why = analysis.explain(rule=SPENT, profile_id=shop.id_of("a"), now=NOW)
    assert why.holds
    assert "what the orders brought (USD) in the last 90 days" in why.parts[0].words
    made = analysis.create_segment(name="Spenders", rule=forged, by="ann", now=NOW)
    assert made.rule["means"]["measure"] == "net"


def test_who_decides_in_milliseconds_is_asked_by_way_of_a_segment(shop):
    with pytest.raises(Invalid, match="asked for in a segment"):
        personalization.create_offer(key="sale", by="ann", now=NOW, headline="Sale", rule=SPENT)
    with pytest.raises(ValueError, match="asked for in a segment"):
        Branch(rule={"node": "not", "of": SPENT})
