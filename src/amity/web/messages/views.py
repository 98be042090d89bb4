"""The send ledger: every message to anybody, and one of them with all that is known."""

from datetime import UTC, datetime
from typing import Any, Final, cast, get_args
from uuid import UUID

import msgspec
from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.broadcast import api as broadcast
from amity.broadcast.contracts import Message, RunKind, SendState
from amity.kernel.errors import AmityError, NotFound
from amity.kernel.pagination import Page
from amity.web.access import may, requires, staff_of
from amity.web.messages.frames import frame, frame_words
from amity.web.messages.people import find_people, name_people
from amity.web.messages.sending import sentence, show
from amity.web.messages.words import KINDS, STATES, StateWords, run_address, steps_of
from amity.web.sources.views import Chip

_PAGE: Final = 50
_CHIPS: Final[tuple[SendState, ...]] = (
    "queued", "sent", "suppressed", "failed", "unknown", "cancelled", "expired",
)  # fmt: skip


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the list shows it."""

    message: Message
    name: str
    state: StateWords


def lines_of(found: list[Message]) -> list[Line]:
    """Put names and words to messages, in their order."""
    names = name_people(message.profile_id for message in found)
    return [
        Line(message=message, name=names[message.profile_id], state=STATES[message.state])
        for message in found
    ]


@require_GET
@requires("messages.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """List messages, the latest first, as the address filters them."""
    search = request.GET.get("q", "").strip()[:200]
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    page = _find(request, search, state, kind)
    told: dict[str, Any] = {
        "lines": lines_of(page.items),
        "next_cursor": page.next_cursor,
        "search": search,
        "state": state,
        "kind": kind,
        "run": read_run(request) if kind else None,
    }
    if request.htmx and request.htmx.target == "rows-more":  # type: ignore[attr-defined]  # django_htmx
        return render(request, "messages/_rows.html", told)
    counts = broadcast.get_send_counts()
    told |= {
        "total": sum(counts.values()),
        "states": _states(counts, state),
        "kinds": [Chip(label="Every kind", value="", count=None, is_on=not kind)]
        + [
            Chip(label=label, value=value, count=None, is_on=value == kind)
            for value, label in KINDS.items()
        ],
    }
    return show(request, "messages/list.html", told)


def _find(request: HttpRequest, search: str, state: str, kind: str) -> Page[Message]:
    people = find_people(search) if search else None
    if people == []:
        return Page(items=[])
    return broadcast.list_messages(
        run_kind=cast("RunKind", kind) if kind in get_args(RunKind) else None,
        run_id=read_run(request) if kind in get_args(RunKind) else None,
        profile_ids=people,
        state=cast("SendState", state) if state in get_args(SendState) else None,
        cursor=request.GET.get("after") or None,
        limit=_PAGE,
    )


def read_run(request: HttpRequest) -> int | None:
    """Return which campaign or journey the address asks for, or None for all."""
    asked = request.GET.get("run", "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 else None


def _states(counts: dict[SendState, int], chosen: str) -> list[Chip]:
    chips = [Chip(label="All", value="", count=sum(counts.values()), is_on=not chosen)]
    for state in _CHIPS:
        count = counts.get(state, 0)
        if count or state == chosen:
            label = STATES[state].label.capitalize()
            chips.append(Chip(label=label, value=state, count=count, is_on=state == chosen))
    return chips


@require_GET
@requires("messages.read")
def show_one(request: HttpRequest, send_id: UUID) -> HttpResponse:
    """Show one message: what, to whom, what became of it and why."""
    message = broadcast.get_message(send_id=send_id)
    copy = broadcast.find_mailbox_message(send_id=send_id)
    return show(
        request,
        "messages/one.html",
        {
            "message": message,
            "state": STATES[message.state],
            "steps": steps_of(message),
            "name": name_people([message.profile_id])[message.profile_id],
            "run_href": run_address(message.run_kind, message.run_id),
            "copy": copy,
            "can_open_mailbox": may(request, "mailbox.read"),
            "can_resolve": message.state == "unknown" and may(request, "sending.manage"),
        },
    )


@require_GET
@requires("messages.read")
def show_body(request: HttpRequest, send_id: UUID) -> HttpResponse:
    """Answer a message's HTML for its frame: as it was received, else as it would be made now."""
    message = broadcast.get_message(send_id=send_id)
    copy = broadcast.find_mailbox_message(send_id=send_id)
    if copy is not None:
        return frame(copy.html)
    try:
        made = broadcast.render_content(
            content_id=message.content_id, profile_id=message.profile_id, now=datetime.now(UTC)
        )
    except NotFound:
        return frame_words("This customer is not known any more, so nothing can be shown.")
    return frame_words(made.problem) if made.problem else frame(made.html)


@require_POST
@requires("sending.manage")
def resolve(request: HttpRequest, send_id: UUID) -> HttpResponse:
    """Say what became of a message whose reply never came."""
    state = request.POST.get("state", "")
    if state not in ("sent", "failed"):
        notes.error(request, "Say whether it arrived or not.")
        return redirect("message", send_id)
    by = staff_of(request).get_username()
    try:
        broadcast.resolve_unknown(
            send_id=send_id, state=cast("SendState", state), by=by, now=datetime.now(UTC)
        )
    except AmityError as refusal:
        notes.error(request, sentence(refusal))
    else:
        how = "arrived" if state == "sent" else "did not arrive"
        notes.success(request, f"It is now on record that this message {how}.")
    return redirect("message", send_id)
