"""Reports about mail of ours: believed by the signed address alone, and then acted upon."""

import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from amity.broadcast import api as broadcast
from amity.broadcast.logic.mail.links import bounce_address
from amity.infra.database import transaction
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts_hooks import Mailbox
from amity.store.logic.mail import mailboxes
from amity.store.logic.mail.reading import Letter, Report, read_mail

OWN = "bounces@brand.example"
ADA = "ada@example.com"
BODY = "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"


def bounce(to: str, *, status: str = "5.1.1", action: str = "failed", original: str = ADA) -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\r\nTo: {to}\r\nSubject: Undelivered\r\n"
        "Auto-Submitted: auto-replied\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"{BODY}--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; forwarded@elsewhere.example\r\nAction: {action}\r\n"
        f"Status: {status}\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"To: {original}\r\nSubject: Hello\r\n\r\n--b--\r\n"
    ).encode()


def complaint(mail_from: str, kind: str = "abuse") -> bytes:
    return (
        "From: feedback@isp.example\r\nTo: abuse@brand.example\r\nSubject: FW: Hello\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        f"{BODY}--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {kind}\r\nUser-Agent: x/1\r\nVersion: 1\r\n"
        f"Original-Mail-From: <{mail_from}>\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
        f"To: {ADA}\r\nSubject: Hello\r\n\r\nHi\r\n--b--\r\n"
    ).encode()


def signed(send_id: UUID) -> str:
    return bounce_address(send_id, "bounces.brand.example")


def test_a_report_is_believed_only_with_our_signed_address(db: str) -> None:
    send_id = uuid4()
    good = signed(send_id)
    assert read_mail(bounce(good), own=OWN) == Report(
        kind="bounce",
        send_id=send_id,
        email=ADA,
        action="failed",
        code="5.1.1",
        diagnostic="smtp; 550 no such user",
    )
    said = read_mail(complaint(good), own=OWN)
    assert isinstance(said, Report)
    assert (said.kind, said.send_id, said.email) == ("complaint", send_id, ADA)
    flipped = good[:10] + ("a" if good[10] != "a" else "b") + good[11:]
    for address in (flipped, "bounces@brand.example", "b+" + "a" * 52 + "@x", "", "b+@x"):
        assert read_mail(bounce(address), own=OWN) is None
        assert read_mail(complaint(address), own=OWN) is None
    assert read_mail(complaint(good, kind="not-spam"), own=OWN) is None


def test_mail_made_to_break_a_reader_breaks_nothing(db: str) -> None:
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
        for n in range(2_000)
    )
    many = b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + (
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 5_000
    )
    rng = random.Random(7)
    whole = [bounce(signed(uuid4())), complaint(signed(uuid4())), many[:2_000]]
    broken = [bytes(b if rng.random() > 0.02 else rng.randrange(256) for b in raw) for raw in whole]
    odd = [
        b"From: a@b.example\r\nContent-Type: text/plain; charset=no-such\r\n\r\nx",
        b"From: a@b.example\r\nDate: 99 Foo 99999\r\nSubject: =?x?q?=FF?=\r\n\r\nx",
        b"From: a@b.example\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"From: \x00\r\n\r\n",
        b"",
    ]
    for raw in (b"From: a@b.example\r\n" + nested, many, *broken, *odd):
        found = read_mail(raw, own=OWN)
        assert found is None or isinstance(found, Letter | Report)


@pytest.fixture
def mailbox(db: str) -> Mailbox:
    source = store.create_source(name="Mail", kind="server")
    given = {
        "name": "bounces",
        "source_id": source.source_id,
        "host": "mail.brand.example",
        "port": 993,
        "security": "tls",
        "username": OWN,
        "folder": "INBOX",
        "interval_seconds": 60,
        "by": "",
    }
    with transaction() as connection:
        connection.execute(mailboxes._SQL["mailbox_insert"], given)
    return api_fetching.list_mailboxes()[0]


