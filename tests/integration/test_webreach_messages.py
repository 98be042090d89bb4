"""The ledger, the mailbox and the customer's page on screen, on a real database."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.test import Client

from amity.broadcast import api as broadcast
from amity.broadcast.contracts import Message
from amity.infra.database import transaction
from amity.store import api as store

NOW = datetime.now(UTC)
SOURCE = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ customer.first_name }}, "
    '<a href="{{ links.unsubscribe }}">stop</a> {{ brand.postal_address }}'
    "</mj-text></mj-column></mj-section></mj-body></mjml>"
)


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", password="x" * 12, role=role))
    return client


def text_of(page) -> str:
    text = re.sub(r"<[^>]+>", " ", page.content.decode())
    return re.sub(r"\s+", " ", text)


def change(statement: str, *values: object) -> None:
    with transaction("owner") as connection:
        connection.execute(statement, values)


@pytest.fixture
def profile_id(db: str) -> int:
    source = store.create_source(name="Shop", kind="server")
    traits = {"name": "Ann Bee", "email": "ann@example.com"}
    event = {"type": "identify", "userId": "u1", "messageId": "m1", "traits": traits}
    other = event | {"userId": "u2", "messageId": "m2", "traits": {"name": "Cid Dee"}}
    bodies = [json.dumps(event).encode(), json.dumps(other).encode()]
    store.append_events(source_id=source.source_id, events=bodies, now=NOW)
    while store.fold_batch(limit=2000).events:
        pass
    return store.list_profiles(search="Ann").items[0].profile_id


@pytest.fixture
def message(profile_id: int) -> Message:
    template = broadcast.create_template(
        name="News", subject="Hi {{ customer.first_name }}", source=SOURCE, by="x", now=NOW
    )
    return broadcast.queue_test(
        template_id=template.template_id,
        to="staff@example.com",
        profile_id=profile_id,
        by="x",
        now=datetime.now(UTC),
    )


def settle(message: Message, state: str, reason: str = "", reply: str = "") -> None:
    change(
        "UPDATE broadcast_send SET state = %s, reason = %s, reply = %s, subject = 'Hi Ann', "
        "wire_at = now(), settled_at = now() WHERE id = %s",
        state,
        reason,
        reply,
        message.send_id,
    )


def receive(send_id: UUID | None, recipient: str = "ann@example.com") -> None:
    raw = (
        "From: The shop <news@shop.example>\r\nTo: ann@example.com\r\nSubject: Hi Ann\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        "<!doctype html><html><head></head><body><script>alert(1)</script>"
        '<a href="https://shop.example/x">Look</a></body></html>'
    )
    change(
        "INSERT INTO broadcast_mailbox (envelope_from, recipient, subject, send_id, raw) "
        "VALUES ('b@x', %s, 'Hi Ann', %s, %s)",
        recipient,
        send_id,
        raw.encode(),
    )


def test_the_ledger_is_searched_and_filtered(message: Message) -> None:
    client = sign_in("viewer")
    settle(message, "failed", "rejected", "550 no")
    assert "Hi Ann" in text_of(client.get("/messages/"))
    assert "Hi Ann" in text_of(client.get("/messages/?q=ann@example.com"))
    assert "No such message" in text_of(client.get("/messages/?q=cid"))
    assert "No such message" in text_of(client.get("/messages/?q=nobody-of-that-name"))
    assert "Hi Ann" in text_of(client.get("/messages/?state=failed&kind=test"))
    assert "No such message" in text_of(client.get("/messages/?state=sent"))
    assert "No such message" in text_of(client.get("/messages/?kind=journey"))


def test_a_message_says_what_became_of_it(message: Message) -> None:
    client = sign_in("marketer")
    page = text_of(client.get(f"/messages/{message.send_id}/"))
    assert "waiting" in page
    assert "As it would be made now" in page
    settle(message, "failed", "rejected", "550 5.7.1 <b>no</b>")
    answer = client.get(f"/messages/{message.send_id}/")
    assert "550 5.7.1 &lt;b&gt;no&lt;/b&gt;" in answer.content.decode()
    assert "The receiving server refused the message for good." in text_of(answer)
    body = client.get(f"/messages/{message.send_id}/body/")
    assert "Hello Ann" in text_of(body)
    assert body["Content-Security-Policy"].startswith("sandbox allow-popups")
    receive(message.send_id)
    assert "Open in the mailbox" in text_of(client.get(f"/messages/{message.send_id}/"))
    assert client.get(f"/messages/{UUID(int=1)}/").status_code == 404


def test_a_doubtful_message_is_settled_by_somebody_who_knows(message: Message) -> None:
    settle(message, "unknown", "no_reply")
    address = f"/messages/{message.send_id}/resolve/"
    assert sign_in("marketer").post(address, {"state": "sent"}).status_code == 403
    admin = sign_in("admin")
    assert "What became of this message?" in text_of(admin.get(f"/messages/{message.send_id}/"))
    admin.post(address, {"state": "queued"})
    assert broadcast.get_message(send_id=message.send_id).state == "unknown"
    admin.post(address, {"state": "sent"})
    assert broadcast.get_message(send_id=message.send_id).state == "sent"
    answer = admin.post(address, {"state": "failed"}, follow=True)
    assert "not in doubt" in text_of(answer)


def test_the_mailbox_shows_a_message_only_in_a_sandbox(message: Message) -> None:
    client = sign_in("marketer")
    assert "Nothing received yet" in text_of(client.get("/mailbox/"))
    receive(message.send_id)
    listed = client.get("/mailbox/?q=ann@").content.decode()
    found = re.search(r"/mailbox/(\d+)/", listed)
    assert found is not None
    home = f"/mailbox/{found[1]}/"
    page = client.get(home)
    assert "<script>alert(1)" not in page.content.decode()
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.content.decode()
    assert "News" not in text_of(client.get("/mailbox/?q=somebody-else"))
    body = client.get(f"{home}body/")
    policy = body["Content-Security-Policy"]
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy
    assert "http:" not in policy
    assert '<head><base target="_blank">' in body.content.decode()
    assert "news@shop.example" in text_of(client.get(f"{home}?show=headers"))
    assert "&lt;script&gt;" in client.get(f"{home}?show=raw").content.decode()
    raw = client.get(f"{home}message.eml")
    assert raw["Content-Type"] == "message/rfc822"
    assert raw["Content-Disposition"].startswith("attachment")
    piece = client.get("/mailbox/", headers={"HX-Request": "true", "HX-Target": "inbox"})
    assert "<nav" not in piece.content.decode()
    assert "Hi Ann" in text_of(piece)


def test_the_customers_page_tells_what_they_were_sent(message: Message, profile_id: int) -> None:
    settle(message, "sent")
    page = sign_in("agent").get(f"/customers/{profile_id}/")
    assert f"/messages/{message.send_id}/" in page.content.decode()
    assert "Hi Ann sent" in text_of(page)


def test_the_timeline_tells_of_messages(profile_id: int) -> None:
    source = store.list_sources()[-1]
    told = {
        "Email Sent": {"subject": "Spring", "send_id": str(UUID(int=7))},
        "Email Opened": {"subject": "Spring", "is_machine": True},
        "Email Link Clicked": {"subject": "Spring", "link_url": "https://shop.example/x"},
        "Email Bounced": {"subject": "Spring", "reason": "5.1.1", "is_hard": True},
        "Promotion Viewed": {"name": "Free delivery"},
        "Promotion Clicked": {},
    }
    events = [
        json.dumps(
            {
                "type": "track",
                "event": name,
                "userId": "u1",
                "messageId": name,
                "timestamp": (NOW - timedelta(minutes=5)).isoformat(),
                "properties": properties,
            }
        ).encode()
        for name, properties in told.items()
    ]
    store.append_events(source_id=source.source_id, events=events, now=NOW)
    while store.fold_batch(limit=2000).events:
        pass
    page = sign_in("viewer").get(f"/customers/{profile_id}/?show=campaigns")
    text = text_of(page)
    assert "Was sent Spring" in text
    assert f"/messages/{UUID(int=7)}/" in page.content.decode()
    assert "Spring was opened by a scanner or proxy" in text
    assert "Clicked in Spring https://shop.example/x" in text
    assert "Spring was refused by the mail server for good 5.1.1" in text
    assert "Was shown Free delivery" in text
    assert "Clicked on an offer" in text


def test_an_export_names_people_only_to_who_may_export_them(message: Message) -> None:
    change(
        "UPDATE broadcast_send SET run_kind = 'campaign', run_id = 1, reply = '=1+1' WHERE id = %s",
        message.send_id,
    )
    change(
        "INSERT INTO broadcast_campaign (name, segment_id, template_id, salt, state) "
        "VALUES ('Autumn', 1, 1, 's', 'finished')"
    )
    found = {}
    for role in ("marketer", "viewer"):
        client = sign_in(role)
        assert client.get("/campaigns/1/messages.csv").status_code == 302
        client.post("/sign-in/confirm/", {"password": "x" * 12})
        answer = client.get("/campaigns/1/messages.csv")
        text = b"".join(answer.streaming_content).decode()
        found[role] = list(csv.DictReader(io.StringIO(text)))
    assert found["marketer"][0]["email"] == "ann@example.com"
    assert found["marketer"][0]["reply"] == "'=1+1"
    assert "email" not in found["viewer"][0]
    assert found["viewer"][0]["send_id"] == str(message.send_id)
