"""Campaigns from draft to end: whom they draw, what they refuse, what stops them."""

import threading
import time
from datetime import timedelta

import pytest
from tests.fixtures.campaign_house import (
    House,
    arms,
    ask,
    counts_of,
    ledger,
    make_template,
    now,
    run_to_rest,
    settle,
    share,
    state_of,
    tell,
)

from amity.analysis import api as analysis
from amity.broadcast import api_campaigns
from amity.broadcast.logic.campaigns import targeting
from amity.infra import database
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store
from amity.store.contracts import Choices


@pytest.fixture
def house(db):
    return House()


def test_everybody_in_the_segment_is_sent_to_left_out_or_held_out_with_a_reason(house):
    house.join(*(f"p{number}" for number in range(40)))
    house.join("homeless", email=False)
    house.join("shy", consent=False)
    house.join("gone")
    house.send({"type": "track", "event": "Unsubscribed", "userId": "gone"})
    house.join("bounced", "objector")
    for user, tell_store in (("bounced", _suppress), ("objector", _object)):
        tell_store(
            house.id_of(user), store.contact_key(channel="email", address=f"{user}@shop.example")
        )
    campaign_id = house.launch(holdout_rate=0.3)
    assert state_of(campaign_id) == "scheduled"
    run_to_rest()
    campaign = api_campaigns.get_campaign(campaign_id=campaign_id)
    assert campaign.state == "sending"
    assert campaign.targeted_at is not None
    held, rows = arms(campaign_id), ledger(campaign_id)
    reasons = {
        house.id_of(user): why
        for user, why in (
            ("homeless", "no_address"),
            ("shy", "no_consent"),
            ("gone", "objected"),
            ("bounced", "suppressed"),
            ("objector", "objected"),
        )
    }
    assert {who: arm for who, arm in held.items() if arm == "excluded"} == dict.fromkeys(
        reasons, "excluded"
    )
    assert {who: rows[who] for who in reasons} == {
        who: ("suppressed", why) for who, why in reasons.items()
    }
    salt = ask("SELECT salt FROM broadcast_campaign WHERE id = %s", campaign_id)[0][0]
    for user in (f"p{number}" for number in range(40)):
        who = house.id_of(user)
        is_held = share(salt, who) < 0.3
        assert held[who] == ("holdout" if is_held else "treatment")
        assert (who in rows) is not is_held
    rule = {"node": "message", "what": "held_out", "campaign_id": campaign_id}
    page = analysis.list_members(segment_id=house.define("Held out", rule), limit=100)
    assert {each.profile_id for each in page.items} == {
        who for who, arm in held.items() if arm == "holdout"
    }
    counts = counts_of(campaign_id)
    assert counts.targeted == counts.pending == list(held.values()).count("treatment")
    assert settle(campaign_id) == counts.targeted
    run_to_rest()
    assert state_of(campaign_id) == "finished"
    assert counts_of(campaign_id).sent == counts.targeted


def _suppress(profile_id, key):
    store.suppress(channel="email", address_key=key, reason="hard_bounce", now=now())


def _object(profile_id, key):
    choices = Choices(
        profile_id=0,
        channel="email",
        address_key=key,
        choices={"marketing.email": False},
        method="link",
    )
    store.state_choices(choices=choices, now=now())


def test_a_report_can_be_had_at_any_time(house):
    house.join("ann", "bob")
    campaign_id = house.make(holdout_rate=0)  # of two, both could be drawn into a holdout
    before = api_campaigns.report_campaign(campaign_id=campaign_id, now=now())
    assert before.verdict == "It has not begun."
    api_campaigns.launch_campaign(campaign_id=campaign_id, by="ann", now=now())
    run_to_rest()
    waiting = api_campaigns.report_campaign(campaign_id=campaign_id, now=now())
    assert waiting.counts.targeted == waiting.counts.pending
    assert "no message has left" in waiting.verdict


