"""Who asks for a new link to her preferences is written to, once, and nobody else is."""

from datetime import timedelta

import pytest
from tests.fixtures.campaign_house import House, ask, now

from amity.broadcast import api as broadcast
from amity.store import api as store
from amity.store import hot

NAME = "Preference Link Requested"


@pytest.fixture
def house(db):
    return House()


def request(house, user, *, address=None, at=None):
    """Do what the edge does when the button on a page of an old link is pressed."""
    hot.request_preference_link(
        profile_id=house.id_of(user),
        channel="email",
        address_key=store.contact_key(channel="email", address=address or f"{user}@shop.example"),
        now=at or now(),
    )
    follow(house)


def follow(house):
    house.run()
    while broadcast.follow_batch(now=now()).events:
        pass


def queued():
    return ask(
        "SELECT profile_id, run_kind, class, purpose, state, contact_point FROM broadcast_send"
        " ORDER BY planned_at"
    )


def point(address):
    return store.contact_key(channel="email", address=address)


def test_a_request_becomes_one_service_message_however_often_it_is_made_or_read(house):
    house.join("ann", "bob", consent=False)
    for user in ("ann", "ann", "bob"):
        request(house, user)
    expected = [
        (house.id_of(user), "service", "service", "", "queued", point(f"{user}@shop.example"))
        for user in ("ann", "bob")
    ]
    assert queued() == expected
    ask("UPDATE store_consumer SET position = 0 WHERE name = 'broadcast' RETURNING 1")
    follow(house)
    assert queued() == expected
    assert len(ask("SELECT 1 FROM broadcast_content WHERE class = 'service'")) == 1
    request(house, "ann", at=now() + timedelta(days=1))
    assert len(queued()) == 3


def test_it_goes_to_the_address_she_has_now_and_to_nobody_who_is_not_meant(house):
    house.join("ann", "bob", consent=False)
    house.send({"type": "identify", "userId": "ann", "traits": {"email": "ann@new.example"}})
    request(house, "ann", address="ann@shop.example")
    request(house, "bob", address="ann@shop.example")
    event = {"type": "track", "event": NAME, "userId": "bob"}
    house.send({**event, "properties": {"channel": "email", "address_key": "x"}})
    follow(house)
    assert [(row[0], row[5]) for row in queued()] == [
        (house.id_of("ann"), point("ann@new.example"))
    ]


def test_a_request_of_long_ago_is_not_answered_any_more(house):
    house.join("ann")
    request(house, "ann", at=now() - timedelta(days=2))
    assert ask("SELECT not_after < now() FROM broadcast_send") == [(True,)]


def test_the_message_promotes_nothing_and_needs_no_consent(house):
    house.join("ann", consent=False)
    request(house, "ann")
    [[content_id]] = ask("SELECT content_id FROM broadcast_send")
    shown = broadcast.render_content(
        content_id=content_id, profile_id=house.id_of("ann"), now=now()
    )
    assert (shown.problem, shown.subject) == ("", "Your preferences")
    assert "/p/" in shown.html
    assert "/p/" in shown.text
    assert "nsubscribe" not in shown.html + shown.text
