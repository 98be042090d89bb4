"""Making messages: a content compiled once, then filled in, put together and signed per person."""

import re
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec
from markupsafe import Markup

from amity.broadcast.contracts import MessageClass
from amity.broadcast.logic.liquid.compiling import Link, compile_liquid, plain_link
from amity.broadcast.logic.liquid.values import RenderFailed
from amity.broadcast.logic.mail import dkim, headers, mime
from amity.broadcast.logic.mail.links import (
    Clicks,
    LinkMaker,
    bounce_address,
    confirm_until,
    preferences_until,
)
from amity.infra import tokens
from amity.infra.config import Settings
from amity.personalization.contracts import Decision

__all__ = ["Content", "Made", "Maker", "Recipient", "RenderFailed", "get_maker"]

_BODY: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_BODY_END: Final = re.compile(r"</body", re.IGNORECASE)
_GAP: Final = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
# Only from where spaces begin, or a long row of them would be tried from each.
_INDENT: Final = re.compile(r"(?<![ \t])[ \t]*\r?\n[ \t]*")
_SPACES_COUNT: Final = re.compile(r"<(?:pre|textarea)\b|white-space\s*:\s*pre", re.IGNORECASE)
_HIDDEN: Final = '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">'
# Keeps the first words of the text below out of the preview.
_FILLER: Final = "&#847;&zwnj;&nbsp;" * 40 + "</div>"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, as kept in `broadcast_content`: HTML and text with Liquid in them."""

    content_id: int
    message_class: MessageClass
    subject: str
    preheader: str
    html: str
    text: str


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One person to write to, with all that the message may say."""

    send_id: UUID
    profile_id: int
    address: str
    address_key: str
    """`store.api.contact_key("email", address)`."""
    purpose: str = ""
    """The consent an unsubscribe takes back, such as `marketing.email`."""
    is_tracked: bool = False
    """Whether she agreed to `tracking.email`: signed click links and the open picture."""
    stream: str = ""
    """What sends it, as a short word: `c12` for campaign 12, `j3` for journey 3."""
    data: dict[str, Any] = {}
    """`customer`, `event`, `campaign`: see `making_data`."""
    decision: Decision | None = None
    data_request: int = 0
    """The data request a message is about; 0 when it is about none."""
    request_id: int = 0
    """The event by which somebody asked for messages, in the message that asks back."""
    now: datetime


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A message ready for the wire: ``head + body`` are its bytes, not yet dot-stuffed."""

    envelope_from: str
    recipient: str
    subject: str
    html: str
    text: str
    head: bytes
    """All headers and the empty line after them."""
    body: bytes
    body_hash: bytes
    """SHA-256 of the body as signed."""


class Maker:
    """Makes the messages of one content. Threads may share it.

    ``links`` and ``signer`` are shared by all contents of an installation.
    """

    def __init__(
        self, content: Content, settings: Settings, *, links: LinkMaker, signer: dkim.Signer
    ) -> None:
        self.content = content
        self._links = links
        self._signer = signer
        sender = headers.check_address(settings.mail_from)
        self._domain = _domain_of(settings)
        self._bounces = settings.mail_bounces or f"bounces.{self._domain}"
        self._mailto = settings.mail_unsubscribe
        _check_settings(self._bounces, self._mailto, links.base)
        self._subject = compile_liquid(content.subject, is_html=False, part="subject")
        self._html = compile_liquid(_prepare(content), is_html=True, part="HTML")
        self._text = compile_liquid(content.text, is_html=False, part="text")
        name = headers.clean(settings.mail_from_name)
        self._from = headers.encode_phrase(name) + f" <{sender}>".encode()
        self._list_id = (
            headers.encode_phrase(name) + f" <{content.message_class}.{self._domain}>".encode()
        )
        # The last two fields of Feedback-ID: the stream, and an id of the sender that stays.
        identity = sha256(self._domain.encode()).hexdigest()[:10]
        self._feedback = f"{content.message_class}:am{identity}"
        self._brand = {
            "name": settings.mail_from_name,
            "email": settings.mail_from,
            "postal_address": settings.postal_address,
            "currency": settings.currency,
        }

    def fill(self, who: Recipient) -> tuple[str, str, str, str]:
        """Return subject, HTML, text and the unsubscribe address for one person.

        Raises RenderFailed when it cannot be made for her.
        """
        maker, send = self._links, who.send_id.hex
        unsubscribe = maker.unsubscribe(who.profile_id, who.address_key, who.purpose, send)
        until = preferences_until(who.now.timestamp())
        data = dict(who.data)
        data["brand"] = self._brand
        data["now"] = who.now
        data["links"] = {
            "unsubscribe": unsubscribe,
            "preferences": maker.preferences(
                who.profile_id, who.address_key, who.purpose, send, until
            ),
        }
        if who.request_id:
            ends = confirm_until(who.now.timestamp())
            data["links"]["confirm"] = maker.confirm(
                who.profile_id, who.address_key, who.request_id, send, ends
            )
        if who.data_request:
            ends = confirm_until(who.now.timestamp())
            data["links"]["request"] = maker.request(
                who.profile_id, who.address_key, who.data_request, send, ends
            )
        by_url = _add_decided(data, who.decision)
        link: Link = plain_link
        if who.is_tracked:
            link = Clicks(maker, who.profile_id, send, by_url)
            data["_pixel"] = Markup(maker.pixel(who.profile_id, send))  # noqa: S704  # our own
        subject = headers.clean(self._subject.render(data))
        if not subject:
            raise RenderFailed("the subject is empty")
        return (
            subject,
            self._html.render(data, link),
            _GAP.sub("\n\n", self._text.render(data)),
            unsubscribe,
        )

    def make(self, who: Recipient) -> Made:
        """Return the signed message for one person; raises RenderFailed."""
        address = headers.check_address(who.address)
        subject, html, text, unsubscribe = self.fill(who)
        boundary = b"=_" + who.send_id.hex.encode()
        body = mime.build_body(text, html, boundary)
        lines = self._headers(who, address, subject, unsubscribe, boundary)
        signature, digest = self._signer.sign(lines, body, int(who.now.timestamp()))
        lines.insert(0, (b"DKIM-Signature", signature))
        head = b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n"
        return Made(
            envelope_from=bounce_address(who.send_id, self._bounces),
            recipient=address,
            subject=subject,
            html=html,
            text=text,
            head=head,
            body=body,
            body_hash=digest,
        )

    def _headers(  # each is a part of the head
        self, who: Recipient, address: str, subject: str, unsubscribe: str, boundary: bytes
    ) -> list[dkim.Header]:
        send = str(who.send_id).encode()
        lines = [
            (b"From", self._from),
            (b"To", address.encode()),
            (b"Subject", headers.encode_text(subject)),
            (b"Date", headers.encode_date(who.now)),
            (b"Message-ID", b"<%b@%b>" % (send, self._domain.encode())),
            (b"MIME-Version", b"1.0"),
            (b"Content-Type", b'multipart/alternative;\r\n boundary="%b"' % boundary),
        ]
        if self.content.message_class == "marketing":
            value = f"<{unsubscribe}>"
            if self._mailto:
                value += f",\r\n <mailto:{self._mailto}?subject=unsubscribe%20{who.send_id}>"
            lines += [
                (b"List-Unsubscribe", value.encode()),
                (b"List-Unsubscribe-Post", b"List-Unsubscribe=One-Click"),
                (b"List-Id", self._list_id),
            ]
        else:
            lines.append((b"Auto-Submitted", b"auto-generated"))
        stream = who.stream or "single"
        lines += [
            (b"Feedback-ID", f"{stream}:{self._domain}:{self._feedback}".encode()),
            (b"X-Send-Id", send),
        ]
        return lines


def _domain_of(settings: Settings) -> str:
    """Return the domain messages come from, as headers and the DNS have it."""
    return headers.check_address(settings.mail_from).rpartition("@")[2]


def _check_settings(bounces: str, mailto: str | None, base: str) -> None:
    """Raise RenderFailed for a setting that would break the headers it goes into."""
    headers.check_address(f"b@{bounces}")
    if mailto:
        headers.check_address(mailto)
    if not base.isascii() or not base.isprintable() or set(base) & set("<>, "):
        raise RenderFailed("the public address of the edge cannot stand in a header")


def _prepare(content: Content) -> str:
    """Return the HTML with the preheader and the place of the open picture in it."""
    # Indents are a tenth of a usual message, and nobody sees them.
    html = content.html if _SPACES_COUNT.search(content.html) else _INDENT.sub("\n", content.html)
    if content.preheader:
        hidden = _HIDDEN + content.preheader + _FILLER
        found = _BODY.search(html)
        place = 0 if found is None else found.end()
        html = html[:place] + hidden + html[place:]
    end = end_of_body(html)
    return html[:end] + "{{ _pixel }}" + html[end:]


def end_of_body(html: str) -> int:
    """Return where the body's content ends: before its last end tag, or at the end."""
    # Not in the small letters of it all, which can be longer: those of "İ" are two.
    last = None
    for last in _BODY_END.finditer(html):  # noqa: B007  # the last of them is wanted
        pass
    return len(html) if last is None else last.start()


