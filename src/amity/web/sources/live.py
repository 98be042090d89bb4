"""What arrives at a source, as it arrives: read by pages that ask again every second."""

from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from amity.store import api as store
from amity.store.contracts import ReceivedEvent, SourceCounts
from amity.web.access import requires
from amity.web.sources.raw import RawView, show_raw

_AT_ONCE: Final = 30
_COLOURS: Final = {"track": "s1", "identify": "s2", "page": "s3", "screen": "s3", "alias": "s4"}


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the stream."""

    event: ReceivedEvent
    who: str
    raw: RawView
    colour: str


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, the newest first, and where to go on from."""

    lines: list[EventLine]
    after: str
    is_skipping: bool = False


class _Whose(msgspec.Struct):
    """The parts of a body that say whose event it is."""

    userId: Any = None  # as on the wire
    anonymousId: Any = None
    profileId: Any = None


def read_stream(source_id: int, *, after: str | None) -> Stream:
    """Read what came after a cursor; without one, the newest.

    When more came than is worth showing, the newest are shown and ``is_skipping`` says so.
    """
    # The cursor of the whole log first: what arrives in between is then read next time.
    newest = store.list_received(limit=1)
    events = store.list_received(source_id=source_id, after=after, limit=_AT_ONCE)
    is_skipping = after is not None and len(events) == _AT_ONCE
    if is_skipping:
        events = store.list_received(source_id=source_id, limit=_AT_ONCE)
    events = sorted(events, key=lambda event: event.event_id, reverse=True)
    if after is None or is_skipping:
        reached = newest[0].cursor if newest else ""
    else:
        reached = events[0].cursor if events else after
    return Stream(lines=[_line(event) for event in events], after=reached, is_skipping=is_skipping)


def _line(event: ReceivedEvent) -> EventLine:
    return EventLine(
        event=event,
        who=_who(event.body),
        raw=show_raw(event.body),
        colour=_COLOURS.get(event.type, ""),
    )


def _who(body: bytes) -> str:
    try:
        whose = msgspec.json.decode(body, type=_Whose)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(whose.userId or whose.anonymousId or whose.profileId or "")[:80]


@require_GET
@requires("sources.read")
def show_stream(request: HttpRequest, source_id: int) -> HttpResponse:
    """Answer one turn of the live stream: new events on top, and the next turn's cursor."""
    source = store.get_source(source_id=source_id)
    after = request.GET.get("after", "")
    if request.GET.get("pause"):
        context = {"source": source, "after": after, "is_paused": True}
        return render(request, "sources/_poller.html", context)
    stream = read_stream(source_id, after=after or None)
    context = {
        "source": source,
        "events": stream.lines,
        "after": stream.after,
        "is_skipping": stream.is_skipping,
    }
    return render(request, "sources/_stream.html", context)


@require_GET
@requires("sources.read")
def show_counts(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show what became of everything a source sent, as of now."""
    source = store.get_source(source_id=source_id)
    counts = store.count_by_source().get(source_id, SourceCounts())
    return render(request, "sources/_counts.html", {"source": source, "counts": counts})