def test_what_cannot_be_carried_out_is_refused(house):
    house.join("ann")
    receipts = make_template("Receipt", "transactional")
    for more, code in (
        ({"name": " "}, "bad_name"),
        ({"name": "x" * 101}, "bad_name"),
        ({"name": "a\0b"}, "bad_text"),
        ({"segment_id": 999}, "no_segment"),
        ({"template_id": 999}, "no_template"),
        ({"template_id": receipts}, "bad_template"),
        ({"placement_key": "nowhere"}, "no_placement"),
        ({"holdout_rate": 0.51}, "bad_holdout"),
        ({"holdout_rate": float("nan")}, "bad_holdout"),
        ({"window_days": 0}, "bad_window"),
        ({"expires_hours": -1}, "bad_expiry"),
        ({"channel": "pigeon"}, "bad_channel"),
        ({"purpose": ""}, "bad_plan"),
    ):
        with pytest.raises(Invalid) as refused:
            house.make(**{"name": "Spring", **more})
        assert refused.value.reason == code, more
    campaign_id = house.make()
    with pytest.raises(Conflict):
        house.make("SPRING")
    for at in (now() - timedelta(minutes=1), now().replace(tzinfo=None)):
        with pytest.raises(Invalid):
            api_campaigns.launch_campaign(campaign_id=campaign_id, at=at, by="ann", now=now())
    tell("UPDATE broadcast_template SET is_archived = true WHERE id = %s", house.template_id)
    with pytest.raises(Invalid) as refused:
        api_campaigns.launch_campaign(campaign_id=campaign_id, by="ann", now=now())
    assert refused.value.reason == "template_archived"
    for campaign_id in (0, -1, 10**6):
        with pytest.raises(NotFound):
            api_campaigns.get_campaign(campaign_id=campaign_id)


def test_nobody_to_reach_is_said_before_anything_begins(house):
    campaign_id = house.make()
    with pytest.raises(Invalid, match="nobody in the segment"):
        api_campaigns.launch_campaign(campaign_id=campaign_id, by="ann", now=now())
    house.join("homeless", email=False)
    house.join("shy", consent=False)
    with pytest.raises(Invalid, match=r"none of the 2 members .* 1: .*no address"):
        api_campaigns.launch_campaign(campaign_id=campaign_id, by="ann", now=now())
    estimate = api_campaigns.estimate_campaign(segment_id=house.segment_id, now=now())
    assert (estimate.members, estimate.reachable) == (2, 0)
    assert estimate.excluded == {"no_address": 1, "no_consent": 1}
    assert state_of(campaign_id) == "draft"


def test_an_empty_segment_at_the_appointed_time_ends_the_campaign_at_once(house):
    campaign_id = house.make()
    at = now() + timedelta(hours=1)
    api_campaigns.launch_campaign(campaign_id=campaign_id, at=at, by="ann", now=now())
    run_to_rest()
    assert state_of(campaign_id) == "scheduled"
    while api_campaigns.run_campaigns(now=at):
        pass
    assert state_of(campaign_id) == "finished"
    report = api_campaigns.report_campaign(campaign_id=campaign_id, now=at)
    assert report.counts.targeted == 0
    assert report.verdict == "No claim can be made: nobody could be reached."


