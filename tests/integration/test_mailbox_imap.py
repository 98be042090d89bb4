"""Mailboxes read from a real IMAP imap: who wrote, what bounced, and nothing twice."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Denied, Invalid, Retryable
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts_hooks import Mailbox, MailboxPlan
from amity.testing.mail_server import MailServer, find_dovecot, running_dovecot

OWN = "care@brand.example"


@pytest.fixture(scope="module")
def imap() -> Iterator[MailServer]:
    if find_dovecot() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Dovecot here: in CI it must be (scripts/servers.sh)")
        pytest.skip("no Dovecot here; install the package dovecot-imapd")
    with running_dovecot() as running:
        ports = ",".join(f"localhost:{port}" for port in (running.port, running.tls_port))
        with config.override(egress_allow=f"127.0.0.0/8,{ports}"):
            yield running


def plan(imap: MailServer, user: str, **changed: Any) -> MailboxPlan:
    given = {"name": user, "host": "127.0.0.1", "port": imap.port, "security": "none"}
    return MailboxPlan(**given | {"username": user} | changed)


def make(imap: MailServer, user: str, **changed: Any) -> Mailbox:
    source = store.create_source(name="Mail", kind="server")
    return api_fetching.create_mailbox(
        plan=plan(imap, user, **changed),
        source_id=source.source_id,
        password=imap.password,
        by="ada",
    )


def mail(sender: str, subject: str, text: str = "Hello", number: int = 1, more: str = "") -> bytes:
    return (
        f"From: {sender}\r\nTo: {OWN}\r\nSubject: {subject}\r\n{more}"
        f"Message-ID: <{number}@example.com>\r\nDate: Tue, 06 Jan 2026 16:00:00 +0100\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


def read(mailbox: Mailbox) -> Mailbox:
    return api_fetching.run_mailbox(mailbox_id=mailbox.mailbox_id, now=datetime.now(UTC))


def fold() -> None:
    while store.fold_batch().events:
        pass


def activity(email: str) -> list[Any]:
    found = store.find_profile(kind="email", value=email)
    return store.list_activity(profile_id=found.profile_id).items if found else []


def test_who_wrote_is_the_customer_or_a_new_one(db: str, imap: MailServer) -> None:
    shop = store.create_source(name="Shop", kind="server")
    known = {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}}
    raw = [msgspec.json.encode(known)]
    store.append_events(source_id=shop.source_id, events=raw, now=datetime.now(UTC))
    imap.put(
        "one@brand.example",
        mail("Ada <Ada@Example.com>", "=?utf-8?q?Where_is_my_t=C3=A9a=3F?=", "It is late.\n> old"),
        mail("new@example.org", "Out of office", number=2, more="Auto-Submitted: auto-replied\r\n"),
        mail("one@brand.example", "our own", number=3),
        b"\xff\xfe no mail at all",
    )
    mailbox = make(imap, "one@brand.example")
    done = read(mailbox)
    assert (done.read, done.stored, done.left_out, done.failure) == (4, 2, 2, "")
    fold()
    [_, first] = activity("ada@example.com")
    assert first.name == "Email Received"
    assert first.properties["subject"] == "Where is my téa?"
    assert first.properties["text"] == "It is late. > old"
    assert first.properties["is_automatic"] is False
    assert first.occurred_at == datetime(2026, 1, 6, 15, tzinfo=UTC)
    owner = store.find_profile(kind="email", value="ada@example.com")
    assert owner is not None
    assert owner.user_id == "ada"
    [automatic] = activity("new@example.org")
    assert automatic.properties["is_automatic"] is True

    imap.put("one@brand.example", mail("new@example.org", "Again", number=4))
    assert read(mailbox).read == 5
    assert read(mailbox).read == 5
    imap.renew("one@brand.example")
    imap.put("one@brand.example", mail("new@example.org", "Again", number=4))
    renewed = read(mailbox)
    assert (renewed.read, renewed.stored) == (6, 3), "read anew, and nothing is there twice"

    wanted = {"mailbox_id": mailbox.mailbox_id}
    assert api_fetching.try_mailbox(**wanted) >= 1
    api_fetching.update_mailbox(**wanted, plan=plan(imap, "one@brand.example", name="Care"))
    assert read(mailbox).read == 6, "by another name it goes on from where it was"
    other = plan(imap, "five@brand.example")
    imap.put("five@brand.example", mail("ada@example.com", "At another one", number=77))
    api_fetching.update_mailbox(**wanted, plan=other, password=imap.password)
    assert read(mailbox).read == 7, "another user's is read from its beginning"
    with pytest.raises(Invalid, match="password"):
        api_fetching.change_mailbox_password(**wanted, password="wrong")
    assert api_fetching.try_mailbox(**wanted) >= 1, "what did not let us in was not kept"


def test_a_slice_is_committed_with_how_far_it_went(
    db: str, imap: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from amity.store.logic.mail import mailboxes

    monkeypatch.setattr(mailboxes, "_SLICE", 3)
    user = "two@brand.example"
    letters = [mail(f"c{n}@example.com", f"Letter {n}", number=n) for n in range(8)]
    imap.put(user, *letters)
    mailbox = make(imap, user)
    whole = mailboxes.append_events
    calls = []

    def die(**given: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(**given)

    monkeypatch.setattr(mailboxes, "append_events", die)
    with pytest.raises(KeyboardInterrupt):
        read(mailbox)
    assert api_fetching.get_mailbox(mailbox_id=mailbox.mailbox_id).read == 3
    assert read(mailbox).read == 8
    with transaction() as connection:
        row = connection.execute("SELECT count(*) FROM store_event_log").fetchone()
    assert row is not None
    assert row[0] == 8


def test_the_certificate_counts(db: str, imap: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    user = "three@brand.example"
    by_tls = {"security": "tls", "host": "localhost", "port": imap.tls_port}
    with pytest.raises(Invalid, match="certificate"):
        make(imap, user, **by_tls)
    monkeypatch.setenv("SSL_CERT_FILE", str(imap.certificate))
    source = store.find_source(name="Mail")
    assert source is not None
    given: dict[str, Any] = {"source_id": source.source_id, "password": imap.password}
    given["by"] = "ada"
    made = api_fetching.create_mailbox(plan=plan(imap, user, **by_tls), **given)
    assert read(made).failure == ""
    by_starttls = {"security": "starttls", "host": "localhost", "name": "other"}
    api_fetching.create_mailbox(plan=plan(imap, user, **by_starttls), **given)
    with pytest.raises(Conflict):
        api_fetching.create_mailbox(plan=plan(imap, user, **by_tls), **given)


def test_what_is_in_the_way_is_told(db: str, imap: MailServer) -> None:
    mailbox = make(imap, "four@brand.example")
    given: dict[str, Any] = {"source_id": mailbox.source_id, "by": "ada"}
    with pytest.raises(Invalid, match="password"):
        api_fetching.create_mailbox(plan=plan(imap, "x", name="x"), password="wrong", **given)
    given["password"] = imap.password
    away = plan(imap, "x", name="x", folder="Nowhere")
    with pytest.raises(Invalid, match="folder"):
        api_fetching.create_mailbox(plan=away, **given)
    gone = plan(imap, "x", name="x", port=1)
    with pytest.raises(Retryable):
        api_fetching.create_mailbox(plan=gone, **given)
    inside = plan(imap, "x", name="x")
    with config.override(egress_allow=""):
        with pytest.raises(Denied):
            api_fetching.create_mailbox(plan=inside, **given)
        failing = read(mailbox)
    assert "AMITY_EGRESS_ALLOW" in failing.failure
    assert imap.password not in failing.failure
    with transaction() as connection:
        row = connection.execute("SELECT password FROM store_mailbox").fetchone()
    assert row is not None
    assert imap.password.encode() not in bytes(row[0])
