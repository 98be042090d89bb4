"""The live follower against PostgreSQL and DuckDB: after any events they name the same members."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.analysis import api as analysis
from amity.analysis.logic import following_news
from amity.analysis.logic.batch.engines import DUCKDB
from amity.analysis.logic.batch.finding import make_question
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.rules import decode_rule, to_sql
from amity.store import api as store
from amity.store.logic.warehousing import warehouse_exports
from amity.testing.warehouse import fill, open_memory

START = datetime.now(UTC).replace(microsecond=0)
# The "days" of this test are short, for events can only be received around today.
DAY = 1 / 12
_numbers = itertools.count(1)


def _on(days):
    return START + timedelta(days=days * DAY)


def _check(field, **test):
    return {"node": "check", "field": field, "is": test}


def _did(event, **more):
    return {"node": "did", "event": event, **more}


BIG = [{"property": "total", "is": {"op": "gte", "value": 50}}]
RULES = {
    "gold": _check("trait.tier", op="eq", value="gold"),
    "not gold": {"node": "not", "of": _check("trait.tier", op="eq", value="gold")},
    "tier unknown": _check("trait.tier", op="missing"),
    "renewal soon": _check("trait.renews_at", op="within_next", days=5 * DAY),
    "renewed lately": _check("trait.renews_at", op="within_last", days=5 * DAY),
    "two orders": _did("Order Completed", at_least=2),
    "big order lately": _did("Order Completed", where=BIG, within_days=3 * DAY),
    "no order lately": _did("Order Completed", at_most=0, within_days=3 * DAY),
    "one or two visits": _did("Page Viewed", at_least=1, at_most=2, within_days=2 * DAY),
    "lost": _check("profile.last_seen_at", op="more_than_ago", days=4 * DAY),
    "new": _check("profile.first_seen_at", op="within_last", days=4 * DAY),
    "spent": _check("profile.revenue", op="gt", value=99.5),
    "reachable": _check("profile.email", op="exists"),
    "agreed": {"node": "consent", "purpose": "news"},
    "said yes": {"node": "said_yes", "purpose": "news"},
    "agreed and lately": {"node": "consent", "purpose": "offers"},
    "may be profiled": {"node": "consent", "purpose": "profiling"},
    "spent lately": {
        "node": "aggregate",
        "measure": "sum",
        "property": "total",
        "event": "Order Completed",
        "is": {"op": "gte", "value": 99.99},
        "within_days": 3 * DAY,
    },
    "on two days": {"node": "active_days", "event": "Page Viewed", "at_least": 2},
    "looked today": _did("Page Viewed", during={"unit": "day", "zone": "Asia/Kathmandu"}),
    "bought after looking": {
        "node": "sequence",
        "first": {"event": "Page Viewed"},
        "then": {"event": "Order Completed", "where": BIG},
        "apart_days": 2 * DAY,
        "without": {"event": "Order Cancelled"},
        "within_days": 4 * DAY,
    },
    "last was big, then silence": {
        "node": "last_event",
        "event": "Order Completed",
        "when": {"op": "more_than_ago", "days": 2 * DAY},
        "has": BIG,
    },
    "not back since cancelling": {
        "node": "not_since",
        "event": "Page Viewed",
        "since": {"event": "Order Cancelled"},
    },
    "everyone": {"node": "all", "of": []},
}


def _events():
    users = st.sampled_from(["ann", "bob", "cid"])
    devices = st.none() | st.sampled_from(["phone", "laptop"])
    offsets = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 6, 40])
    order = st.fixed_dictionaries(
        {"total": st.sampled_from([10, 49.99, 50, 100, "100", None, True])},
        optional={"order_id": st.sampled_from(["1", "2", "3"])},
    )
    track = st.fixed_dictionaries(
        {
            "type": st.just("track"),
            "event": st.sampled_from(["Order Completed", "Order Cancelled"]),
            "properties": order,
        }
    )
    traits = st.fixed_dictionaries(
        {},
        optional={
            "tier": st.sampled_from(["gold", "tin", None, 1]),
            "renews_at": st.integers(-8, 12).map(
                lambda days: format_instant(START + timedelta(days=days * DAY))
            ),
            "email": st.sampled_from(["a@shop.example", "b@shop.example"]),
        },
    )
    identify = st.fixed_dictionaries({"type": st.just("identify"), "traits": traits})
    consent = st.builds(
        lambda purpose, says, days: {
            "type": "track",
            "event": "Segment Consent Preference Updated",
            "properties": {
                "categoryPreferences": {purpose: says},
                **({} if days is None else {"expires_at": format_instant(_on(days))}),
            },
        },
        st.sampled_from(["news", "offers", "profiling"]),
        st.booleans(),
        st.none() | st.integers(-3, 6),
    )
    page = st.just({"type": "page"})
    return st.tuples(st.none() | users, devices, offsets, track | identify | consent | page)


def _run(now):
    for _ in range(200):
        # `now` stands still, as the fold and the follower see it in one moment.
        if not store.fold_batch().events + analysis.follow_batch(now=now).events:
            return
    raise AssertionError("the consumers never came to rest")


def _bodies(events, now, run):
    for user, device, days_late, event in events:
        body = {**event, "messageId": f"m{next(_numbers)}"}
        body["timestamp"] = format_instant(now - timedelta(days=days_late * DAY))
        if user is not None:
            body["userId"] = f"{user}{run}"
        if device is not None or user is None:
            body["anonymousId"] = f"{device}{run}"
        traits = body.get("traits", {})
        if "email" in traits:
            body["traits"] = {**traits, "email": f"{run}{traits['email']}"}
        yield msgspec.json.encode(body)


def _assert_members(segments, now):
    with database.transaction() as connection:
        policies = store.list_policies(connection=connection)
        for name, segment_id in segments.items():
            rule = decode_rule(analysis.get_segment(segment_id=segment_id).rule)
            query = to_sql(rule, make_catalogue(policies), now)
            wanted = {row[0] for row in connection.execute(query.encode(), query.params)}
            rows = connection.execute(
                "SELECT profile_id FROM analysis_membership "
                "WHERE segment_id = %s AND left_at IS NULL",
                [segment_id],
            )
            held = {row[0] for row in rows}
            assert held == wanted, (name, held - wanted, wanted - held)
            assert analysis.get_segment(segment_id=segment_id).members == len(held)


def _assert_batch(duck, segments, now):
    """Hold what the follower has to what DuckDB says of the events as the warehouse has them."""
    with database.transaction() as connection:
        fill(duck, connection, *warehouse_exports())
        rows = connection.execute(
            "SELECT segment_id, profile_id FROM analysis_membership WHERE left_at IS NULL"
        ).fetchall()
    for name, segment_id in segments.items():
        rule = analysis.get_segment(segment_id=segment_id).rule
        query = make_question(rule=rule, now=now)[0].say(DUCKDB)
        found = {row[0] for row in duck.execute(query).fetchall()}
        held = {profile_id for which, profile_id in rows if which == segment_id}
        assert found == held, (name, found - held, held - found)


def test_live_membership_is_what_sql_says(db, monkeypatch):
    # Few are in a turn here; in parts they are decided as thousands are.
    monkeypatch.setattr(following_news, "_FEWEST_APART", 1)
    monkeypatch.setattr(following_news, "_PARTS", 3)
    source = store.create_source(name="Shop", kind="server").source_id
    segments = {
        name: analysis.create_segment(name=name, rule=rule, by="test", now=START).segment_id
        for name, rule in RULES.items()
    }
    inner = [{"node": "in_segment", "segment_id": segments[n]} for n in ("gold", "lost")]
    segments["gold or lost"] = analysis.create_segment(
        name="gold or lost", rule={"node": "any", "of": inner}, by="test", now=START
    ).segment_id
    _run(START)
    clock, duck = [START], open_memory()

    @settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        st.lists(
            st.tuples(
                st.lists(_events(), min_size=1, max_size=5), st.sampled_from([0, 0.25, 1, 2, 3])
            ),
            min_size=1,
            max_size=5,
        )
    )
    def agree(batches):
        run = next(_numbers)
        for events, days in batches:
            now = clock[0]
            receipt = store.append_events(
                source_id=source, events=list(_bodies(events, now, run)), now=now
            )
            assert not receipt.quarantined, receipt
            _run(now)
            _assert_members(segments, now)
            clock[0] = now + timedelta(days=days * DAY)
            _run(clock[0])
            _assert_members(segments, clock[0])
        _assert_batch(duck, segments, clock[0])

    agree()
    duck.close()
