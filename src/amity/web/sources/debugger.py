"""The live debugger: what a source sends as it comes, what became of it, and why.

Events of the log and of the quarantine stand in one stream; the page asks again every second.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from amity.kernel.clock import format_instant
from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts import QuarantinedEvent, ReceivedEvent
from amity.store.contracts_tracking import Understood
from amity.web.access import may, requires
from amity.web.sources.raw import RawView, show_raw, visible
from amity.web.sources.reasons import label_of, words_of

VERDICTS: Final = {
    "": "All",
    "fits": "Taken in",
    "counted": "Against the plan",
    "cut": "Left out in part",
    "quarantined": "Quarantined",
}
_AT_ONCE: Final = 40
_READ: Final = 400
_LOOK_BACK: Final = timedelta(days=2)
_MOST_SHOWN: Final = 4_000


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What of the stream is shown; texts are looked for anywhere, in any case."""

    name: str = ""
    who: str = ""
    verdict: str = ""

    def query(self) -> str:
        """Return it as the address says it."""
        held = {name: value for name, value in msgspec.to_builtins(self).items() if value}
        return str(urlencode(held))


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the stream, understood or put aside, before it is made ready to be shown."""

    at: datetime
    number: int
    type: str
    name: str
    who: str
    verdict: str
    words: str
    message_id: str
    body: bytes
    read: Understood | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the stream, understood or put aside."""

    at: datetime
    type: str
    name: str
    who: str
    verdict: str
    label: str
    words: str
    understood: str
    raw: RawView
    message_id: str
    number: int
    found_by: str
    """The identifier to look its customer up by; "" when there is none."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines, the newest first, and where to go on from."""

    lines: list[Line]
    after: str
    is_skipping: bool = False


def read_turn(source_id: int, wanted: Wanted, *, after: str, now: datetime) -> Turn:
    """Read what came after a place in both streams; without one, the newest that match."""
    cursor, _, last = after.partition("~")
    newest = store.list_received(limit=1)
    # Many are looked through for a few that match; without a filter those shown are enough.
    most = _READ if wanted.query() or cursor else _AT_ONCE
    events = store.list_received(source_id=source_id, after=cursor or None, limit=most)
    is_skipping = bool(cursor) and len(events) == most
    if is_skipping:
        events = store.list_received(source_id=source_id, limit=most)
    aside = store.follow_quarantine(
        source_id=source_id,
        since=now - _LOOK_BACK,
        after=int(last) if last.isdecimal() and len(last) <= 18 else None,
        limit=most,
    )
    glances = [glance(event) for event in events] + [glance_aside(event) for event in aside]
    matching = [each for each in glances if matches(each, wanted)]
    matching.sort(key=lambda each: (each.at, each.number), reverse=True)
    if not cursor or is_skipping:
        reached = newest[0].cursor if newest else ""
    else:
        reached = max(events, key=lambda event: event.event_id).cursor if events else cursor
    top = max((event.quarantine_id for event in aside), default=None)
    return Turn(
        lines=[line_of(each) for each in matching[:_AT_ONCE]],
        after=f"{reached}~{last if top is None else top}",
        is_skipping=is_skipping or (bool(cursor) and len(matching) > _AT_ONCE),
    )


def glance(event: ReceivedEvent) -> Glance:
    """Look at an event of the log as far as filters need."""
    read = api_plans.understand_event(event)
    return Glance(
        at=event.received_at,
        number=event.event_id,
        type=event.type,
        name=event.name,
        who=(read.user_id or read.anonymous_id or "") if read else "",
        verdict=_verdict(read),
        words=_broken(read) if read else "",
        message_id=event.message_id,
        body=event.body,
        read=read,
    )


def _broken(read: Understood) -> str:
    if not read.violations:
        return ""
    broken = ", ".join(f"{path}: {rule}" for path, rule in read.violations.items())
    return f"{broken}. Version {read.plan_version} of its plan said so."


def glance_aside(event: QuarantinedEvent) -> Glance:
    """Look at what was put aside as far as filters need."""
    said = _read_loosely(event.raw)
    words = f"{label_of(event.reason)}: {words_of(event.reason)} {event.detail}".strip()
    if event.replayed_at is not None:
        words = f"{words} Handled since: {event.outcome}."
    return Glance(
        at=event.received_at,
        number=event.quarantine_id,
        type=event.type or said.type[:40] or "event",
        name=said.event[:120] or label_of(event.reason),
        who=str(said.userId or said.anonymousId or ""),
        verdict="quarantined",
        words=words,
        message_id=event.message_id,
        body=event.raw,
        read=None,
    )


