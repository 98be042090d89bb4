"""The public pages: what the links in messages lead to. No script, nothing from elsewhere.

Each page is a small file beside this one; whatever is put into it is escaped here.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final

import msgspec

from amity.edge.memory import Card
from amity.infra.config import settings
from amity.store.contracts import Preferences
from amity.store.contracts_consent import AskedPurpose

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PRIVATE: Final = (
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex"),
    ("x-content-type-options", "nosniff"),
)
_HTML: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", _POLICY),
    *PRIVATE,
)
_TEXT: Final = (("content-type", "text/plain; charset=utf-8"), *PRIVATE)
_CSS: Final = (
    ("content-type", "text/css; charset=utf-8"),
    ("cache-control", "public, max-age=3600"),
    ("x-content-type-options", "nosniff"),
)


_NO_CARD: Final = Card([], {})


class Answer(msgspec.Struct, frozen=True):
    """What is sent back to a browser or a mail program."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    path: str = ""
    """A file to be sent instead of a body."""


class Purpose(msgspec.Struct, frozen=True):
    """A purpose as its person reads it."""

    what: str
    words: str


PURPOSES: Final[dict[str, Purpose]] = {
    "marketing.email": Purpose(
        "news and offers by e-mail", "We write to you at this address with news and offers."
    ),
    "tracking.email": Purpose(
        "counting opens and clicks",
        "We count whether you open our e-mails and which of their links you follow.",
    ),
    "profiling": Purpose(
        "choosing what suits you",
        "We use what you bought and looked at to choose what we show you.",
    ),
}
"""How purposes are called on pages that must not wait for the database."""


@cache
def _file(name: str) -> str:
    return files("amity.edge").joinpath("page_files", name).read_text("utf-8")


def _fill(name: str, **values: str) -> str:
    """Fill a file in with texts; those whose name ends in `_html` are put in as they are."""
    safe = {
        key.removesuffix("_html"): value if key.endswith("_html") else escape(value)
        for key, value in values.items()
    }
    return Template(_file(f"{name}.html")).substitute(safe)


def _page(title: str, body: str, status: int = 200) -> Answer:
    text = _fill("layout", title=title, sender=settings().mail_from_name, body_html=body)
    return Answer(status, _HTML, text.encode())


def stylesheet() -> Answer:
    """Return the pages' style sheet."""
    return Answer(200, _CSS, _file("pages.css").encode())


def text(words: str, status: int = 200, **headers: str) -> Answer:
    """Return a short answer for a program."""
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, _TEXT + more, f"{words}\n".encode())


def plain(title: str, words: str, status: int = 200) -> Answer:
    """Return a page that says one thing."""
    return _page(title, _fill("plain", words=words), status)


def unknown() -> Answer:
    """Return the page for a link that is not ours: most are cut off by a line break."""
    words = (
        "This link is not complete, or not one of ours. Copy the whole link from the message, or "
        "use the one in a newer message."
    )
    return plain("This link does not work", words, 404)


def trouble(fields: dict[str, str]) -> Answer:
    """Return the page for what could not be done now; ``fields`` are sent again by its button."""
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'
        for name, value in fields.items()
    )
    words = "Nothing has been changed. Please try again in a moment."
    name = "again" if fields else "plain"
    body = _fill(name, words=words, fields_html=inputs)
    answer = _page("That did not work just now", body, 503)
    return msgspec.structs.replace(answer, headers=(*answer.headers, ("retry-after", "5")))


def name_of(purpose: str) -> str:
    """Return a purpose in plain words; a purpose of the shop's own is called as the shop does."""
    known = PURPOSES.get(purpose)
    return known.what if known else purpose


def unsubscribe(purpose: str) -> Answer:
    """Return the page that asks whether to unsubscribe."""
    return _page("Unsubscribe", _fill("unsubscribe", what=name_of(purpose)))


def unsubscribed(purpose: str, undo_token: str) -> Answer:
    """Return the page after unsubscribing; with a token it can be taken back."""
    undo = _fill("undo", token=undo_token) if undo_token else ""
    body = _fill("unsubscribed", what=name_of(purpose), undo_html=undo)
    return _page("You are unsubscribed", body)


def subscribed(purpose: str) -> Answer:
    """Return the page after unsubscribing was taken back."""
    return plain("You are subscribed again", f"As before, we send you {name_of(purpose)}.")


