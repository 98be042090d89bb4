"""Quarantine: what could not be understood, why, and reading it again."""

from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store.contracts import QuarantinedEvent, Receipt
from amity.web.access import may, requires
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


@require_GET
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show quarantined events by source and reason, with their bytes made safe to read."""
    source_id = _number(request.GET.get("source"))
    reason = request.GET.get("reason") or None
    with_handled = bool(request.GET.get("handled"))
    page = store.list_quarantine(
        source_id=source_id,
        reason=reason,
        cursor=request.GET.get("cursor") or None,
        open_only=not with_handled,
    )
    by_reason = store.count_quarantine()
    return render(
        request,
        "sources/quarantine.html",
        {
            "lines": [_line(event) for event in page.items],
            "next_cursor": page.next_cursor,
            "total": sum(by_reason.values()),
            "reasons": _reason_chips(by_reason, reason),
            "reason": reason or "",
            "sources": store.list_sources(),
            "source_id": source_id,
            "with_handled": with_handled,
            "matching": _matching(by_reason, reason, source_id),
            "can_replay": may(request, "sources.write"),
        },
    )


def _matching(by_reason: dict[str, int], reason: str | None, source_id: int | None) -> str:
    count = by_reason.get(reason, 0) if reason else sum(by_reason.values())
    about = f"up to {count:,}" if source_id is not None else f"{count:,}"
    return f"{about} event{'' if count == 1 else 's'}"


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
    chosen = _chosen(request)
    if chosen is not None:
        progress = Progress()
        if chosen:
            progress.add(store.replay_quarantine(quarantine_ids=chosen), len(chosen))
        return _answer(request, progress, cursor=None)
    source_id = _number(request.POST.get("source"))
    reason = request.POST.get("reason") or None
    progress = _progress(request, reason)
    page = store.list_quarantine(
        source_id=source_id,
        reason=reason,
        cursor=request.POST.get("cursor") or None,
        limit=_BATCH,
    )
    ids = [event.quarantine_id for event in page.items]
    if ids:
        progress.add(store.replay_quarantine(quarantine_ids=ids), len(ids))
    return _answer(request, progress, cursor=page.next_cursor)


def _chosen(request: HttpRequest) -> list[int] | None:
    """Return the ids asked for by name, or None when all that match are meant."""
    if request.POST.get("what") == "all":
        return None
    texts = [request.POST["one"]] if "one" in request.POST else request.POST.getlist("id")
    ids = [number for text in texts[:_MOST_CHOSEN] if (number := _number(text)) is not None]
    return list(dict.fromkeys(ids))


def _progress(request: HttpRequest, reason: str | None) -> Progress:
    known = {name: _number(request.POST.get(name)) or 0 for name in Progress.__struct_fields__}
    if not known["total"]:
        by_reason = store.count_quarantine()
        known["total"] = by_reason.get(reason, 0) if reason else sum(by_reason.values())
    return Progress(**known)


def _answer(request: HttpRequest, progress: Progress, *, cursor: str | None) -> HttpResponse:
    filters = {name: request.POST[name] for name in ("source", "reason") if request.POST.get(name)}
    values: dict[str, Any] = msgspec.to_builtins(progress)
    context = values | {
        "cursor": cursor,
        "values": msgspec.json.encode(
            values | filters | {"what": "all", "cursor": cursor or ""}
        ).decode(),
        "back": f"{reverse('quarantine')}?{urlencode(filters)}",
    }
    is_piece = bool(getattr(request, "htmx", False))
    return render(
        request, "sources/_replaying.html" if is_piece else "sources/replayed.html", context
    )
