"""Signing up by a form: a request gives nothing, and only what is confirmed holds."""

import json
from datetime import timedelta

import pytest
from tests.fixtures.campaign_house import House, ask, now

from amity.broadcast import api as broadcast
from amity.infra import database
from amity.kernel.errors import Invalid, Unavailable
from amity.store import api as store
from amity.store import api_retention as keeping
from amity.store import hot
from amity.store.contracts import Choices
from amity.store.contracts_consent import Confirmation, LedgerFilter, Signup
from amity.store.logic.consent import subscribing

EVE = "eve@shop.example"
SEND = "018f3c5e7b1a7c3d9e4f5a6b7c8d9e0f"


@pytest.fixture
def house(db):
    return House()


def follow(house):
    house.run()
    while broadcast.follow_batch(now=now()).events:
        pass


def key_of(address):
    return store.contact_key(channel="email", address=address)


def sign_up(house, address=EVE, *, at=None, **more):
    made = Signup(address=address, purposes=["marketing.email"], source_id=house.source_id, **more)
    is_asked = hot.request_subscription(signup=made, now=at or now())
    follow(house)
    return is_asked


def requests():
    return ask(
        "SELECT event_id, profile_id FROM store_activity WHERE name = 'Consent Requested'"
        " ORDER BY position"
    )


def confirm(house, address=EVE, at=None):
    event_id, profile_id = requests()[-1]
    asked = Confirmation(
        profile_id=profile_id, address_key=key_of(address), event_id=event_id, send_id=SEND
    )
    given = hot.confirm_subscription(
        confirmation=asked, evidence={"browser": "Firefox", "network": "k"}, now=at or now()
    )
    follow(house)
    return given


def owner(kind, value):
    found = store.find_profile(kind=kind, value=value)
    return found and found.profile_id


def may_write(address):
    profile_id = owner("email", address)
    [reason] = store.may_use(
        profile_ids=[profile_id], purpose="marketing.email", channel="email", now=now()
    ).values()
    return reason or "yes"


def ledger():
    while store.write_consents(now=now()):
        pass
    found = store.list_consent_records(filters=LedgerFilter()).items
    return [(one.status, one.method, one.notice, json.loads(one.evidence)) for one in found]


def test_a_request_gives_nothing_and_its_confirmation_gives_what_was_asked_for(house):
    assert sign_up(house, notice="marketing.email@1", name="Eve Adams", network="n")
    [[status, method, notice, evidence]] = ledger()
    assert (status, method, notice, evidence["network"]) == (
        *("pending", "DOI", "marketing.email@1"),
        "n",
    )
    profile = store.find_profile(kind="email", value=EVE)
    assert (may_write(EVE), profile.traits, profile.email) == ("no_consent", {}, None)
    sends = ask("SELECT class, purpose, state, contact_point, not_after FROM broadcast_send")
    assert [row[:4] for row in sends] == [("service", "marketing.email", "queued", key_of(EVE))]
    assert confirm(house)
    assert may_write(EVE) == "yes"
    profile = store.find_profile(kind="email", value=EVE)
    assert (profile.email, profile.traits["name"]) == (EVE, "Eve Adams")
    [given, _] = ledger()
    assert (*given[:3], given[3]["browser"], given[3]["network"]) == (
        *("given", "DOI", "marketing.email@1"),
        *("Firefox", "k"),
    )
    assert given[3]["send_id"].replace("-", "") == SEND
    store.rebuild()
    follow(house)
    assert may_write(EVE) == "yes"


def test_whoever_asks_and_however_often_there_is_one_message_a_day(house):
    assert sign_up(house)
    assert not sign_up(house, " EVE@shop.example ")
    assert not sign_up(house, at=now() + timedelta(hours=23))
    assert len(ask("SELECT 1 FROM broadcast_send")) == 1
    assert sign_up(house, at=now() + timedelta(hours=25))
    assert len(ask("SELECT 1 FROM broadcast_send")) == 2
    store.suppress(channel="email", address_key=key_of(EVE), reason="complaint", now=now())
    assert not sign_up(house, at=now() + timedelta(days=9))


def test_a_link_that_was_used_or_is_older_than_her_no_gives_nothing(house):
    sign_up(house)
    assert confirm(house)
    assert confirm(house)
    assert len(ledger()) == 2
    said = Choices(
        profile_id=owner("email", EVE),
        channel="email",
        address_key=key_of(EVE),
        choices={"marketing.email": False},
        method="link",
    )
    store.state_choices(choices=said, now=now())
    follow(house)
    assert not confirm(house)
    assert may_write(EVE) == "objected"


