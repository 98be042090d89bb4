"""What holds at a customer's addresses, on their page: said, and lifted by who may."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from tests.integration.test_web_customers import id_of, identified, send, sign_in, text_of

from amity.store import api as store
from amity.store.contracts import Choices, Suppression

NOW = datetime.now(UTC)
ADDRESS = "ada@example.com"


@pytest.fixture
def ada(db) -> int:
    agreed = {"marketing.email": True}
    send(
        identified("u1", name="Ada Bakker", email=ADDRESS),
        {
            "type": "track",
            "event": "Segment Consent Preference Updated",
            "userId": "u1",
            "timestamp": (NOW - timedelta(days=9)).isoformat(),
            "properties": {"categoryPreferences": agreed},
        },
    )
    return id_of("u1")


def key() -> str:
    return store.contact_key(channel="email", address=ADDRESS)


def say(profile_id: int, at: datetime, **choices: bool) -> None:
    wanted = {name.replace("_", "."): yes for name, yes in choices.items()}
    said = Choices(
        profile_id=profile_id,
        channel="email",
        address_key=key(),
        choices=wanted,
        method="link",
        evidence={},
    )
    store.state_choices(choices=said, now=at)


def suppress(reason: str = "hard_bounce", days: int = 3) -> None:
    at = NOW - timedelta(days=days)
    store.suppress(channel="email", address_key=key(), reason=reason, now=at)


def page_of(profile_id: int, role: str = "viewer") -> str:
    return text_of(sign_in(role).get(f"/customers/{profile_id}/"))


def test_the_page_says_what_holds_at_an_address_and_since_when(ada):
    client = sign_in("viewer")
    assert "Nothing is refused at their addresses" in text_of(client.get(f"/customers/{ada}/"))
    # Not folded yet: what was refused holds where it was said, and the page says so.
    say(ada, NOW - timedelta(days=2), marketing_email=False)
    suppress()
    page = client.get(f"/customers/{ada}/")
    said = text_of(page)
    assert "refused here marketing.email" in said
    assert "blocked A message came back: there is no such address." in said
    for days in (2, 3):
        assert f'datetime="{(NOW - timedelta(days=days)).date()}' in page.content.decode()
    assert "Nothing is refused" not in said


def test_a_no_that_a_later_yes_took_back_is_not_shown(ada):
    say(ada, NOW - timedelta(days=12), marketing_email=False)
    assert store.find_contact_point(channel="email", address_key=key()).objections
    assert "Nothing is refused at their addresses" in page_of(ada)


def test_every_reason_has_words():
    from amity.web.customers.refused import SUPPRESSIONS

    assert {"", *SUPPRESSIONS} == set(get_args(Suppression))


def test_a_customer_without_an_address_has_none_to_say_anything_of(db):
    send(identified("u9", name="Nobody Known"))
    page = page_of(id_of("u9"))
    assert "None recorded" in page
    assert "at their addresses" not in page


def test_who_manages_sending_lifts_it_and_nobody_else(ada):
    say(ada, NOW - timedelta(days=2), marketing_email=False)
    suppress("complaint")
    said = {"channel": "email", "address_key": key()}
    marketer, admin = sign_in("marketer"), sign_in("admin")
    url, page = f"/customers/{ada}/lift-suppression/", f"/customers/{ada}/"
    assert "Write here again" not in text_of(marketer.get(page))
    assert marketer.post(url, said).status_code == 403
    assert admin.get(url).status_code == 405
    offered = text_of(admin.get(page))
    assert f"Write to {ADDRESS} again?" in offered
    assert "only if they asked you to" in offered
    assert admin.post(url, said | {"address_key": "0" * 32}).status_code == 404
    assert admin.post(url, {"channel": "pigeon"}).status_code == 302
    assert store.find_contact_point(channel="email", address_key=key()).suppression
    answer = admin.post(url, said, follow=True)
    assert f"{ADDRESS} is not blocked any more." in text_of(answer)
    point = store.find_contact_point(channel="email", address_key=key())
    assert (point.suppression, list(point.objections)) == ("", ["marketing.email"])
    assert "refused here marketing.email" in text_of(answer)
    assert "Write here again" not in text_of(answer)
