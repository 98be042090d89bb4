"""Following a link and opening a message: the person goes on at once, the event is written after.

Opens and clicks are recorded only for those who agree to it at that moment; whether a machine
did it is said with each (SAFETY 3.6). What is recorded waits in memory for a moment: when this
process is killed, or the database stays away, clicks are lost and the log says how many.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec

from amity.edge import pages
from amity.edge.http import Scope
from amity.edge.pages import Answer
from amity.infra import tokens
from amity.store import hot
from amity.store.hot import SystemEvent

_log = logging.getLogger(__name__)
_MOST_WAITING: Final = 5_000
_MOST_AT_ONCE: Final = 500
_GATHER_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
_CLOSE_SECONDS: Final = 2.0
_REMEMBERED: Final = 10_000
_SUSPICIOUS_SECONDS: Final = 2.0
_HEAD_SECONDS: Final = 10.0
_MOST_AGENT: Final = 300
# Reserved and unreserved characters of RFC 3986, and the percent sign of what is quoted already.
_URL_CHARACTERS: Final = "%:/?#[]@!$&'()*+,;=-._~"
GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One transparent dot, 43 bytes."""

_GIF_ANSWER: Final = Answer(200, (("content-type", "image/gif"), *pages.PRIVATE), GIF)
_PROXIES: Final = ("googleimageproxy", "yahoomailproxy", "ggpht.com")
_ROBOTS: Final = (
    "bot",
    "crawl",
    "spider",
    "scan",
    "preview",
    "headless",
    "barracuda",
    "proofpoint",
    "mimecast",
    "safelinks",
    "messagelabs",
    "symantec",
    "trendmicro",
    "fireeye",
    "curl/",
    "wget/",
    "python-",
    "go-http-client",
    "java/",
    "okhttp",
    "libwww",
    "httpclient",
    "facebookexternalhit",
    "whatsapp",
)
_PREFETCH: Final = ("purpose", "sec-purpose", "x-purpose", "x-moz")


class Click(msgspec.Struct, frozen=True, array_like=True):
    """What a link in a message carries."""

    profile_id: int
    send_id: str
    link: int
    url: str
    decision_id: str
    item: str


class Open(msgspec.Struct, frozen=True, array_like=True):
    """What the picture in a message carries."""

    profile_id: int
    send_id: str


