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
    events = store.list_received(source_id=source_id, after=cursor or None, limit=_READ)
    is_skipping = bool(cursor) and len(events) == _READ
    if is_skipping:
        events = store.list_received(source_id=source_id, limit=_READ)
    aside = store.follow_quarantine(
        source_id=source_id,
        since=now - _LOOK_BACK,
        after=int(last) if last.isdecimal() and len(last) <= 18 else None,
        limit=_READ,
    )
    lines = [line_of(event) for event in events] + [aside_line(event) for event in aside]
    lines = [line for line in lines if matches(line, wanted)]
    lines.sort(key=lambda line: (line.at, line.number), reverse=True)
    if not cursor or is_skipping:
        reached = newest[0].cursor if newest else ""
    else:
        reached = max(events, key=lambda event: event.event_id).cursor if events else cursor
    top = max((event.quarantine_id for event in aside), default=None)
    return Turn(
        lines=lines[:_AT_ONCE],
        after=f"{reached}~{last if top is None else top}",
        is_skipping=is_skipping or (bool(cursor) and len(lines) > _AT_ONCE),
    )


def line_of(event: ReceivedEvent) -> Line:
    """Return an event of the log as a line."""
    read = store.understand_event(event)
    verdict = _verdict(read)
    broken = ", ".join(f"{path}: {rule}" for path, rule in read.violations.items()) if read else ""
    plan = f" Version {read.plan_version} of its plan said so." if read and broken else ""
    who = (read.user_id or read.anonymous_id or "") if read else ""
    return Line(
        at=event.received_at,
        type=event.type,
        name=event.name,
        who=who[:80],
        verdict=verdict,
        label="" if verdict == "fits" else VERDICTS[verdict],
        words=f"{broken}.{plan}" if broken else "",
        understood=visible(_show(read)) if read else "",
        raw=show_raw(event.body),
        message_id=event.message_id,
        number=event.event_id,
        found_by=who,
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


def aside_line(event: QuarantinedEvent) -> Line:
    """Return what was put aside as a line."""
    said = _read_loosely(event.raw)
    words = f"{label_of(event.reason)}: {words_of(event.reason)} {event.detail}".strip()
    if event.replayed_at is not None:
        words = f"{words} Handled since: {event.outcome}.".strip()
    return Line(
        at=event.received_at,
        type=event.type or said.type[:40] or "event",
        name=said.event[:120] or label_of(event.reason),
        who=str(said.userId or said.anonymousId or "")[:80],
        verdict="quarantined",
        label="Quarantined",
        words=words,
        understood="",
        raw=show_raw(event.raw),
        message_id=event.message_id,
        number=event.quarantine_id,
        found_by="",
    )


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


def matches(line: Line, wanted: Wanted) -> bool:
    """Say whether a line is wanted; of what was put aside, texts are looked for in its bytes."""
    if wanted.verdict and line.verdict != wanted.verdict:
        return False
    if line.verdict == "quarantined":
        held = f"{line.words} {line.raw.text}".casefold()
        return all(text.casefold() in held for text in (wanted.name, wanted.who) if text)
    name, ids = f"{line.type} {line.name}".casefold(), f"{line.who} {line.message_id}".casefold()
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