def line_of(seen: Glance) -> Line:
    """Return what was looked at as the page shows it."""
    return Line(
        at=seen.at,
        type=seen.type,
        name=seen.name,
        who=seen.who[:80],
        verdict=seen.verdict,
        label="" if seen.verdict == "fits" else VERDICTS[seen.verdict],
        words=seen.words,
        understood=visible(_show(seen.read)) if seen.read else "",
        raw=show_raw(seen.body),
        message_id=seen.message_id,
        number=seen.number,
        found_by=seen.who if seen.read else "",
    )


def _verdict(read: Understood | None) -> str:
    if read is None or not read.violations:
        return "fits"
    return "cut" if read.left_out else "counted"


def _show(read: Understood) -> str:
    said: dict[str, Any] = {
        "type": read.type,
        "name": read.name,
        "user_id": read.user_id,
        "anonymous_id": read.anonymous_id,
        "happened": format_instant(read.occurred_at),
        "sent": format_instant(read.sent_at) if read.sent_at else None,
        "traits": read.traits,
        "properties": read.properties,
        "left out": read.left_out,
        "card numbers cut from": read.cut_cards,
    }
    held = {name: value for name, value in said.items() if value not in (None, "", {}, [])}
    text = msgspec.json.format(msgspec.json.encode(held), indent=2).decode()
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}\n…"


class _Said(msgspec.Struct):
    """What a body that could not be taken in may still say of itself."""

    type: str = ""
    event: str = ""
    userId: Any = None  # as on the wire
    anonymousId: Any = None


def _read_loosely(raw: bytes) -> _Said:
    try:
        return msgspec.json.decode(raw, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Said()


def matches(seen: Glance, wanted: Wanted) -> bool:
    """Say whether a line is wanted; of what was put aside, texts are looked for in its bytes."""
    if wanted.verdict and seen.verdict != wanted.verdict:
        return False
    texts = [text.casefold() for text in (wanted.name, wanted.who) if text]
    if texts and seen.verdict == "quarantined":
        held = f"{seen.words} {seen.body.decode(errors='replace')}".casefold()
        return all(text in held for text in texts)
    name, ids = f"{seen.type} {seen.name}".casefold(), f"{seen.who} {seen.message_id}".casefold()
    return wanted.name.casefold() in name and wanted.who.casefold() in ids


def _wanted(request: HttpRequest) -> Wanted:
    texts = {name: request.GET.get(name, "").strip()[:100] for name in ("name", "who", "verdict")}
    if texts["verdict"] not in VERDICTS:
        texts["verdict"] = ""
    return Wanted(**texts)


@require_GET
@requires("sources.read")
def show_debugger(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show what a source sends as it comes, with filters."""
    source, wanted = store.get_source(source_id=source_id), _wanted(request)
    turn = read_turn(source_id, wanted, after="", now=datetime.now(UTC))
    return render(
        request,
        "sources/debugger.html",
        {
            "source": source,
            "wanted": wanted,
            "verdicts": VERDICTS,
            "can_look_up": may(request, "profiles.read"),
            **_context(source_id, wanted, turn),
        },
    )


@require_GET
@requires("sources.read")
def show_turn(request: HttpRequest, source_id: int) -> HttpResponse:
    """Answer one turn of the debugger: new lines on top, and the next turn's place."""
    store.get_source(source_id=source_id)
    wanted, after = _wanted(request), request.GET.get("after", "")
    if request.GET.get("pause"):
        context = _context(source_id, wanted, Turn(lines=[], after=after))
        return render(request, "sources/_ticker.html", context | {"is_paused": True})
    turn = read_turn(source_id, wanted, after=after, now=datetime.now(UTC))
    context = _context(source_id, wanted, turn) | {"can_look_up": may(request, "profiles.read")}
    return render(request, "sources/_turn.html", context)


def _context(source_id: int, wanted: Wanted, turn: Turn) -> dict[str, Any]:
    query = wanted.query()
    next_turn = urlencode({"after": turn.after}) + (f"&{query}" if query else "")
    return {
        "lines": turn.lines,
        "is_skipping": turn.is_skipping,
        "next_turn": f"{reverse('source_live_turn', args=[source_id])}?{next_turn}",
    }
