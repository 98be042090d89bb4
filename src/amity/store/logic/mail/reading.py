"""Mail that came in, read (pure): who wrote what, and reports about mail of ours.

A report of a mail server (RFC 3464) or of a complaint (RFC 5965) is believed only when it names
the signed address its message was sent from; without that anybody could have customers' addresses
suppressed. Automatic replies are marked as such.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from amity.infra import tokens
from amity.kernel.clock import format_instant
from amity.store.dialect import make_id
from amity.store.logic.identity.rules import normalize_email

EMAIL_RECEIVED: Final = "Email Received"
BOUNCE_RECEIVED: Final = "Email Bounce Received"
COMPLAINT_RECEIVED: Final = "Email Complaint Received"
MOST_BYTES: Final = 262_144
_MOST_PARTS: Final = 100
_MOST_DEPTH: Final = 30
_MOST_WORDS: Final = 500
_MOST_SUBJECT: Final = 255
_SIGNED_LENGTH: Final = 54
_LISTS: Final = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply"})
_AUTOMATIC: Final = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply", "List-Id", "List-Unsubscribe")
_ENVELOPE: Final = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
_SPACE: Final = re.compile(r"\s+")
_SENDERS: Final = re.compile(r"(mailer-daemon|postmaster|no-?reply|do-?not-?reply)@", re.IGNORECASE)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message of somebody: the event it becomes."""

    event: dict[str, Any]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report about a message of ours, which its signed address names."""

    kind: Literal["bounce", "complaint"]
    send_id: UUID
    email: str
    """Whom the message went to."""
    action: str = ""
    code: str = ""
    diagnostic: str = ""


def read_mail(raw: bytes, *, own: str) -> Letter | Report | None:
    """Return what a message is; None for what is nobody's, or cannot be read.

    ``own`` is the address of the mailbox: what it sent itself says nothing of a customer.
    """
    raw = raw[:MOST_BYTES]
    lowered = raw.lower()
    if lowered.count(b"boundary") > _MOST_DEPTH or lowered.count(b"content-") > 4 * _MOST_PARTS:
        return None  # the time to read it grows with both, and nobody writes so
    try:
        message = message_from_bytes(raw, policy=default)
        if message.get_content_type() == "multipart/report":
            return _read_report(message)
        return _read_letter(message, own)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, IndexError):
        # The parser of the standard library raises all of these for what is made to break it.
        return None


def _read_letter(message: EmailMessage, own: str) -> Letter | None:
    sender = normalize_email(parseaddr(_header(message, "From"))[1])
    if sender is None or sender == normalize_email(own):
        return None
    at = _date(message)
    message_id = _header(message, "Message-ID")[:_MOST_SUBJECT]
    subject = _header(message, "Subject")[:_MOST_SUBJECT]
    properties = {
        "subject": subject,
        "text": _words(message),
        "message_id": message_id,
        "in_reply_to": _header(message, "In-Reply-To")[:_MOST_SUBJECT],
        "to": own,
        "is_automatic": _is_automatic(message, sender),
        "attachments": sum(1 for part in _parts(message) if part.get_filename()),
    }
    made_of = message_id or f"{format_instant(at) if at else ''}\0{subject}\0{properties['text']}"
    event = {
        "type": "track",
        "event": EMAIL_RECEIVED,
        "messageId": make_id("mail", sender, made_of),
        "anonymousId": make_id("mail", sender),
        "context": {"traits": {"email": sender}},
        "properties": {name: value for name, value in properties.items() if value != ""},
    }
    return Letter(event=event | ({"timestamp": format_instant(at)} if at else {}))


def _header(message: Message, name: str) -> str:
    text = str(message.get(name, "") or "")
    return _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in text)).strip()


def _date(message: Message) -> datetime | None:
    try:
        moment = parsedate_to_datetime(_header(message, "Date"))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _is_automatic(message: Message, sender: str) -> bool:
    """Say whether a machine wrote it (RFC 3834, and what machines wrote before it)."""
    submitted = _header(message, "Auto-Submitted").lower().partition(";")[0].strip()
    return (
        submitted not in ("", "no")
        or _header(message, "Precedence").lower() in _LISTS
        or any(message.get(name) is not None for name in _AUTOMATIC)
        or _header(message, "Return-Path") == "<>"
        or _SENDERS.match(sender) is not None
    )


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= _MOST_PARTS:
            return
        yield part


def _words(message: Message) -> str:
    """Return the first words of the text, of HTML where there is nothing else."""
    found: dict[str, str] = {}
    for part in _parts(message):
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and kind not in found and not part.get_filename():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                found[kind] = _decode(payload, part.get_content_charset())
    text = found.get("text/plain", "")
    if not text.strip() and "text/html" in found:
        text = _strip(found["text/html"])
    shown = "".join(c if c.isprintable() else " " for c in text[: 8 * _MOST_WORDS])
    return _SPACE.sub(" ", shown).strip()[:_MOST_WORDS]


def _decode(payload: bytes, charset: str | None) -> str:
    try:
        return payload.decode(charset or "utf-8", "replace")
    except LookupError:
        return payload.decode("latin-1")


class _Stripper(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style", "head")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "head") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _strip(html: str) -> str:
    stripper = _Stripper()
    stripper.feed(html)
    return " ".join(stripper.words)


def _read_report(message: EmailMessage) -> Report | None:
    kind = str(message.get_param("report-type", "")).lower()
    about = _original(message)
    if kind == "feedback-report":
        fields = _fields(message, "message/feedback-report")
        send_id = _signed(message, about, fields.get("original-mail-from", ""))
        email = _recipient(about, fields)
        if send_id is None or not email or fields.get("feedback-type", "").lower() != "abuse":
            return None
        return Report(kind="complaint", send_id=send_id, email=email)
    if kind != "delivery-status":
        return None
    fields = _fields(message, "message/delivery-status")
    send_id, email = _signed(message, about, ""), _recipient(about, fields)
    if send_id is None or not email:
        return None
    return Report(
        kind="bounce",
        send_id=send_id,
        email=email,
        action=fields.get("action", "").lower()[:20],
        code=fields.get("status", "")[:20],
        diagnostic=_SPACE.sub(" ", fields.get("diagnostic-code", ""))[:200],
    )


def _signed(message: Message, about: Message | None, said: str) -> UUID | None:
    """Return which message of ours a report names, wherever it says the signed address."""
    texts = [said, *(_header(message, name) for name in _ENVELOPE)]
    if about is not None:
        texts += [_header(about, "Return-Path"), _header(about, "X-Return-Path")]
    for _, address in getaddresses(texts):
        send_id = read_signed(address)
        if send_id is not None:
            return send_id
    return None


def read_signed(address: str) -> UUID | None:
    """Return which message an envelope's sender names; None when it was not made here.

    It is made by `broadcast` (`bounce_address`): `b+`, then the id and its seal in base32.
    """
    local = address.partition("@")[0].lower()
    if not local.startswith("b+") or len(local) != _SIGNED_LENGTH:
        return None
    try:
        raw = base64.b32decode(local[2:].upper() + "====")
    except binascii.Error:
        return None
    return UUID(bytes=raw[:16]) if tokens.is_seal("bounce", raw[:16], raw[16:]) else None


def _original(message: Message) -> Message | None:
    """Return the message a report is about, or what of its head is there."""
    for part in _parts(message):
        if part.get_content_type() == "message/rfc822":
            payload = part.get_payload()
            if isinstance(payload, list) and payload and isinstance(payload[0], Message):
                return payload[0]
        if part.get_content_type() == "text/rfc822-headers":
            text = part.get_payload(decode=True)
            if isinstance(text, bytes):
                return message_from_bytes(text, policy=default)
    return None


def _recipient(about: Message | None, fields: dict[str, str]) -> str:
    """Return whom the message went to: as we wrote it, since a forwarder reports another."""
    said = [_header(about, "To")] if about is not None else []
    said += [
        fields.get(name, "").rpartition(";")[2].strip()
        for name in ("original-recipient", "original-rcpt-to", "final-recipient")
    ]
    for _, address in getaddresses(said):
        email = normalize_email(address)
        if email:
            return email
    return ""


def _fields(message: Message, kind: str) -> dict[str, str]:
    """Return the fields of a report's own part, of the first that has each."""
    found: dict[str, str] = {}
    for part in _parts(message):
        if part.get_content_type() != kind:
            continue
        payload = part.get_payload()
        for block in (payload if isinstance(payload, list) else [payload])[:20]:
            if isinstance(block, Message):
                pairs = [(name, str(value)) for name, value in block.items()]
            else:
                lines = (line.partition(":") for line in str(block).splitlines()[:200])
                pairs = [(name, value) for name, _, value in lines]
            for name, value in pairs:
                found.setdefault(name.strip().lower(), value.strip()[:500])
    return found
