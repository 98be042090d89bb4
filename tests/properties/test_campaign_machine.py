"""A campaign through any life: what was planned adds up, nobody is drawn or sent to twice."""

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.fixtures.campaign_house import House, arms, ask, now, tell

from amity.broadcast import api_campaigns
from amity.broadcast.logic.campaigns import targeting
from amity.infra import database
from amity.kernel.errors import Conflict

USERS = [f"p{number}" for number in range(9)]
ALIVE = ("queued", "claimed", "wire")
SENDER = {
    "claim": ("queued", "claimed"),
    "put back": ("claimed", "queued"),
    "hand over": ("claimed", "wire"),
    "settle": ("wire", "sent"),
    "lose": ("wire", "unknown"),
    "refuse": ("wire", "failed"),
    "hold back": ("claimed", "suppressed"),
    "expire": ("queued", "expired"),
}


class Killed(Exception):
    """The process died in the middle of a transaction."""


class Campaigns(RuleBasedStateMachine):
    """Two campaigns of one segment, each acted on by people, workers and senders in any order."""

    house: House

    def __init__(self):
        super().__init__()
        tell("TRUNCATE broadcast_campaign, broadcast_participant, broadcast_send")
        self.clock = now()
        self.ids = [self.house.make(name, holdout_rate=0.3) for name in ("One", "Two")]
        self.drawn: dict[int, dict[int, str]] = {campaign: {} for campaign in self.ids}
        self.over: dict[object, str] = {}

    def _try(self, move, campaign, **more):
        before = api_campaigns.get_campaign(campaign_id=campaign).state
        try:
            move(campaign_id=campaign, by="ann", now=self.clock, **more)
        except Conflict:
            assert api_campaigns.get_campaign(campaign_id=campaign).state == before

    @rule(which=st.integers(0, 1), minutes=st.sampled_from([None, 0, 30]))
    def launch(self, which, minutes):
        at = None if minutes is None else self.clock + timedelta(minutes=minutes)
        self._try(api_campaigns.launch_campaign, self.ids[which], at=at)

    @rule(which=st.integers(0, 1), name=st.sampled_from(["pause", "resume", "stop", "resume"]))
    def move(self, which, name):
        self._try(getattr(api_campaigns, f"{name}_campaign"), self.ids[which])

    @rule(turns=st.integers(1, 4))
    def work(self, turns):
        for _ in range(turns):
            api_campaigns.run_campaigns(now=self.clock)

    @rule()
    def work_and_die(self):
        kept = targeting._advance

        def die(*_):
            raise Killed

        targeting._advance = die
        try:
            api_campaigns.run_campaigns(now=self.clock)
        except Killed:
            pass
        finally:
            targeting._advance = kept

    @rule(act=st.sampled_from(sorted(SENDER)), most=st.integers(1, 5))
    def send(self, act, most):
        before, after = SENDER[act]
        # The gate: nothing of a run that is paused or stopped goes on the wire.
        tell(
            "UPDATE broadcast_send SET state = %s, wire_at = now() WHERE id IN (SELECT s.id"
            " FROM broadcast_send s JOIN broadcast_campaign c ON c.id = s.run_id"
            " WHERE s.state = %s AND (%s <> 'wire' OR c.state IN ('targeting', 'sending'))"
            " ORDER BY s.profile_id LIMIT %s)",
            after,
            before,
            after,
            most,
        )

    @rule(user=st.sampled_from(USERS), is_in=st.booleans())
    def change_audience(self, user, is_in):
        if is_in:
            tell(
                "INSERT INTO analysis_membership (segment_id, profile_id, entered_at)"
                " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                self.house.segment_id,
                self.house.id_of(user),
                self.clock,
            )
        else:
            tell(
                "UPDATE analysis_membership SET left_at = %s WHERE profile_id = %s"
                " AND left_at IS NULL AND entered_at < %s",
                self.clock,
                self.house.id_of(user),
                self.clock,
            )

    @rule(minutes=st.sampled_from([1, 40]))
    def wait(self, minutes):
        self.clock += timedelta(minutes=minutes)

    @invariant()
    def it_adds_up(self):
        found = ask("SELECT run_id, profile_id, contact_point, state FROM broadcast_send")
        for campaign in self.ids:
            report = api_campaigns.report_campaign(campaign_id=campaign, now=self.clock)
            counts = report.counts
            assert counts.targeted == (
                counts.sent
                + counts.suppressed
                + counts.failed
                + counts.unknown
                + counts.pending
                + counts.cancelled
            )
            held = arms(campaign)
            rows = [row[1] for row in found if row[0] == campaign]
            assert len(rows) == len(set(rows)), "two messages to one person"
            assert sorted(rows) == sorted(who for who, arm in held.items() if arm != "holdout")
            assert counts.targeted == list(held.values()).count("treatment")
            assert self.drawn[campaign].items() <= held.items(), "somebody was drawn anew"
            self.drawn[campaign] = held
            self._check_state(report)
        for key, _, _, state in ask("SELECT id, run_id, profile_id, state FROM broadcast_send"):
            assert self.over.get(key, state) == state, "what was over began again"
            if state not in ALIVE:
                self.over[key] = state

    def _check_state(self, report):
        state, counts = report.campaign.state, report.counts
        if state in {"draft", "scheduled"}:
            assert counts.targeted == 0
        if state == "finished":
            assert counts.pending == 0
        if state == "stopped":
            waiting = ask(
                "SELECT 1 FROM broadcast_send WHERE run_id = %s AND state IN ('queued', 'claimed')",
                report.campaign.campaign_id,
            )
            assert not waiting


def test_a_campaign_through_any_life(db, monkeypatch):
    monkeypatch.setattr(targeting, "SLICE", 2)
    house = House()
    house.join(*USERS[:6])
    house.join("p6", email=False)
    house.join("p7", consent=False)
    house.join("p8", email="p0@shop.example")
    Campaigns.house = house
    run_state_machine_as_test(
        Campaigns,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    database.close_pools()
