"""The ledger as people read it, the local mailbox, tests to the staff, and erasure."""

import asyncio
import contextlib
import json
import smtplib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import pytest

from amity.broadcast import api as broadcast
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store
from amity.testing.ports import free_port

NOW = datetime.now(UTC)
SOURCE = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section>"
SOURCE += "</mj-body></mjml>"


@pytest.fixture
def ann(db) -> int:
    source = store.create_source(name="shop", kind="server")
    traits = {"email": "ann@shop.example", "name": "Ann Bell"}
    event = {"type": "identify", "userId": "u1", "messageId": "1", "traits": traits}
    store.append_events(source_id=source.source_id, events=[json.dumps(event).encode()], now=NOW)
    while store.fold_batch().events:
        pass
    return store.find_profile(kind="user_id", value="u1").profile_id


def make_template() -> int:
    made = broadcast.create_template(
        name="Letter", subject="Hello {{ customer.first_name }}", source=SOURCE, by="x", now=NOW
    )
    return made.template_id


def queue(ann: int, count: int = 1):
    template_id = make_template()
    return [
        broadcast.queue_test(
            template_id=template_id,
            to=f"staff{n}@shop.example",
            profile_id=ann,
            by="x",
            now=NOW + timedelta(seconds=n),
        )
        for n in range(count)
    ]


def set_state(send_id, state, reason="") -> None:
    with transaction("owner") as connection:
        connection.execute(
            "UPDATE broadcast_send SET state = %s, reason = %s WHERE id = %s",
            [state, reason, send_id],
        )


def test_messages_are_listed_by_pages_and_filters(ann):
    made = queue(ann, 5)
    seen, cursor = [], None
    while True:
        page = broadcast.list_messages(cursor=cursor, limit=2)
        seen += [one.send_id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [one.send_id for one in reversed(made)]
    set_state(made[0].send_id, "failed", "template")
    (failed,) = broadcast.list_messages(state="failed").items
    assert failed.words == "The template could not be filled in for this customer."
    assert len(broadcast.list_messages(run_kind="test", profile_ids=[ann]).items) == 5
    assert broadcast.list_messages(run_kind="campaign").items == []
    assert broadcast.list_messages(profile_ids=[ann + 1]).items == []
    with pytest.raises(NotFound):
        broadcast.get_message(send_id=uuid4())


def test_only_what_is_in_doubt_can_be_resolved(ann):
    (one,) = queue(ann)
    with pytest.raises(Conflict):
        broadcast.resolve_unknown(send_id=one.send_id, state="sent", by="eve", now=NOW)
    set_state(one.send_id, "unknown", "no_reply")
    with pytest.raises(Invalid):
        broadcast.resolve_unknown(send_id=one.send_id, state="queued", by="eve", now=NOW)
    found = broadcast.resolve_unknown(send_id=one.send_id, state="sent", by="eve", now=NOW)
    assert (found.state, found.reason, found.reply) == ("sent", "resolved", "said by eve")
    # It was a test that went to a colleague: nothing of the customer's.
    assert sent_to(ann) == []


def sent_to(profile_id):
    while store.fold_batch().events:
        pass
    found = store.list_activity(profile_id=profile_id, names=["Email Sent"]).items
    return [activity.properties["send_id"] for activity in found]


@pytest.mark.parametrize("state", ["sent", "failed"])
def test_what_an_operator_says_of_a_doubtful_message_is_in_the_history(ann, state):
    (one,) = queue(ann)
    with transaction("owner") as connection:
        connection.execute(
            "UPDATE broadcast_send SET run_kind = 'service', test_address = '', wire_at = now()"
        )
    set_state(one.send_id, "unknown", "no_reply")
    broadcast.resolve_unknown(send_id=one.send_id, state=state, by="eve", now=NOW)
    assert sent_to(ann) == ([str(one.send_id)] if state == "sent" else [])
    store.erase_profile(profile_id=ann, by="eve", now=NOW)
    set_state(one.send_id, "unknown", "no_reply")
    assert broadcast.resolve_unknown(send_id=one.send_id, state="sent", by="eve", now=NOW)


def test_the_mailbox_keeps_what_it_answers_for_and_shows_it(ann):
    send_id = uuid4()
    mail = EmailMessage()
    mail["From"], mail["To"] = "Shop <news@shop.example>", "ann@shop.example"
    mail["Subject"], mail["X-Send-Id"] = "Grüße 🎉", str(send_id)
    mail.set_content("plain words")
    mail.add_alternative("<p>rich words</p>", subtype="html")

    async def session() -> None:
        port = free_port()
        serving = asyncio.ensure_future(broadcast.serve_mailbox(port=port))
        await asyncio.sleep(0.1)

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.send_message(mail)
                client.sendmail("a@b.example", ["x@b.example", "y@b.example"], b"\xff\x00 no mail")

        await asyncio.to_thread(send)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    asyncio.run(session())
    found = broadcast.find_mailbox_message(send_id=send_id)
    assert (found.subject, found.html.strip()) == ("Grüße 🎉", "<p>rich words</p>")
    assert found.text.strip() == "plain words"
    listed = broadcast.list_mailbox(limit=2)
    assert [one.recipient for one in listed.items] == ["y@b.example", "x@b.example"]
    rest = broadcast.list_mailbox(cursor=listed.next_cursor, limit=2)
    assert [one.recipient for one in rest.items] == ["ann@shop.example"]
    assert [one.recipient for one in broadcast.list_mailbox(search="ANN@").items] == [
        "ann@shop.example"
    ]
    assert broadcast.list_mailbox(search="100%").items == []
    with pytest.raises(NotFound):
        broadcast.get_mailbox_message(mailbox_id=10**9)


def test_erasure_leaves_nothing_of_her_in_the_ledger(ann):
    made = queue(ann, 2)
    set_state(made[0].send_id, "sent")
    with transaction("owner") as connection:
        connection.execute("UPDATE broadcast_send SET subject = 'Hello Ann', reply = 'ann@'")
        connection.execute(
            "INSERT INTO broadcast_mailbox (recipient, send_id, raw) VALUES ('ann@', %s, 'Ann')",
            [made[0].send_id],
        )
    from amity.web.erasing import erase_customer

    counts = erase_customer(profile_id=ann, by="x", now=NOW)
    assert (counts["broadcast_send"], counts["broadcast_mailbox"]) == (2, 1)
    states = {one.send_id: (one.state, one.reason) for one in broadcast.list_messages().items}
    assert states[made[0].send_id] == ("sent", "")
    assert states[made[1].send_id] == ("cancelled", "erased")
    with transaction("owner") as connection:
        rows = connection.execute("SELECT s::text FROM broadcast_send s").fetchall()
    assert not any("Ann" in text or "ann@" in text or "staff" in text for (text,) in rows)