def test_a_schedule_can_be_changed_until_it_begins_and_content_is_fixed_at_launch(house):
    house.join("ann")
    campaign_id = house.make()
    later = now() + timedelta(hours=1)
    launched = api_campaigns.launch_campaign(campaign_id=campaign_id, at=later, by="ann", now=now())
    assert launched.scheduled_at == later
    again = api_campaigns.launch_campaign(campaign_id=campaign_id, by="ann", now=now())
    assert again.scheduled_at < later
    other = make_template("Other")
    plan = house.plan(template_id=other, description="new", holdout_rate=0)
    changed = api_campaigns.update_campaign(campaign_id=campaign_id, plan=plan, now=now())
    assert (changed.state, changed.description, changed.template_name) == (
        "scheduled",
        "new",
        "Other",
    )
    pinned = ask("SELECT content_id FROM broadcast_template WHERE id = %s", other)[0][0]
    assert changed.content_id == pinned
    tell("UPDATE broadcast_template SET content_id = 1 WHERE id = %s", other)
    run_to_rest()
    sent = ask("SELECT content_id, class FROM broadcast_send WHERE run_id = %s", campaign_id)
    assert sent == [(pinned, "marketing")]
    with pytest.raises(Conflict, match="is sending, so it cannot be changed"):
        api_campaigns.update_campaign(campaign_id=campaign_id, plan=plan, now=now())


def test_pause_resume_stop_and_archive(house):
    house.join(*(f"p{number}" for number in range(12)))
    campaign_id = house.launch(holdout_rate=0)
    moves = {"campaign_id": campaign_id, "by": "ann", "now": now()}
    with pytest.raises(Conflict, match="is scheduled, so it cannot be paused"):
        api_campaigns.pause_campaign(**moves)
    run_to_rest()
    assert api_campaigns.pause_campaign(**moves).state == "paused"
    run_to_rest()
    assert counts_of(campaign_id).pending == 12
    with pytest.raises(Conflict):
        api_campaigns.launch_campaign(**moves)
    assert api_campaigns.resume_campaign(**moves).state == "sending"
    rows = ask("SELECT id FROM broadcast_send WHERE run_id = %s ORDER BY id", campaign_id)
    for state, chosen in (("sent", rows[:3]), ("claimed", rows[3:5]), ("wire", rows[5:6])):
        tell(
            "UPDATE broadcast_send SET state = %s WHERE id = ANY(%s)",
            state,
            [row[0] for row in chosen],
        )
    stopped = api_campaigns.stop_campaign(**moves)
    assert (stopped.state, stopped.note, stopped.finished_at) == ("stopped", "stopped by ann", None)
    counts = counts_of(campaign_id)
    assert (counts.sent, counts.pending, counts.cancelled, counts.targeted) == (3, 1, 8, 12)
    with pytest.raises(Conflict):
        api_campaigns.archive_campaign(campaign_id=campaign_id, now=now())
    tell("UPDATE broadcast_send SET state = 'unknown' WHERE state = 'wire'")
    run_to_rest()
    assert api_campaigns.get_campaign(campaign_id=campaign_id).finished_at is not None
    for move in (
        api_campaigns.stop_campaign,
        api_campaigns.resume_campaign,
        api_campaigns.launch_campaign,
    ):
        with pytest.raises(Conflict):
            move(**moves)
    assert api_campaigns.archive_campaign(campaign_id=campaign_id, now=now()).state == "archived"
    assert api_campaigns.find_campaign(name="Spring") is None
    assert api_campaigns.list_campaigns().items == []
    assert [c.name for c in api_campaigns.list_campaigns(state="archived").items] == ["Spring"]
    copy = api_campaigns.copy_campaign(campaign_id=campaign_id, by="bob", now=now())
    assert (copy.name, copy.state, copy.segment_id) == ("Spring (copy)", "draft", house.segment_id)
    assert api_campaigns.copy_campaign(campaign_id=campaign_id, by="bob", now=now()).name.endswith(
        "2)"
    )


def test_a_segment_that_changes_while_its_campaign_draws_changes_nothing(house, monkeypatch):
    monkeypatch.setattr(targeting, "SLICE", 2)
    users = [f"p{number}" for number in range(6)]
    house.join(*users)
    campaign_id = house.launch(holdout_rate=0)
    api_campaigns.run_campaigns(now=now())  # begins
    api_campaigns.run_campaigns(now=now())  # the first slice
    assert len(arms(campaign_id)) == 2
    house.join("late")
    house.send({"type": "identify", "userId": users[-1], "traits": {"vip": False}})
    run_to_rest()
    assert set(arms(campaign_id)) == {house.id_of(user) for user in users}