def sign_up(write_key: str, purpose: AskedPurpose, sender: str) -> Answer:
    """Return a form to sign up for messages; what it says is what is agreed to."""
    words = {"key": write_key, "purpose": purpose.key, "covers": purpose.covers}
    body = _fill("sign_up", **words, notice=purpose.notice, sender=sender)
    return _page("Stay in touch", body)


def confirm() -> Answer:
    """Return the page that asks whether somebody signed up herself."""
    return _page("Please confirm", _fill("confirm"))


def confirmed() -> Answer:
    """Return the page after an address was confirmed."""
    words = "Your address is confirmed. Every message says how to stop them."
    return plain("Thank you", words)


def not_confirmed() -> Answer:
    """Return the page for a link whose request does not hold any more."""
    words = (
        "Nothing was changed: you have chosen otherwise since you signed up. Sign up again if you "
        "have changed your mind."
    )
    return plain("This link is not valid any more", words, 410)


def too_late_to_confirm() -> Answer:
    """Return the page for a link to confirm that is too old, or not ours."""
    words = (
        "This link is not complete, or older than 7 days. Copy the whole link from the message, "
        "or sign up again."
    )
    return plain("This link does not work", words, 404)


def confirm_request(words: str) -> Answer:
    """Return the page that asks whether somebody asked for something about her data herself."""
    return _page("Please confirm", _fill("request_confirm", words=words))


def copy_ready(size_bytes: int, until: str) -> Answer:
    """Return the page that hands out a copy of her data on a press."""
    size = f"{max(1, round(size_bytes / 1000)):,} kB"
    return _page("The copy of your data", _fill("request_copy", size=size, until=until))


def archive(name: str, path: str) -> Answer:
    """Return a ZIP file to be kept."""
    headers = (
        ("content-type", "application/zip"),
        ("content-disposition", f'attachment; filename="{name}"'),
        *PRIVATE,
    )
    return Answer(200, headers, path=path)


def file(name: str, body: bytes) -> Answer:
    """Return a JSON document to be kept."""
    headers = (
        ("content-type", "application/json; charset=utf-8"),
        ("content-disposition", f'attachment; filename="{name}"'),
        *PRIVATE,
    )
    return Answer(200, headers, body)


def preferences(
    asked: Sequence[AskedPurpose],
    held: Preferences,
    notice: str,
    *,
    card: Card = _NO_CARD,
) -> Answer:
    """Return the preference centre as things stand; ``notice`` says what has just happened.

    ``card`` is what she told about herself and what may be asked.
    """
    rows = "".join(
        _fill(
            "choice",
            purpose=purpose.key,
            what=purpose.title[:1].upper() + purpose.title[1:],
            words=purpose.covers,
            checked_html=" checked" if held.allowed.get(purpose.key) else "",
        )
        for purpose in asked
    )
    body = _fill(
        "preferences",
        choices_html=rows,
        where=f" for {mask(held.address)}" if held.address else "",
        notice_html=_fill("notice", words=notice) if notice else "",
        pause_html=_pause(held.paused_until),
        signal_html=_signal(held.signal_at),
    )
    return _page("Your preferences", body + _memory(card) + _fill("data"))


def _pause(until: datetime | None) -> str:
    """Return the part of the page that begins a pause, or says until when there is one."""
    return _fill("pause") if until is None else _fill("paused", day=f"{until:%-d %B %Y}")


def _signal(at: datetime | None) -> str:
    """Return the line that says that her browser's privacy signal is honoured."""
    return "" if at is None else _fill("signal", day=f"{at:%-d %B %Y}")


def _memory(card: Card) -> str:
    """Return the part of the page about what she told; nothing when there is nothing to say."""
    if not card.told and not card.questions:
        return ""
    told = "".join(
        _fill(
            "memory_told",
            trait=one.trait,
            called=one.trait.replace("_", " "),
            value=_plain(one.value),
            day=f"{one.at:%-d %B %Y}",
            where=f", in the {one.provenance}" if one.provenance else "",
        )
        for one in card.told
    )
    questions = "".join(
        _fill("memory_question", trait=trait, words=words)
        for trait, words in card.questions.items()
    )
    return _fill(
        "memory",
        told_html=told or _fill("plain", words="Nothing yet."),
        ask_html=_fill("memory_ask", questions_html=questions) if questions else "",
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def mask(address: str) -> str:
    """Return an address so that its owner knows it and nobody else learns it."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}…@{domain}" if domain else f"…{address[-2:]}"


def expired() -> Answer:
    """Return the page for a preference link whose time is over."""
    return _page("This link has expired", _fill("expired"), 410)