def test_it_proves_the_address_and_not_the_browser_that_stated_it(house):
    site = store.create_source(name="Site", kind="browser").source_id
    event = b'{"type":"identify","anonymousId":"b1","traits":{"email":"eve@shop.example"}}'
    store.append_events(source_id=site, events=[event], now=now())
    sign_up(house)
    assert confirm(house)
    assert owner("email", EVE) != owner("anonymous_id", "b1")
    assert may_write(EVE) == "yes"
    house.join("eve", consent=False)
    assert owner("user_id", "eve") == owner("email", EVE) != owner("anonymous_id", "b1")
    assert may_write(EVE) == "yes"


def test_who_is_known_is_asked_at_that_address_and_keeps_her_name(house):
    house.join("eve", consent=False, name="Eve")
    sign_up(house, name="Mallory")
    assert requests()[0][1] == house.id_of("eve")
    assert confirm(house)
    profile = store.get_profile(profile_id=house.id_of("eve"))
    assert (profile.traits["name"], may_write(EVE)) == ("Eve", "yes")


def test_the_message_says_the_same_to_all_and_has_her_links(house):
    sign_up(house, name="Click here")
    [[content_id]] = ask("SELECT content_id FROM broadcast_send")
    shown = broadcast.render_content(
        content_id=content_id, profile_id=owner("email", EVE), now=now()
    )
    assert (shown.problem, shown.subject) == ("", "Please confirm your address")
    assert "/u/" in shown.html
    assert "Click" not in shown.html + shown.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Eve  Adams", "Eve Adams"),
        ("Jean-Luc O’Neill Jr.", "Jean-Luc O’Neill Jr."),
        ("Win at http://evil", ""),
        ("evil.example", ""),
        ("www evil", ""),
        ("<b>Eve</b>", ""),
        ("{{ env }}", ""),
        ("a@b", ""),
        ("E\u202eve", ""),
        ("E" * 81, ""),
    ],
)
def test_a_name_that_could_be_a_link_is_none(name, kept):
    assert subscribing.clean_name(name) == kept


def test_what_is_no_address_or_not_asked_for_is_refused_and_so_are_too_many(house, monkeypatch):
    with pytest.raises(Invalid):
        sign_up(house, "nobody")
    with pytest.raises(Invalid):
        sign_up(house, notice="marketing.email@99")
    with pytest.raises(Invalid):
        hot.request_subscription(
            signup=Signup(address=EVE, purposes=["sharing"], source_id=1), now=now()
        )
    monkeypatch.setattr(subscribing, "A_NETWORK", 2)
    monkeypatch.setattr(subscribing, "A_DOMAIN", 3)
    at = now()
    assert [sign_up(house, f"a{n}@x.example", network="one", at=at) for n in range(2)] == [True] * 2
    with pytest.raises(Unavailable):
        sign_up(house, "a3@x.example", network="one", at=at)
    with pytest.raises(Unavailable):
        sign_up(house, "a4@x.example", network="two", at=at)
    assert sign_up(house, "a4@x.example", network="one", at=at + timedelta(hours=1))
    with database.transaction() as connection:
        connection.execute("UPDATE store_signup_pace SET hour = hour - interval '3 days'")
    sign_up(house, "a5@x.example")
    sweeps = keeping.index_sweeps(keeping.list_sweeps())
    keeping.run_retention(sweeps, key="signups", by="t", now=now())
    assert {row[0] for row in ask("SELECT amount FROM store_signup_pace")} == {1}


def test_a_pause_holds_by_the_clock_and_takes_nothing_back(house):
    house.join("ann")
    ann, address = house.id_of("ann"), "ann@shop.example"
    point = ("email", key_of(address))

    def pause(until, at):
        hot.pause_messages(
            profile_id=ann, point=point, until=until, evidence={"browser": "Firefox"}, now=at
        )

    def judge(at):
        told = {"profile_ids": [ann], "purpose": "marketing.email", "now": at}
        return store.may_use(**told, channel="email")[ann], store.may_use(**told)[ann]

    at = now()
    pause(at + timedelta(days=30), at)
    follow(house)
    # The purpose has a channel of its own, so the pause counts without one too.
    assert judge(at) == ("on_pause", "on_pause")
    assert judge(at + timedelta(days=29)) == ("on_pause", "on_pause")
    assert judge(at + timedelta(days=31)) == ("", "")
    assert store.list_contact_points(profile_id=ann)[0].objections == {}
    held = hot.read_preferences(
        profile_id=ann,
        channel="email",
        address_key=point[1],
        purposes=["marketing.email"],
        now=at,
    )
    assert held.paused_until == at + timedelta(days=30)
    assert held.choices == held.allowed == {"marketing.email": True}
    pause(None, now())
    pause(None, now())
    assert judge(now()) == ("", "")
    follow(house)
    names = "SELECT name FROM store_activity WHERE name LIKE 'Messages %%' ORDER BY position"
    assert [row[0] for row in ask(names)] == ["Messages Paused", "Messages Resumed"]
    with pytest.raises(Invalid):
        pause(at + timedelta(days=400), at)
