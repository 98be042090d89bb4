"""A journey's life in any order: paused, changed, crashed; people merged and parted; time."""

import itertools
from datetime import UTC, datetime, timedelta
from unittest import mock

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from amity.broadcast import api_journeys
from amity.broadcast.logic.journeys import enrolling
from amity.infra import database
from amity.kernel.clock import format_instant
from amity.store import api as store

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12)
USERS = st.sampled_from(["user-a", "user-b"])
COOKIES = st.sampled_from(["cookie-1", "cookie-2"])
WAYS = """
SELECT e.id, e.profile_id, e.origin_id, e.node, e.state -> 'visits', e.ending, e.version,
       p.merged_into, p.id
FROM broadcast_enrolment e LEFT JOIN store_profile p ON p.id = e.profile_id
"""


class CrashError(Exception):
    """Somebody pulled the plug."""


class Life(RuleBasedStateMachine):
    """One installation with one journey after the other."""

    @initialize()
    def begin(self):
        with database.transaction("owner") as connection:
            connection.execute(
                "TRUNCATE store_event_log, store_event_key, store_profile, store_identifier,"
                " store_merge, store_activity, store_order, broadcast_journey, broadcast_template,"
                " broadcast_journey_version, broadcast_enrolment, broadcast_step_count,"
                " broadcast_send, broadcast_content"
            )
            connection.execute("DELETE FROM store_source WHERE kind <> 'system'")
            connection.execute("UPDATE store_consumer SET epoch = epoch + 1")
            connection.execute(
                "INSERT INTO broadcast_content (class, subject, source, html, text)"
                " VALUES ('marketing', 'Hello', '-', '-', '-')"
            )
            self.template_id = connection.execute(
                "INSERT INTO broadcast_template (name, content_id)"
                " SELECT 'Hello', max(id) FROM broadcast_content RETURNING id"
            ).fetchone()[0]
        self.source_id = store.create_source(name="Shop", kind="server").source_id
        self.now = START
        self.numbers = itertools.count(1)
        self.journey_id = None
        self.seconds = 600
        self.draw()

    def draw(self):
        """Begin a journey anew."""
        definition = self.drawing()
        made = api_journeys.create_journey(name="Life", definition=definition, by="t", now=self.now)
        self.journey_id = made.journey_id
        self.set_state("live")

    def drawing(self):
        drawn = api_journeys.abandoned_cart(template_id=self.template_id)
        drawn["reentry_days"] = 0.01
        drawn["nodes"]["an hour"]["seconds"] = self.seconds
        drawn["nodes"]["reminder"]["next"] = "click"
        drawn["nodes"]["click"] = {
            "kind": "wait_for", "event": "Clicked", "seconds": 900, "happened": "thanks",
            "timed_out": "",
        }  # fmt: skip
        drawn["nodes"]["thanks"] = {"kind": "email", "template_id": self.template_id}
        return drawn

    def set_state(self, state):
        api_journeys.set_journey_state(
            journey_id=self.journey_id, state=state, by="t", now=self.now
        )

    def send(self, **body):
        body |= {"messageId": f"m{next(self.numbers)}"}
        store.append_events(
            source_id=self.source_id, events=[msgspec.json.encode(body)], now=self.now
        )

    @rule(
        who=st.one_of(
            USERS.map(lambda u: {"userId": u}), COOKIES.map(lambda c: {"anonymousId": c})
        ),
        name=st.sampled_from(["Product Added", "Product Added", "Order Completed", "Clicked"]),
        late=st.sampled_from([0, 0, 5, 30]),
    )
    def track(self, who, name, late):
        at = format_instant(self.now - timedelta(minutes=late))
        self.send(type="track", event=name, timestamp=at, **who)

    @rule(user=USERS, cookie=COOKIES)
    def sign_in(self, user, cookie):
        self.send(type="identify", userId=user, anonymousId=cookie)

    @rule(cookie=COOKIES)
    def unmerge(self, cookie):
        self.rest()
        found = store.find_profile(kind="anonymous_id", value=cookie)
        if found is None:
            return
        merges = store.list_merges(profile_id=found.profile_id).items
        for merge in merges:
            if not merge.refusal and merge.undone_by is None:
                store.unmerge(merge_id=merge.merge_id, by="t", now=self.now)
                return

    @rule(user=USERS)
    def erase(self, user):
        self.rest()
        found = store.find_profile(kind="user_id", value=user)
        if found is not None:
            ids = store.list_joined(profile_id=found.profile_id)
            store.erase_profile(profile_id=found.profile_id, by="t", now=self.now)
            with database.transaction() as connection:
                connection.execute("DELETE FROM broadcast_send WHERE profile_id = ANY (%s)", [ids])
            enrolling.forget_ways(profile_ids=ids)

    @rule(minutes=st.sampled_from([1, 9, 10, 16, 120]))
    def pass_time(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule()
    def fold(self):
        while store.fold_batch().events:
            pass

    @rule(limit=st.sampled_from([1, 2, 50]))
    def turn(self, limit):
        api_journeys.step_batch(now=self.now, limit=limit)

    @rule(at=st.sampled_from(["queue_sends", "make_sends"]))
    def crash(self, at):
        target = enrolling.ledger if at == "queue_sends" else enrolling
        try:
            with mock.patch.object(target, at, side_effect=CrashError):
                api_journeys.step_batch(now=self.now)
        except CrashError:
            pass

    @rule(state=st.sampled_from(["live", "paused"]))
    def change_state(self, state):
        self.set_state(state)

    @rule(seconds=st.sampled_from([60, 600, 3600]))
    def change_drawing(self, seconds):
        self.seconds = seconds
        api_journeys.update_journey(
            journey_id=self.journey_id, definition=self.drawing(), by="t", now=self.now
        )

    @rule()
    def archive(self):
        self.set_state("archived")
        self.check()
        self.draw()

    def rest(self):
        for _ in range(500):
            if not store.fold_batch().events and not api_journeys.step_batch(now=self.now).events:
                return
        raise AssertionError("the consumers never come to rest")

    @rule()
    def check(self):
        """At rest everything adds up."""
        self.rest()
        with database.transaction() as connection:
            ways = connection.execute(WAYS).fetchall()
            keys = [row[0] for row in connection.execute("SELECT step_key FROM broadcast_send")]
        wanted = []
        for way_id, _, _, node, visits, ending, _, merged_into, profile_id in ways:
            assert set(visits.values()) == {1}
            chain = ["an hour", "ordered?", "reminder", "click", "thanks"]
            assert chain[: len(visits)] == [name for name in chain if name in visits]
            assert node == chain[len(visits) - 1]
            assert ending != "failed"
            if not ending:
                assert profile_id is not None, "somebody who is gone is under way"
                assert merged_into is None, "somebody who is somebody else by now is under way"
            wanted += [f"{way_id}:{name}:1" for name in ("reminder", "thanks") if name in visits]
        assert sorted(keys) == sorted(wanted)
        for journey in api_journeys.list_journeys(is_archived=None):
            report = api_journeys.report_journey(journey_id=journey.journey_id)
            for each in report.nodes:
                assert each.came == each.here + sum(each.left.values())
            assert report.entered == report.active + sum(report.endings.values())
            assert report.active == sum(each.here for each in report.nodes)

    def teardown(self):
        if self.journey_id is not None:
            self.check()


def test_whatever_happens_in_whatever_order_it_adds_up(db):
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=8,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