class Recorder:
    """Writes events in groups, after the answer; tries again for some seconds."""

    def __init__(self, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._in_thread = in_thread
        self._waiting: list[SystemEvent] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    def start(self) -> None:
        """Begin writing."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is waiting, within a few seconds."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._lose(len(self._waiting))

    def note(self, event: SystemEvent) -> None:
        """Take an event; it is written in a moment."""
        if len(self._waiting) >= _MOST_WAITING:
            self._lose(1)
            return
        self._waiting.append(event)
        self._wake.set()

    async def _run(self) -> None:
        while not (self._is_closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_GATHER_SECONDS)
            while self._waiting:
                group = self._waiting[:_MOST_AT_ONCE]
                await self._write(group)
                del self._waiting[: len(group)]

    async def _write(self, group: list[SystemEvent]) -> None:
        for pause in (*_RETRY_SECONDS, None):
            try:
                await self._in_thread(hot.record_tracked, events=group, now=datetime.now(UTC))
                return
            except Exception as error:
                reason = type(error).__name__
            if pause is None or self._is_closing:
                break
            await asyncio.sleep(pause)
        _log.error("opens and clicks could not be stored: %s", reason)
        self._lose(len(group))

    @staticmethod
    def _lose(count: int) -> None:
        if count:
            _log.error("%s opens and clicks are lost", count)


class Followed:
    """Answers clicks and opens, and tells what a machine does from what a person does."""

    def __init__(self, note: Callable[[SystemEvent], None]) -> None:
        self._note = note
        # The last links of a message that a program asked for: {(send, agent): (link, second)}.
        self._latest: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._looked_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def click(self, token: str, scope: Scope, now: datetime) -> Answer:
        """Send somebody on to where a link leads, and record that it was followed."""
        click = tokens.read("click", token, Click, now=now)
        location = None if click is None else safe_location(click.url)
        if click is None or location is None:
            return pages.unknown()
        place = (click.send_id, _agent(scope))
        if scope.method == "GET":
            why = self._why_machine(click, scope, now)
            self._note(_click_event(click, why, now))
            _remember(self._latest, place, (click.link, now.timestamp()))
        else:
            _remember(self._looked_at, place, now.timestamp())
        return Answer(302, (("location", location), *pages.PRIVATE))

    def open(self, token: str, scope: Scope, now: datetime) -> Answer:
        """Answer the picture, whatever the token, and record that it was asked for."""
        opened = tokens.read("open", token.removesuffix(".gif"), Open, now=now)
        if opened is not None and scope.method == "GET":
            minute = int(now.timestamp()) // 60
            properties = _properties(opened.send_id, why_machine_open(_agent(scope)))
            self._note(
                SystemEvent(
                    profile_id=opened.profile_id,
                    name="Email Opened",
                    properties=properties,
                    message_id=f"open-{opened.send_id}-{minute}",
                )
            )
        return _GIF_ANSWER

    def _why_machine(self, click: Click, scope: Scope, now: datetime) -> str:
        """Return why a click is taken for a machine's, "" for a person's.

        The first link a machine follows looks like a person's: only what comes after shows it.
        """
        agent = _agent(scope)
        why = why_machine_click(agent, scope.headers)
        if why:
            return why
        place, second = (click.send_id, agent), now.timestamp()
        latest = self._latest.get(place)
        if latest and latest[0] != click.link and second - latest[1] < _SUSPICIOUS_SECONDS:
            return "several_links"
        if second - self._looked_at.get(place, 0.0) < _HEAD_SECONDS:
            return "head_before"
        return ""


def why_machine_click(agent: str, headers: Any) -> str:
    """Return why a request by itself looks like a machine's, "" when it does not."""
    if any("fetch" in (headers.get(name) or "").lower() for name in _PREFETCH):
        return "prefetch"
    if any("preview" in (headers.get(name) or "").lower() for name in _PREFETCH):
        return "prefetch"
    lowered = agent.lower()
    if not agent or any(word in lowered for word in _ROBOTS):
        return "agent"
    return ""


def why_machine_open(agent: str) -> str:
    """Return why a picture was loaded by a machine: a privacy proxy, or one that fetches all."""
    if agent == "Mozilla/5.0":
        return "apple_privacy"
    lowered = agent.lower()
    if any(word in lowered for word in _PROXIES):
        return "image_proxy"
    return "agent" if not agent or any(word in lowered for word in _ROBOTS) else ""


def safe_location(url: str) -> str | None:
    """Return a target as a header may carry it; None when it is not a web address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    if any(character <= " " or character in {"\x7f", "\\"} for character in url):
        return None
    if not parts.netloc.isascii():
        try:
            parts = parts._replace(netloc=parts.netloc.encode("idna").decode())
        except UnicodeError:
            return None
    return quote(parts.geturl(), safe=_URL_CHARACTERS)


def _click_event(click: Click, why: str, now: datetime) -> SystemEvent:
    properties = _properties(click.send_id, why) | {"link_url": click.url, "link": click.link}
    if click.decision_id:
        properties["decision_id"] = _id_text(click.decision_id)
    if click.item:
        properties["promotion_id"] = click.item
    return SystemEvent(
        profile_id=click.profile_id,
        name="Email Link Clicked",
        properties=properties,
        # A double click is one.
        message_id=f"click-{click.send_id}-{click.link}-{int(now.timestamp())}",
    )


def _properties(send_id: str, why: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"send_id": _id_text(send_id), "is_machine": bool(why)}
    return properties | {"machine_reason": why} if why else properties


def _id_text(text: str) -> str:
    """Write an id as everywhere else; what is none is left as it is: the reader goes on anyway."""
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _agent(scope: Scope) -> str:
    return (scope.headers.get("user-agent") or "").strip()[:_MOST_AGENT]


def _remember(
    memory: OrderedDict[tuple[str, str], Any], place: tuple[str, str], value: Any
) -> None:
    memory[place] = value
    memory.move_to_end(place)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
