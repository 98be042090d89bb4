"""Contact points: what is refused holds, is said once, and outlives who said it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.infra import database
from amity.kernel.errors import Invalid, NotFound
from amity.store import api
from amity.store.contracts import Choices

NOW = datetime.now(UTC)


@pytest.fixture
def ann(db):
    source_id = api.create_source(name="Shop", kind="server").source_id
    return make_person(source_id, "ann@example.com", NOW - timedelta(days=2)), source_id


def make_person(source_id, email, at, *, user_id="u1", consents=None):
    when = at.isoformat()
    events = [
        {"type": "identify", "userId": user_id, "traits": {"email": email}, "timestamp": when},
        preferences(user_id, consents or {"marketing.email": True}, at),
    ]
    api.append_events(source_id=source_id, events=list(map(msgspec.json.encode, events)), now=NOW)
    fold()
    return api.find_profile(kind="user_id", value=user_id).profile_id


def preferences(user_id, consents, at):
    return {
        "type": "track",
        "userId": user_id,
        "event": "Segment Consent Preference Updated",
        "properties": {"categoryPreferences": consents},
        "timestamp": at.isoformat(),
    }


def fold():
    while api.fold_batch().events:
        pass


def choose(profile_id, choices, *, email="ann@example.com", now=NOW, **evidence):
    said = Choices(
        profile_id=profile_id,
        channel="email",
        address_key=api.contact_key(channel="email", address=email),
        choices=choices,
        method="link",
        evidence=evidence,
    )
    return bool(api.state_choices(choices=said, now=now).said)


def reason(profile_id, purpose="marketing.email", *, email="ann@example.com"):
    key = api.contact_key(channel="email", address=email)
    with database.transaction() as connection:
        return connection.execute(
            """SELECT store_contact_reason(c.suppression, c.objections, p.consents, %s)
               FROM store_profile p LEFT JOIN store_contact_point c ON c.address_key = %s
               WHERE p.id = %s""",
            [purpose, key, profile_id],
        ).fetchone()[0]


def statuses(profile_id):
    consents = api.get_profile(profile_id=profile_id).consents
    return {purpose: consent.status for purpose, consent in consents.items()}


def test_an_address_has_one_key_however_it_is_written():
    key = api.contact_key(channel="email", address="Ann@Example.com ")
    assert key == api.contact_key(channel="email", address="ann@example.com")
    assert key != api.contact_key(channel="sms", address="+12025550123")
    assert "ann" not in key
    assert len(key) == 32
    with pytest.raises(Invalid):
        api.contact_key(channel="email", address="nobody")


def test_a_no_holds_at_once_and_is_folded_into_the_profile(ann):
    profile_id, _ = ann
    assert reason(profile_id) == ""
    assert choose(profile_id, {"marketing.email": False}, send_id="s1")
    assert reason(profile_id) == "objected"
    fold()
    assert statuses(profile_id) == {"marketing.email": "withdrawn"}
    said = api.list_consent_history(profile_id=profile_id)
    assert [(one.purpose, one.status, one.method) for one in said] == [
        ("marketing.email", "withdrawn", "link"),
        ("marketing.email", "granted", ""),
    ]
    assert said[0].evidence == {"send_id": "s1"}


def test_what_is_said_twice_is_recorded_once(ann):
    profile_id, _ = ann
    assert choose(profile_id, {"marketing.email": False})
    assert not choose(profile_id, {"marketing.email": False}, now=NOW + timedelta(seconds=1))
    assert choose(profile_id, {"marketing.email": True}, now=NOW + timedelta(seconds=2))
    assert not choose(profile_id, {"marketing.email": True}, now=NOW + timedelta(seconds=3))
    assert choose(profile_id, {"marketing.email": False}, now=NOW + timedelta(seconds=4))
    fold()
    names = [a.name for a in api.list_activity(profile_id=profile_id).items]
    assert names.count("Unsubscribed") == 2


def test_a_yes_takes_the_no_away(ann):
    profile_id, _ = ann
    choose(profile_id, {"marketing.email": False, "tracking.email": False})
    choose(profile_id, {"tracking.email": True}, now=NOW + timedelta(seconds=1))
    fold()
    assert reason(profile_id, "tracking.email") == ""
    assert reason(profile_id) == "objected"
    assert reason(profile_id, "marketing.sms") == "no_consent"
    assert reason(profile_id, "profiling") == ""  # allowed until she objects


def test_a_later_yes_elsewhere_counts_and_an_earlier_one_does_not(ann):
    profile_id, source_id = ann
    choose(profile_id, {"marketing.email": False}, now=NOW - timedelta(hours=2))
    for hours, expected in ((3, "objected"), (1, "")):
        said = preferences("u1", {"marketing.email": True}, NOW - timedelta(hours=hours))
        api.append_events(source_id=source_id, events=[msgspec.json.encode(said)], now=NOW)
        fold()
        assert reason(profile_id) == expected
    assert choose(profile_id, {"marketing.email": False}, now=NOW), "the no is said anew"
    assert reason(profile_id) == "objected"


def test_without_a_profile_a_no_counts_and_a_yes_does_not(db):
    assert choose(17, {"marketing.email": False})
    assert not choose(17, {"marketing.email": True})
    assert not choose(-1, {"marketing.email": True})
    key = api.contact_key(channel="email", address="ann@example.com")
    point = api.find_contact_point(channel="email", address_key=key)
    assert set(point.objections) == {"marketing.email"}
    assert api.list_received() == []
    with pytest.raises(NotFound):
        api.list_contact_points(profile_id=17)


def test_five_soft_bounces_over_two_weeks_suppress(ann):
    profile_id, _ = ann
    [point] = api.list_contact_points(profile_id=profile_id)
    assert point.address == "ann@example.com"
    at = {"channel": "email", "address_key": point.address_key}
    days = (0, 1, 2, 3, 4, 13.9)
    assert not any(api.record_soft_bounce(**at, now=NOW + timedelta(days=day)) for day in days), (
        "six within two weeks"
    )
    assert reason(profile_id) == ""
    assert api.record_soft_bounce(**at, now=NOW + timedelta(days=14))
    assert reason(profile_id) == "suppressed"
    assert api.lift_suppression(**at)
    assert not api.lift_suppression(**at)
    assert api.find_contact_point(**at).soft_bounces == 0
    api.record_soft_bounce(**at, now=NOW)
    with database.transaction() as connection:
        api.forget_soft_bounces(
            connection=connection, channel="email", address_keys=[point.address_key]
        )
    for day in (14, 15, 16, 17):
        assert not api.record_soft_bounce(**at, now=NOW + timedelta(days=day))


def test_a_stronger_reason_takes_the_place_of_a_weaker_one(ann):
    [point] = api.list_contact_points(profile_id=ann[0])
    at = {"channel": "email", "address_key": point.address_key}
    for given, held in (
        ("hard_bounce", "hard_bounce"),
        ("complaint", "complaint"),
        ("soft_bounces", "complaint"),
    ):
        api.suppress(**at, reason=given, now=NOW)
        assert api.find_contact_point(**at).suppression == held
    assert reason(ann[0], "") == "", "a receipt still goes to somebody who complained"
    with pytest.raises(Invalid):
        api.suppress(**at, reason="", now=NOW)


def test_rows_are_made_for_all_at_once_and_once(db):
    keys = [api.contact_key(channel="email", address=f"p{n}@example.com") for n in range(50)]
    for _ in range(2):
        with database.transaction() as connection:
            api.ensure_contact_points(connection=connection, channel="email", address_keys=keys)
    with database.transaction() as connection:
        count = connection.execute("SELECT count(*) FROM store_contact_point").fetchone()[0]
    assert count == 50


def test_an_erased_customer_is_not_written_to_when_imported_again(ann):
    profile_id, source_id = ann
    choose(profile_id, {"profiling": True})
    api.erase_profile(profile_id=profile_id, by="test", now=NOW)
    again = make_person(source_id, "ANN@example.com", NOW - timedelta(hours=1), user_id="u9")
    assert again != profile_id
    assert reason(again) == "suppressed"
    with database.transaction() as connection:
        rows = connection.execute("SELECT to_jsonb(p)::text FROM store_contact_point p").fetchall()
    assert len(rows) == 1
    assert "example.com" not in rows[0][0]
    assert '"statements": {}' in rows[0][0]
    assert choose(again, {"marketing.email": True}), "a yes of her own lets her back"
    fold()
    assert reason(again) == ""


def test_after_a_merge_a_no_of_either_holds_until_a_later_yes(ann):
    profile_id, source_id = ann
    said = preferences(None, {"marketing.email": False}, NOW - timedelta(days=9))
    said["anonymousId"] = "a1"
    signs_in = {"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {"plan": "b"}}
    before = api.get_profile(profile_id=profile_id).consents
    for event in (said, signs_in):
        api.append_events(source_id=source_id, events=[msgspec.json.encode(event)], now=NOW)
    fold()
    [merge] = [each for each in api.list_merges().items if not each.refusal]
    assert statuses(profile_id) == {"marketing.email": "denied"}
    assert reason(profile_id) == "objected"
    api.rebuild()
    assert statuses(profile_id) == {"marketing.email": "denied"}
    api.unmerge(merge_id=merge.merge_id, by="test", now=NOW)
    fold()
    apart = api.find_profile(kind="user_id", value="u1")
    assert apart.consents == before