def _add_decided(data: dict[str, Any], decision: Decision | None) -> dict[str, tuple[str, str]]:
    """Put what was decided into the data; return which decision an address belongs to."""
    by_url: dict[str, tuple[str, str]] = {}
    if decision is None:
        return by_url
    said = decision.decision_id.hex
    rows = [
        {**chosen.content, "item": chosen.item, "rank": chosen.rank, "decision_id": said}
        for chosen in decision.items
    ]
    data["offers" if decision.kind == "offers" else "products"] = rows
    if rows:
        data["offer" if decision.kind == "offers" else "product"] = rows[0]
    for row in rows:
        url = row.get("action_url") or row.get("url")
        if isinstance(url, str):
            by_url.setdefault(url, (said, row["item"]))
    return by_url


@lru_cache(maxsize=1)
def _shared(settings: Settings, key_id: str) -> tuple[LinkMaker, dkim.Signer]:
    domain = _domain_of(settings)
    key = dkim.cached_key(settings.data, settings.dkim_selector)
    return LinkMaker(settings), dkim.Signer(key, domain, settings.dkim_selector)


def get_maker(content: Content, settings: Settings) -> Maker:
    """Return the maker of a content, compiled once in this process.

    Raises Invalid when the content cannot be compiled.
    """
    # A maker signs with one key; when the key changes, others are made.
    return _cached_maker(content, settings, tokens.current_key())


@lru_cache(maxsize=256)
def _cached_maker(content: Content, settings: Settings, key_id: str) -> Maker:
    links, signer = _shared(settings, key_id)
    return Maker(content, settings, links=links, signer=signer)


def dkim_record(settings: Settings) -> tuple[str, str]:
    """Return the name and the text of the DNS record that holds our public key."""
    domain = _domain_of(settings)
    key = dkim.cached_key(settings.data, settings.dkim_selector)
    return f"{settings.dkim_selector}._domainkey.{domain}", dkim.public_record(key)
