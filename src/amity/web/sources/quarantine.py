"""Quarantine: what could not be taken in, why, reading it again, throwing it away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store.contracts import QuarantinedEvent, Receipt
from amity.store.contracts_tracking import QuarantineFilter
from amity.web.access import may, requires, staff_of
from amity.web.sources.raw import RawView, one_line, show_raw
from amity.web.sources.reasons import label_of, words_of
from amity.web.sources.views import Chip

_BATCH: Final = 200
_MOST_CHOSEN: Final = 1_000


class QuarantineLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event in quarantine as the list shows it."""

    event: QuarantinedEvent
    reason: str
    words: str
    start: str
    raw: RawView


class Progress(msgspec.Struct, kw_only=True):
    """How far a replay of many has come; it travels with the page, not in a session."""

    done: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    total: int = 0

    def add(self, receipt: Receipt, size: int) -> None:
        """Count one batch in."""
        self.done += size
        self.accepted += receipt.accepted
        self.duplicate += receipt.duplicate
        self.quarantined += receipt.quarantined


def count_waiting() -> int | None:
    """Return how many events wait in quarantine; None for none, so that the rail stays calm."""
    return sum(store.count_quarantine().values()) or None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are meant, as the address and the forms say it."""

    source: int | None = None
    reason: str = ""
    event: str = ""
    text: str = ""
    since: str = ""
    until: str = ""

    @property
    def narrow(self) -> QuarantineFilter:
        """Return it as the store takes it; days are in UTC, the last one is within."""
        until = _day(self.until)
        return QuarantineFilter(
            event=self.event,
            text=self.text,
            since=_day(self.since),
            until=until + timedelta(days=1) if until else None,
        )

    @property
    def filters(self) -> dict[str, str]:
        """Return what is not empty, for addresses and hidden fields."""
        return {name: str(value) for name, value in msgspec.to_builtins(self).items() if value}


def _asked(given: QueryDict) -> Asked:
    texts = {name: given.get(name, "").strip()[:200] for name in Asked.__struct_fields__[1:]}
    return Asked(source=_number(given.get("source")), **texts)


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"“{text}” is no day, such as 2026-03-01") from None


@require_GET
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show quarantined events by their filters, with their bytes made safe to read."""
    asked = _asked(request.GET)
    with_handled = bool(request.GET.get("handled"))
    page = store.list_quarantine(
        source_id=asked.source,
        reason=asked.reason or None,
        narrow=asked.narrow,
        cursor=request.GET.get("cursor") or None,
        open_only=not with_handled,
    )
    by_reason = store.count_quarantine()
    matching = _count(asked)
    return render(
        request,
        "sources/quarantine.html",
        {
            "lines": [_line(event) for event in page.items],
            "next_cursor": page.next_cursor,
            "total": sum(by_reason.values()),
            "reasons": _reason_chips(by_reason, asked.reason or None),
            "asked": asked,
            "filters": asked.filters,
            "sources": store.list_sources(),
            "with_handled": with_handled,
            "matching": matching,
            "can_replay": may(request, "sources.write"),
        },
    )


def _count(asked: Asked) -> int:
    return store.count_matching_quarantine(
        source_id=asked.source, reason=asked.reason or None, narrow=asked.narrow
    )


def _reason_chips(by_reason: dict[str, int], chosen: str | None) -> list[Chip]:
    chips = [Chip(label="All", value="", count=sum(by_reason.values()), is_on=not chosen)]
    names = sorted(by_reason, key=lambda name: -by_reason[name])
    if chosen and chosen not in by_reason:
        names.append(chosen)
    return chips + [
        Chip(
            label=label_of(name),
            value=name,
            count=by_reason.get(name, 0),
            is_on=name == chosen,
        )
        for name in names
    ]


def _line(event: QuarantinedEvent) -> QuarantineLine:
    return QuarantineLine(
        event=event,
        reason=label_of(event.reason),
        words=words_of(event.reason),
        start=one_line(event.raw),
        raw=show_raw(event.raw),
    )


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise Invalid("that is not the number of anything here")
    return int(text)


@require_POST
@requires("sources.write")
def replay(request: HttpRequest) -> HttpResponse:
    """Read quarantined events again: one, the chosen, or all that match, a batch a request."""

    def do(ids: list[int], progress: Progress) -> None:
        progress.add(store.replay_quarantine(quarantine_ids=ids), len(ids))

    return _work(request, do, doing="replay")


@require_POST
@requires("sources.write")
def discard(request: HttpRequest) -> HttpResponse:
    """Throw quarantined events away: one, the chosen, or, with the number typed, all that match."""
    by, now = staff_of(request).get_username(), datetime.now(UTC)
    if _chosen(request) is None and not request.POST.get("cursor"):
        meant = _count(_asked(request.POST))
        if _number(request.POST.get("confirm")) != meant:
            raise Invalid(f"nothing was thrown away: type {meant} to confirm")

    def do(ids: list[int], progress: Progress) -> None:
        progress.done += store.discard_quarantine(quarantine_ids=ids, by=by, now=now)

    return _work(request, do, doing="discard")


def _work(
    request: HttpRequest, do: Callable[[list[int], Progress], None], *, doing: str
) -> HttpResponse:
    """Do a batch, and answer how far it is; the page asks for the next one by itself."""
    chosen, asked = _chosen(request), _asked(request.POST)
    if chosen is not None:
        progress = Progress()
        if chosen:
            do(chosen, progress)
        return _answer(request, progress, asked, cursor=None, doing=doing)
    progress = _progress(request, asked)
    page = store.list_quarantine(
        source_id=asked.source,
        reason=asked.reason or None,
        narrow=asked.narrow,
        cursor=request.POST.get("cursor") or None,
        limit=_BATCH,
    )
    if ids := [event.quarantine_id for event in page.items]:
        do(ids, progress)
    return _answer(request, progress, asked, cursor=page.next_cursor, doing=doing)


def _chosen(request: HttpRequest) -> list[int] | None:
    """Return the ids asked for by name, or None when all that match are meant."""
    if request.POST.get("what") == "all":
        return None
    texts = [request.POST["one"]] if "one" in request.POST else request.POST.getlist("id")
    ids = [number for text in texts[:_MOST_CHOSEN] if (number := _number(text)) is not None]
    return list(dict.fromkeys(ids))


def _progress(request: HttpRequest, asked: Asked) -> Progress:
    known = {name: _number(request.POST.get(name)) or 0 for name in Progress.__struct_fields__}
    known["total"] = known["total"] or _count(asked)
    return Progress(**known)


def _answer(
    request: HttpRequest, progress: Progress, asked: Asked, *, cursor: str | None, doing: str
) -> HttpResponse:
    values: dict[str, Any] = msgspec.to_builtins(progress)
    context = values | {
        "cursor": cursor,
        "doing": doing,
        "values": msgspec.json.encode(
            values | asked.filters | {"what": "all", "cursor": cursor or ""}
        ).decode(),
        "back": f"{reverse('quarantine')}?{urlencode(asked.filters)}",
    }
    is_piece = bool(getattr(request, "htmx", False))
    return render(
        request, "sources/_replaying.html" if is_piece else "sources/replayed.html", context
    )