def sent_to_ada() -> UUID:
    """Put a message to Ada into the ledger as sent; return its id."""
    source = store.find_source(name="Mail")
    assert source is not None
    known = {"type": "identify", "userId": "ada", "traits": {"email": ADA}}
    now = datetime.now(UTC)
    raw = [msgspec.json.encode(known)]
    store.append_events(source_id=source.source_id, events=raw, now=now)
    follow()
    ada = store.find_profile(kind="user_id", value="ada")
    assert ada is not None
    key = store.contact_key(channel="email", address=ADA)
    with transaction() as connection:
        row = connection.execute(
            "INSERT INTO broadcast_send (run_kind, run_id, contact_point, profile_id, class,"
            " content_id, state, not_before, not_after, step_key)"
            " VALUES ('service', 0, %s, %s, 'service', 1, 'sent', now(), now(), %s) RETURNING id",
            [key, ada.profile_id, str(uuid4())],
        ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def follow() -> None:
    while store.fold_batch().events + broadcast.follow_batch(now=datetime.now(UTC)).events:
        pass


def receive(mailbox: Mailbox, *raw: bytes) -> Mailbox:
    was = mailboxes._Position(None, 0)
    to = mailboxes._Position(1, 1)
    with transaction() as connection:
        connection.execute("UPDATE store_mailbox SET uid_validity = NULL, last_uid = 0")
    found = [read_mail(each, own=OWN) for each in raw]
    mailboxes._commit(mailbox, found, (was, to), datetime.now(UTC))
    follow()
    return api_fetching.get_mailbox(mailbox_id=mailbox.mailbox_id)


def names() -> list[str]:
    ada = store.find_profile(kind="user_id", value="ada")
    assert ada is not None
    return [each.name for each in store.list_activity(profile_id=ada.profile_id).items]


def suppression() -> str:
    key = store.contact_key(channel="email", address=ADA)
    found: Any = store.find_contact_point(channel="email", address_key=key)
    return found.suppression if found else ""


def state(send_id: UUID) -> tuple[str, str]:
    with transaction() as connection:
        row = connection.execute(
            "SELECT state, reason FROM broadcast_send WHERE id = %s", [send_id]
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_bounce_for_good_blocks_the_address_once(mailbox: Mailbox) -> None:
    send_id = sent_to_ada()
    raw = bounce(signed(send_id))
    done = receive(mailbox, raw, raw, bounce("b+forged@brand.example"))
    assert (done.read, done.left_out) == (3, 1)
    assert suppression() == "hard_bounce"
    assert state(send_id) == ("failed", "bounced")
    receive(mailbox, raw)
    assert names().count("Email Bounced") == 1
    assert names().count("Email Bounce Received") == 1
    assert store.find_profile(kind="email", value="forwarded@elsewhere.example") is None


def test_a_delay_and_a_full_mailbox_block_nothing(mailbox: Mailbox) -> None:
    first, second = sent_to_ada(), sent_to_ada()
    receive(
        mailbox,
        bounce(signed(first), action="delayed", status="4.4.1"),
        bounce(signed(second), status="5.2.2"),
    )
    assert suppression() == ""
    assert state(first) == ("sent", "")
    assert state(second) == ("failed", "mailbox_full")


def test_a_complaint_blocks_the_address(mailbox: Mailbox) -> None:
    send_id = sent_to_ada()
    raw = complaint(signed(send_id))
    receive(mailbox, raw, raw)
    assert suppression() == "complaint"
    assert names().count("Email Marked as Spam") == 1


def test_a_report_about_nobody_known_changes_nothing(mailbox: Mailbox) -> None:
    stranger = bounce(signed(uuid4()), original="stranger@example.com")
    done = receive(mailbox, stranger)
    assert (done.read, done.left_out) == (1, 1)
    assert store.find_profile(kind="email", value="stranger@example.com") is None
