"""The local mailbox: takes every message while no mail server is set, and shows them.

It listens on loopback only and relays nothing, so nothing can leave the machine through it.
"""

import asyncio
import logging
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from typing import Any, Final
from uuid import UUID

import psycopg
from aiosmtpd.smtp import SMTP, Envelope, Session

from amity.broadcast.contracts import MailboxMessage
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import NotFound, Unavailable
from amity.kernel.pagination import Page, decode_cursor, encode_cursor

_SQL: Final = queries.load("amity.broadcast")
_log = logging.getLogger("amity.mailbox")
HOST: Final = "127.0.0.1"
_MOST_BYTES: Final = 20 * 2**20
_HEAD_BYTES: Final = 16_384
_PARSER: Final = BytesParser(policy=policy.default)
_COMPACT: Final = policy.compat32


class Keeper:
    """What aiosmtpd calls for each message: it is answered once the message is committed."""

    async def handle_DATA(  # the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a message; ask for it later when the database is away."""
        raw = envelope.content
        assert isinstance(raw, bytes)
        try:
            await asyncio.to_thread(
                keep, sender=envelope.mail_from or "", recipients=envelope.rcpt_tos, raw=raw
            )
        except (Unavailable, psycopg.Error):
            return "451 4.3.0 the mailbox cannot be written now; try again"
        return "250 2.0.0 kept"


def keep(*, sender: str, recipients: list[str], raw: bytes) -> None:
    """Store a message for each of its recipients, in one transaction."""
    head = BytesParser(policy=_COMPACT).parsebytes(raw[:_HEAD_BYTES], headersonly=True)
    row = {
        "sender": sender[:500],
        "subject": _subject_of(raw)[:500],
        "send_id": _send_id(str(head.get("X-Send-Id", ""))),
        "raw": raw,
    }
    with transaction() as connection:
        for recipient in recipients:
            connection.execute(_SQL["mailbox_insert"], row | {"recipient": recipient[:500]})


def _send_id(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _subject_of(raw: bytes) -> str:
    head = _PARSER.parsebytes(raw[:_HEAD_BYTES], headersonly=True)
    return next((text for name, text in _headers(head) if name.lower() == "subject"), "")


def _headers(message: Message) -> list[tuple[str, str]]:
    """Return the headers as people read them; what Python's parser fails at, as it was sent."""
    found = []
    for name, raw in message.raw_items():
        try:
            text = str(message.policy.header_fetch_parse(name, raw))
        except Exception:
            # Strangers' addresses make it fail in many ways: IndexError, AttributeError, recursion.
            text = str(raw)
        found.append((name, _clean(text)))
    return found


def _clean(text: str) -> str:
    # PostgreSQL holds neither, and a message from elsewhere may have both.
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


async def serve(port: int) -> None:
    """Take messages until cancelled."""
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            Keeper(),
            data_size_limit=_MOST_BYTES,
            enable_SMTPUTF8=True,
            hostname="mailbox.localhost",
            ident="Amity mailbox",
            loop=loop,
        )

    server = await loop.create_server(session, HOST, port)
    _log.info("the mailbox listens on port %s", port)
    async with server:
        await server.serve_forever()


def list_mailbox(*, search: str, cursor: str | None, limit: int) -> Page[MailboxMessage]:
    """Return messages, the latest first; see `api.list_mailbox`."""
    search = _clean(search)
    pattern = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    wanted = {
        "search": search,
        "pattern": f"%{pattern}%",
        "after": decode_cursor(cursor, (int,))[0] if cursor else None,
        "limit": limit + 1,
    }
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["mailbox_list"], wanted).fetchall()
    found = [_message(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(found, encode_cursor([found[-1].mailbox_id]) if more else None)


def get_message(*, mailbox_id: int) -> MailboxMessage:
    """Return a message whole; raise NotFound when there is none."""
    with transaction("readonly") as connection:
        row = None
        if 0 < mailbox_id < 2**63:
            row = connection.execute(_SQL["mailbox_get"], [mailbox_id]).fetchone()
    if row is None:
        raise NotFound("there is no such message in the mailbox")
    return _message(row)


def find_message(*, send_id: UUID) -> MailboxMessage | None:
    """Return what arrived of one send, or None."""
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["mailbox_find"], [send_id]).fetchone()
    return None if row is None else _message(row)


def _message(row: tuple[Any, ...]) -> MailboxMessage:
    mailbox_id, received_at, sender, recipient, subject, send_id, raw = row
    parsed = _PARSER.parsebytes(raw)
    assert isinstance(parsed, EmailMessage)
    headers = _headers(parsed)
    text = _part(parsed, "plain")
    return MailboxMessage(
        mailbox_id=mailbox_id,
        received_at=received_at,
        sender=next((value for name, value in headers if name.lower() == "from"), sender),
        recipient=recipient,
        subject=subject,
        preheader=" ".join(text.split())[:160],
        send_id=send_id,
        html=_part(parsed, "html"),
        text=text,
        headers=headers,
        raw=raw,
    )


def _part(parsed: EmailMessage, kind: str) -> str:
    """Return a message's text of a kind; what cannot be read is empty."""
    try:
        part = parsed.get_body((kind,))
        return "" if part is None else str(part.get_content())
    except Exception:
        # Here too a stranger's headers may be more than the parser can take.
        return ""
