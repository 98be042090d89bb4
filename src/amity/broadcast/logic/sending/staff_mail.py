"""The door for mail to staff: the same mail server, the same fence, a gate and a ledger of its own.

A message has a key, and goes on the wire at most once for it: the row is there, committed, before
the message can end. Whoever is killed in between leaves it in doubt, and it stays unsent.
"""

import asyncio
from base64 import encodebytes
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from amity.broadcast.channel import Gate, GateToken, Outcome, Parcel
from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.contracts_staff import Attachment, StaffLetter, StaffMail, StaffMailState
from amity.broadcast.logic.liquid.values import RenderFailed
from amity.broadcast.logic.mail import dkim, headers, mime
from amity.broadcast.logic.mail.smtp_relay import parse_relay
from amity.broadcast.logic.sending import fence, gate
from amity.infra import queries
from amity.infra.config import Settings, settings
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, Unavailable

_SQL: Final = queries.load("amity.broadcast")
_LOST_AFTER: Final = timedelta(minutes=30)
_STATES: Final[dict[str, StaffMailState]] = {
    "sent": "sent",
    "deferred": "deferred",
    "unreachable": "deferred",
    "refused": "refused",
    "doubtful": "unknown",
}


def check_server() -> None:
    """Raise Unavailable while there is no mail server that could take mail to staff."""
    if settings().smtp_url is None:
        raise Unavailable(
            "no mail server is configured, so nothing can be mailed: set AMITY_SMTP_URL",
            code="no_mail_server",
        )


def send(letter: StaffLetter, *, now: datetime) -> StaffMail:
    """Send one message, or say what became of it before; see the door."""
    check_server()
    if (before := find(letter.key, now=now)) is not None and before.state != "deferred":
        return before
    with transaction() as connection:
        held = fence.check(connection)
    if not held.is_open:
        raise Conflict(held.words.rstrip("."), code="sending_stopped")
    mail_id = uuid4()
    parcel = _make(letter, settings(), mail_id=mail_id, now=now)
    outcome = asyncio.run(_deliver(parcel, _gate_of(letter, mail_id, now)))
    if outcome.kind != "withheld":
        _settle(letter, mail_id, outcome, now)
    found = find(letter.key, now=now)
    if found is None:
        raise Conflict("sending was stopped meanwhile", code="sending_stopped")
    return found


def find(key: str, *, now: datetime) -> StaffMail | None:
    """Return what became of a message; None when it was never tried."""
    with transaction() as connection:
        connection.execute(
            _SQL["staff_mail_doubt"], {"key": key, "now": now, "lost": now - _LOST_AFTER}
        )
        row = connection.execute(_SQL["staff_mail_find"], [key]).fetchone()
    return None if row is None else _mail(row)


def list_latest(*, begins: str, limit: int) -> list[StaffMail]:
    """Return the latest messages whose key begins so, the latest first."""
    like = begins.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["staff_mail_list"], {"like": like, "limit": limit})
        return [_mail(row) for row in rows]


def _mail(row: tuple[Any, ...]) -> StaffMail:
    names = ("key", "staff_id", "subject", "state", "reply", "wire_at", "settled_at")
    return StaffMail(**dict(zip(names, row, strict=True)))


def _gate_of(letter: StaffLetter, mail_id: UUID, now: datetime) -> Gate:
    async def enter() -> GateToken | None:
        return await asyncio.to_thread(gate.enter_staff, letter, mail_id=mail_id, now=now)

    return enter


async def _deliver(parcel: Parcel, enter: Gate) -> Outcome:
    channel = EmailChannel(parse_relay(settings().smtp_url or ""))
    try:
        return await channel.send(parcel, enter)
    finally:
        await channel.close()


def _settle(letter: StaffLetter, mail_id: UUID, outcome: Outcome, now: datetime) -> None:
    values = {
        "key": letter.key,
        "mail_id": mail_id,
        "staff_id": letter.recipient.staff_id,
        "subject": letter.subject,
        "state": _STATES[outcome.kind],
        "reply": " ".join(part for part in (outcome.code, outcome.reply) if part)[:500],
        "now": now,
    }
    with transaction() as connection:
        connection.execute(_SQL["staff_mail_settle"], values)


def _make(letter: StaffLetter, using: Settings, *, mail_id: UUID, now: datetime) -> Parcel:
    """Return the signed message; raise Invalid when it cannot be addressed."""
    try:
        sender = headers.check_address(using.mail_from)
        recipient = headers.check_address(letter.recipient.address)
    except RenderFailed as error:
        raise Invalid(str(error), code="bad_address") from error
    domain = sender.rpartition("@")[2]
    boundary = b"=_" + mail_id.hex.encode()
    body = _body(letter, boundary)
    name = headers.encode_phrase(headers.clean(using.mail_from_name))
    lines: list[dkim.Header] = [
        (b"From", name + f" <{sender}>".encode()),
        (b"To", recipient.encode()),
        (b"Subject", headers.encode_text(headers.clean(letter.subject))),
        (b"Date", headers.encode_date(now)),
        (b"Message-ID", f"<{mail_id}@{domain}>".encode()),
        (b"MIME-Version", b"1.0"),
        (b"Content-Type", b'multipart/mixed;\r\n boundary="%b"' % boundary),
        (b"Auto-Submitted", b"auto-generated"),
        (b"X-Send-Id", str(mail_id).encode()),
    ]
    key = dkim.cached_key(using.data, using.dkim_selector)
    signer = dkim.Signer(key, domain, using.dkim_selector)
    signature, _ = signer.sign(lines, body, int(now.timestamp()))
    lines.insert(0, (b"DKIM-Signature", signature))
    head = b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n"
    return Parcel(send_id=mail_id, sender=sender, recipient=recipient, content=head + body)


def _body(letter: StaffLetter, boundary: bytes) -> bytes:
    inner, mark = boundary + b"a", b"--" + boundary
    parts = [
        mark,
        b'\r\nContent-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n' % inner,
        mime.build_body(letter.text, letter.html, inner),
    ]
    parts += [part for one in letter.attachments for part in (mark, b"\r\n", _attach(one))]
    return b"".join((*parts, mark, b"--\r\n"))


def _attach(file: Attachment) -> bytes:
    if not (file.name.isascii() and file.name.isprintable()) or set(file.name) & set('"\\'):
        raise Invalid("a file's name cannot stand in a header", code="bad_file")
    coded = encodebytes(file.content).replace(b"\n", b"\r\n")
    return (
        f"Content-Type: {file.kind}; charset=utf-8\r\n"
        f'Content-Disposition: attachment; filename="{file.name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + coded
