"""Public links: unsubscribe, preferences, clicks and opens.

`GET`, `HEAD` and `OPTIONS` never change what somebody said yes or no to: scanners follow every
link in a message, some with a browser that runs scripts (rule D41). Only a `POST` does.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from amity.edge import http, memory, pages
from amity.edge.data_requests import DataRequests
from amity.edge.evidence import show
from amity.edge.http import Deadlines, Exchange, Refusal, Scope
from amity.edge.links_following import Followed, Recorder
from amity.edge.pages import Answer
from amity.infra import database, tokens
from amity.infra.config import settings
from amity.kernel.errors import AmityError
from amity.store import hot
from amity.store.contracts import Channel, Choices, Preferences
from amity.store.contracts_consent import AskedPurpose, Confirmation

_log = logging.getLogger(__name__)
PREFIXES: Final = ("/u/", "/p/", "/c/", "/o/", "/s/", "/r/")
_FORMS: Final = frozenset({"/u/", "/p/", "/s/", "/r/"})
STYLESHEET: Final = "/pages.css"
_MOST_BODY_BYTES: Final = 16_384
_MOST_FIELDS: Final = 20
_THREADS: Final = 4
_MOST_WAITING: Final = 64
_ANSWER_SECONDS: Final = 2.5
_DOWN_SECONDS: Final = 0.5
_UNDO_FOR: Final = timedelta(hours=1)
_PAUSES: Final = {"30": timedelta(days=30), "90": timedelta(days=90)}
# One answer for every token, ours or not: a program that guesses learns nothing.
_ONE_CLICK: Final = "Your request has been received."
_NOTICES: Final = {
    "remember": "Thank you: we remember it.",
    "forget": "It is forgotten, and we do not ask again.",
    "save": "Saved.",
    "stop": "Saved: none of it. This holds from now on.",
    "resume": "The pause is over. What you have chosen below holds again.",
}
P = ParamSpec("P")
T = TypeVar("T")


class Point(msgspec.Struct, frozen=True, array_like=True):
    """What the links of unsubscribing and of preferences carry."""

    profile_id: int
    channel: Channel
    address_key: str
    purpose: str
    send_id: str


class _Undo(msgspec.Struct, frozen=True, array_like=True):
    """What the button carries that takes an unsubscribing back: that one, and no other."""

    point: Point
    stated_at: str


class Busy(Exception):
    """The database is known to be away, or is asked for more than it answers."""


class Links:
    """Answers public links in one process; made inside its event loop."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._down_until = 0.0
        self._threads = ThreadPoolExecutor(_THREADS, "links")
        self._waiting = 0
        self._recorder = Recorder(self.in_thread)
        self._followed = Followed(self._recorder.note)
        self._requests = DataRequests(self.in_thread)

    def open(self) -> None:
        """Begin recording clicks and opens."""
        self._recorder.start()

    async def close(self) -> None:
        """Record what is waiting, then let go of the connections."""
        await self._recorder.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        database.close_pools()

    async def answer(self, scope: Scope, exchange: Exchange) -> None:
        """Answer a request to one of `PREFIXES` or to the style sheet."""
        found = await self._find_answer(scope, exchange)
        headers = list(found.headers)
        if found.path and scope.method != "HEAD":
            exchange.response_file(found.status, headers, found.path)
            return
        if scope.method == "HEAD" or not found.body:
            exchange.response_empty(found.status, headers)
        else:
            exchange.response_bytes(found.status, headers, found.body)

    async def _find_answer(self, scope: Scope, exchange: Exchange) -> Answer:
        is_form = scope.path[:3] in _FORMS
        takes = ("GET", "HEAD", "OPTIONS", "POST") if is_form else ("GET", "HEAD", "OPTIONS")
        if scope.method == "OPTIONS":
            return Answer(204, (("allow", ", ".join(takes)), *pages.PRIVATE))
        if scope.method not in takes:
            return pages.text("This cannot be done here.", 405, allow=", ".join(takes))
        token, now = scope.path[3:], datetime.now(UTC)
        if not is_form:
            return self._give(token, scope, now)
        form = await self._read_form(scope, exchange) if scope.method == "POST" else None
        return await self._answer_form(token, form, scope, now)

    async def _answer_form(
        self, token: str, form: dict[str, str] | None, scope: Scope, now: datetime
    ) -> Answer:
        """Answer one of the pages that have a form."""
        if scope.path.startswith("/u/"):
            return await self._unsubscribe(token, form, scope, now)
        if scope.path.startswith("/s/"):
            return await self._confirm(token, form, scope, now)
        if scope.path.startswith("/r/"):
            return await self._requests.answer(token, form, now)
        return await self._preferences(token, form, show(scope), now)

    def _give(self, token: str, scope: Scope, now: datetime) -> Answer:
        """Answer what needs no database."""
        if scope.path == STYLESHEET:
            return pages.stylesheet()
        if scope.path.startswith("/c/"):
            return self._followed.click(token, scope, now)
        return self._followed.open(token, scope, now)

    async def _read_form(self, scope: Scope, exchange: Exchange) -> dict[str, str]:
        """Return the fields of a form; a body that cannot be read has none."""
        announced = http.content_length(scope.headers)
        try:
            reading = http.read_body(exchange, announced, _MOST_BODY_BYTES)
            body = await self._deadlines.keep(reading)
        except Refusal:
            return {}
        return read_form(body, scope.headers.get("content-type") or "")

    async def _unsubscribe(
        self, token: str, form: dict[str, str] | None, scope: Scope, now: datetime
    ) -> Answer:
        """Ask, or unsubscribe: by the page's button, or by a mail program (RFC 8058).

        Whatever a `POST` says it means to unsubscribe: nothing else can be done here, and a
        mail program that writes its body in another way must not be told no.
        """
        point = tokens.read("unsubscribe", token, Point, now=now)
        is_page = form is None or form.get("action") == "unsubscribe"
        if point is None:
            return pages.unknown() if is_page else pages.text(_ONE_CLICK)
        if form is None:
            return pages.unsubscribe(point.purpose)
        # One click comes from the mail provider, whose address says nothing of her.
        method, shown = ("link", show(scope)) if is_page else ("one_click", {})
        said = _choices(point, {point.purpose: False}, method, shown)
        try:
            stated = await self.in_thread(hot.state_choices, choices=said, now=now)
        except Exception as error:
            _log.error("an unsubscribe was not stored and is to be repeated: %s", _name(error))
            if is_page:
                return pages.trouble({"action": "unsubscribe"})
            return pages.text("Not done yet; send it again.", 503, retry_after="5")
        if not is_page:
            return pages.text(_ONE_CLICK)
        undo = _undo_token(point, now) if point.purpose in stated.taken_back else ""
        return pages.unsubscribed(point.purpose, undo)

    async def _confirm(
        self, token: str, form: dict[str, str] | None, scope: Scope, now: datetime
    ) -> Answer:
        """Ask whether she signed up herself; her button gives what she asked for."""
        asked = tokens.read("confirm", token, Confirmation, now=now)
        if asked is None:
            return pages.too_late_to_confirm()
        if form is None or form.get("action") != "confirm":
            return pages.confirm()
        try:
            is_given = await self.in_thread(
                hot.confirm_subscription, confirmation=asked, evidence=show(scope), now=now
            )
        except Exception as error:
            _log.error("a confirmation was not stored: %s", _name(error))
            return pages.trouble({"action": "confirm"})
        return pages.confirmed() if is_given else pages.not_confirmed()

    async def _preferences(
        self, token: str, form: dict[str, str] | None, shown: dict[str, str], now: datetime
    ) -> Answer:
        action = "" if form is None else form.get("action", "")
        try:
            if action == "undo":
                return await self._undo(token, shown, now)
            opened = tokens.open_token("preferences", token, Point, now=now)
            if opened is None:
                return pages.unknown()
            if not opened.is_late:
                return await self._choose(opened.content, form or {}, shown, now)
            if action == "ask":
                return await self._ask(opened.content, now)
            return pages.expired()
        except Exception as error:
            _log.error("preferences could not be read or saved: %s", _name(error))
            return pages.trouble(form or {})

    async def _undo(self, token: str, shown: dict[str, str], now: datetime) -> Answer:
        undo = tokens.read("undo", token, _Undo, now=now)
        if undo is None:
            words = "This can be taken back within an hour. Sign up again where you did before."
            return pages.plain("This is too late", words, 410)
        said = msgspec.structs.replace(
            _choices(undo.point, {undo.point.purpose: True}, "undo", shown),
            instead_of=datetime.fromisoformat(undo.stated_at),
        )
        await self.in_thread(hot.state_choices, choices=said, now=now)
        held = await self.in_thread(
            hot.read_preferences,
            profile_id=undo.point.profile_id,
            channel=undo.point.channel,
            address_key=undo.point.address_key,
            purposes=[undo.point.purpose],
            now=now,
        )
        if held is not None and held.choices[undo.point.purpose]:
            return pages.subscribed(undo.point.purpose)
        return pages.plain("Nothing was changed", "You have chosen otherwise since.")

    async def _choose(
        self, point: Point, form: dict[str, str], shown: dict[str, str], now: datetime
    ) -> Answer:
        """Show the preferences, after saving what a form says."""
        asked = await self.in_thread(hot.list_asked)
        held, action = await self._read(point, asked, now), form.get("action")
        if action == "stop":
            wanted = {purpose.key: False for purpose in asked}
        elif held is not None and action == "receipt":
            return await self._give_receipt(point, now)
        elif held is not None and action == "save":
            chosen = {purpose.key: form.get(purpose.key) == "yes" for purpose in asked}
            wanted = {
                name: yes
                for name, yes in chosen.items()
                if yes != held.choices[name] or yes != held.allowed[name]
            }
        else:
            wanted = {}
        if wanted:
            said = _choices(point, wanted, "preferences", shown)
            notices = {one.key: one.notice for one in asked if one.notice and one.key in wanted}
            said = msgspec.structs.replace(said, evidence={**said.evidence, "notices": notices})
            await self.in_thread(hot.state_choices, choices=said, now=now)
            held = await self._read(point, asked, now)
        if held is not None and action == "ask_data":
            return await self._requests.ask(point.profile_id, _address(point), form, now)
        if held is None:
            return pages.plain("Your preferences", "We hold nothing about you under this link.")
        if action in {"pause", "resume"}:
            await self._pause(point, form, shown, now)
            held = await self._read(point, asked, now) or held
        card = await self._remember(point, form, now)
        notice = _NOTICES.get(action or "", "")
        if not notice and held.is_suppressed:
            notice = "Nothing is sent to this address at present."
        return pages.preferences(asked, held, notice, card=card)

    async def _pause(
        self, point: Point, form: dict[str, str], shown: dict[str, str], now: datetime
    ) -> None:
        """Send nothing for as long as a form says, or end that; other lengths are not offered."""
        days = _PAUSES.get(form.get("days", "")) if form.get("action") == "pause" else None
        if days is None and form.get("action") == "pause":
            return
        sent_by = {"send_id": str(UUID(point.send_id))} if point.send_id else {}
        await self.in_thread(
            hot.pause_messages,
            profile_id=point.profile_id,
            point=(point.channel, point.address_key),
            until=None if days is None else now + days,
            evidence={"method": "preferences", **shown, **sent_by},
            now=now,
        )

    async def _remember(self, point: Point, form: dict[str, str], now: datetime) -> memory.Card:
        """Keep what a form tells about herself; return what is remembered and may be asked."""
        questions = memory.read_questions(settings().preference_questions)
        found = await self.in_thread(
            hot.find_memory, profile_id=point.profile_id, fields=list(questions)
        )
        told, unknown = found or ([], [])
        card = memory.Card(told, {trait: questions[trait] for trait in unknown})
        said = memory.read_told(form, card)
        if said:
            await self.in_thread(
                hot.remember,
                profile_id=point.profile_id,
                told=said,
                provenance=memory.PROVENANCE,
                now=now,
            )
        return memory.update(card, said, now)

    async def _give_receipt(self, point: Point, now: datetime) -> Answer:
        """Hand out the signed receipt of all that was said about consent, as a file."""
        receipt = await self.in_thread(
            hot.make_consent_receipt, profile_id=point.profile_id, now=now
        )
        return pages.file(f"consents-{receipt.receipt_id}.json", msgspec.json.encode(receipt))

    async def _read(
        self, point: Point, asked: list[AskedPurpose], now: datetime
    ) -> Preferences | None:
        return await self.in_thread(
            hot.read_preferences,
            profile_id=point.profile_id,
            channel=point.channel,
            address_key=point.address_key,
            purposes=[purpose.key for purpose in asked],
            now=now,
        )

    async def _ask(self, point: Point, now: datetime) -> Answer:
        await self.in_thread(
            hot.request_preference_link,
            profile_id=point.profile_id,
            channel=point.channel,
            address_key=point.address_key,
            now=now,
        )
        words = (
            "We send a new link to your address, if we may still write to it: once a day at most. "
            "It should be there in a few minutes."
        )
        return pages.plain("Thank you", words)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks; raise when it has not answered in time, though it may still be done."""
        if time.monotonic() < self._down_until or self._waiting >= _MOST_WAITING:
            raise Busy
        self._waiting += 1
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
        call.add_done_callback(self._count_down)
        try:
            return await asyncio.wait_for(asyncio.shield(call), _ANSWER_SECONDS)
        except (TimeoutError, AmityError):
            self._down_until = time.monotonic() + _DOWN_SECONDS
            # A pool that could not connect waits longer and longer; a new one tries at once.
            threading.Thread(target=database.close_pools, daemon=True).start()
            raise

    def _count_down(self, call: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not call.cancelled():
            call.exception()  # who waited has heard of it, or has gone


def _undo_token(point: Point, now: datetime) -> str:
    """Return what takes back an unsubscribing that was done at ``now``.

    A yes needs a stronger token than the one every forwarded message carries (rule D42), so
    unsubscribing does not hand out a preference token: whoever holds the link could unsubscribe
    and then read and change everything. This one lists nothing and gives nothing new: it restores
    the one yes that was there a moment ago, for an hour, for whoever has just pressed the button,
    and not once anything else has been said.
    """
    return tokens.sign("undo", _Undo(point, now.isoformat()), expires_at=now + _UNDO_FOR)


def _address(point: Point) -> tuple[Channel, str]:
    return point.channel, point.address_key


def _choices(point: Point, choices: dict[str, bool], method: str, shown: dict[str, str]) -> Choices:
    evidence = {**shown} | ({"send_id": str(UUID(point.send_id))} if point.send_id else {})
    return Choices(
        profile_id=point.profile_id,
        channel=point.channel,
        address_key=point.address_key,
        choices=choices,
        method=method,
        evidence=evidence,
    )


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a form, of either of the two kinds a form is sent in."""
    if content_type.lower().startswith("multipart/form-data"):
        return _read_multipart(body, content_type)
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _read_multipart(body: bytes, content_type: str) -> dict[str, str]:
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    fields: dict[str, str] = {}
    parts = [
        part for part in BytesParser().parsebytes(head + body).walk() if not part.is_multipart()
    ]
    for part in parts[:_MOST_FIELDS]:
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            fields[name] = value.decode("utf-8", "replace").strip()
    return fields


def _name(error: Exception) -> str:
    return type(error).__name__