def test_the_segment_is_waited_for_and_its_archiving_is_told(house):
    house.join("ann", "bob")
    building = analysis.create_segment(
        name="New", rule={"node": "all", "of": []}, by="test", now=now()
    ).segment_id
    campaign_id = house.launch(segment_id=building, holdout_rate=0)
    run_to_rest()
    assert state_of(campaign_id) == "scheduled"
    house.run()
    run_to_rest()
    assert state_of(campaign_id) == "sending"
    other = house.make("Other")
    at = now() + timedelta(hours=1)
    api_campaigns.launch_campaign(campaign_id=other, at=at, by="ann", now=now())
    analysis.archive_segment(segment_id=house.segment_id, by="ann", now=now())
    house.run()
    api_campaigns.run_campaigns(now=at)
    api_campaigns.run_campaigns(now=at)
    ended = api_campaigns.get_campaign(campaign_id=other)
    assert (ended.state, ended.note) == (
        "stopped",
        "stopped, for its segment was archived before it began",
    )
    assert ended.finished_at == at


def test_one_address_gets_one_message_and_one_person_too(house, monkeypatch):
    monkeypatch.setattr(targeting, "SLICE", 1)
    house.join("ann", email="us@shop.example")
    house.join("bob", email="US@shop.example")
    house.join("cid")
    campaign_id = house.launch(holdout_rate=0)
    api_campaigns.run_campaigns(now=now())
    # The audience is of that moment; by the time her turn comes she is somebody else.
    house.send(
        {"type": "identify", "anonymousId": "dev", "traits": {"vip": True}},
        {"type": "identify", "anonymousId": "dev", "userId": "cid", "traits": {}},
    )
    run_to_rest()
    rows = ledger(campaign_id)
    assert rows == {
        house.id_of("ann"): ("queued", ""),
        house.id_of("bob"): ("suppressed", "same_person"),
        house.id_of("cid"): ("queued", ""),
    }
    assert arms(campaign_id)[house.id_of("bob")] == "excluded"


def test_whoever_had_enough_lately_is_left_out(house):
    house.join("ann", "bob")
    for number in range(3):
        broadcast_id = house.launch(f"Week {number}", holdout_rate=0)
        run_to_rest()
        tell(
            "UPDATE broadcast_send SET state = 'failed' WHERE run_id = %s AND profile_id = %s",
            broadcast_id,
            house.id_of("bob"),
        )
        settle(broadcast_id)
        run_to_rest()
    campaign_id = house.launch("One more", holdout_rate=0)
    run_to_rest()
    assert ledger(campaign_id) == {
        house.id_of("ann"): ("suppressed", "frequency_cap"),
        house.id_of("bob"): ("queued", ""),
    }


def test_two_workers_and_one_that_dies_draw_everybody_once(house, monkeypatch):
    monkeypatch.setattr(targeting, "SLICE", 3)
    house.join(*(f"p{number}" for number in range(40)))
    campaign_id = house.launch(holdout_rate=0.2)
    deaths = iter(range(5))
    advance = targeting._advance

    def die_sometimes(*given):
        if next(deaths, None) is not None:
            raise RuntimeError("killed after the rows were written")
        advance(*given)

    monkeypatch.setattr(targeting, "_advance", die_sometimes)
    failures = []

    # A turn while the other has the campaign does nothing, so turns are not counted.
    until = time.monotonic() + 90

    def work():
        while state_of(campaign_id) != "sending" and time.monotonic() < until:
            try:
                api_campaigns.run_campaigns(now=now())
            except RuntimeError as error:
                failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(failures) == 5
    held = arms(campaign_id)
    assert len(held) == 40
    assert set(ledger(campaign_id)) == {who for who, arm in held.items() if arm == "treatment"}
    assert state_of(campaign_id) == "sending"
    database.close_pools()
