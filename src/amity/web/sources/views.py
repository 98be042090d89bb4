"""The list of sources, one source, and what staff may change about it."""

import uuid
from datetime import UTC, datetime
from typing import Final

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.infra.config import settings
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound
from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts import SYSTEM_SOURCE_ID, Source, SourceCounts, SourceKind
from amity.store.contracts_tracking import Alert
from amity.web.access import may, requires, staff_of
from amity.web.sources import live
from amity.web.sources.snippets import collector_url, example_event, make_snippets

_NONE: Final = SourceCounts()


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One source as the list shows it."""

    source: Source
    counts: SourceCounts
    last_at: datetime | None
    alerts: list[Alert]


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """One filter of a list; ``value`` is what it puts into the address."""

    label: str
    value: str
    count: int | None
    is_on: bool


@require_GET
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the sources with what became of everything each sent."""
    sources = store.list_sources()
    search = request.GET.get("q", "").strip()
    chosen = request.GET.get("show", "")
    counts = store.count_by_source()
    alerts = api_plans.list_alerts()
    last = api_plans.find_last_events()
    shown = [
        source
        for source in sources
        if search.casefold() in source.name.casefold() and _is_kind(source, chosen)
    ]
    return render(
        request,
        "sources/list.html",
        {
            "lines": [
                SourceLine(
                    source=source,
                    counts=counts.get(source.source_id, _NONE),
                    last_at=_last_at(source, last),
                    alerts=[each for each in alerts if each.source_id == source.source_id],
                )
                for source in shown
            ],
            "has_own": any(source.kind != "system" for source in sources),
            "search": search,
            "chosen": chosen,
            "chips": _chips(sources, chosen),
            "waiting": sum(store.count_quarantine().values()),
            "can_manage": may(request, "sources.write"),
        },
    )


def _is_kind(source: Source, chosen: str) -> bool:
    return chosen in ("", source.kind) or (chosen == "off" and not source.is_enabled)


def _chips(sources: list[Source], chosen: str) -> list[Chip]:
    labels = {"": "All", "browser": "Browser", "server": "Server", "off": "Switched off"}
    chips = [
        Chip(
            label=label,
            value=value,
            count=sum(_is_kind(source, value) for source in sources),
            is_on=value == chosen,
        )
        for value, label in labels.items()
    ]
    return [chip for chip in chips if chip.count or chip.is_on]


def _last_at(source: Source, counted: dict[int, datetime]) -> datetime | None:
    """Return when a source's last event came: of the last two days, else as it was counted."""
    latest = store.list_received(source_id=source.source_id, limit=1)
    return latest[0].received_at if latest else counted.get(source.source_id)


@require_http_methods(["GET", "POST"])
@requires("sources.write")
def create(request: HttpRequest) -> HttpResponse:
    """Make a source; what was typed stays when it cannot be made."""
    name, kind = request.POST.get("name", ""), request.POST.get("kind", "browser")
    error = ""
    if request.method == "POST":
        try:
            made = store.create_source(name=name, kind=_kind(kind))
        except (Invalid, Conflict) as refusal:
            error = _sentence(refusal)
        else:
            messages.success(request, f"{made.name} is ready. Send its first event.")
            return redirect("source", made.source_id)
    context = {"name": name, "kind": kind, "error": error}
    return render(request, "sources/new.html", context, status=422 if error else 200)


def _kind(text: str) -> SourceKind:
    return "server" if text == "server" else "browser"


def _sentence(error: AmityError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:]}."


@require_GET
@requires("sources.read")
def show_one(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show one source: its key, the code to send with, and what arrives, live."""
    source = store.get_source(source_id=source_id)
    url = collector_url(settings(), request.get_host().rpartition(":")[0] or request.get_host())
    stream = live.read_stream(source_id, after=None)
    return render(
        request,
        "sources/one.html",
        {
            "source": source,
            "is_system": source_id == SYSTEM_SOURCE_ID,
            "counts": store.count_by_source().get(source_id, _NONE),
            "events": stream.lines,
            "after": stream.after,
            "url": url,
            "snippets": make_snippets(source, url),
            "can_manage": may(request, "sources.write"),
            "secrets": store.list_source_secrets(source_id=source_id),
            "signed": store.list_signed_dialects(),
            "alerts": api_plans.list_alerts(source_id=source_id),
        },
    )


@require_POST
@requires("sources.write")
def set_secret(request: HttpRequest, source_id: int) -> HttpResponse:
    """Set, make or forget what a vendor's webhooks are signed with; one made is shown once."""
    dialect, doing = request.POST.get("dialect", ""), request.POST.get("do", "set")
    try:
        if doing == "forget":
            store.remove_source_secret(source_id=source_id, dialect=dialect)
            messages.success(request, f"Forgotten: what {dialect} signs is refused from now on.")
            return redirect("source", source_id)
        secret = request.POST.get("secret", "")
        if doing == "make":
            secret = store.make_source_secret()
        store.set_source_secret(
            source_id=source_id,
            dialect=dialect,
            secret=secret,
            by=staff_of(request).get_username(),
        )
    except (Invalid, Conflict, NotFound) as refusal:
        messages.error(request, _sentence(refusal))
    else:
        told = f" Copy it now, it is not shown again: {secret}" if doing == "make" else ""
        messages.success(request, f"The secret for {dialect} holds within a second.{told}")
    return redirect("source", source_id)


@require_POST
@requires("sources.write")
def rename(request: HttpRequest, source_id: int) -> HttpResponse:
    """Give a source another name."""
    try:
        made = store.update_source(source_id=source_id, name=request.POST.get("name", ""))
    except (Invalid, Conflict) as refusal:
        messages.error(request, _sentence(refusal))
    else:
        messages.success(request, f"The source is now called {made.name}.")
    return redirect("source", source_id)


@require_POST
@requires("sources.write")
def switch(request: HttpRequest, source_id: int) -> HttpResponse:
    """Let a source's key in, or shut it out."""
    is_enabled = request.POST.get("is_enabled") == "yes"
    source = store.update_source(source_id=source_id, is_enabled=is_enabled)
    how = "on: its events are taken in" if is_enabled else "off: its events are refused"
    messages.success(request, f"{source.name} is {how}, everywhere within seconds.")
    return redirect("source", source_id)


@require_POST
@requires("sources.write")
def rotate(request: HttpRequest, source_id: int) -> HttpResponse:
    """Replace a source's write key, once its name has been typed."""
    source = store.get_source(source_id=source_id)
    if request.POST.get("confirm", "").strip() != source.name:
        messages.error(request, "The key stays: the name typed was not the source's.")
        return redirect("source", source_id)
    store.rotate_source_key(source_id=source_id)
    messages.success(request, "There is a new write key. Put it where the old one was.")
    return redirect("source", source_id)


@require_POST
@requires("sources.write")
def send_test(request: HttpRequest, source_id: int) -> HttpResponse:
    """Record one event as this source, marked as a test, through the rules every event meets."""
    store.get_source(source_id=source_id)
    event = example_event() | {
        "event": "Test Event",
        "userId": None,
        "anonymousId": "amity-test-visitor",
        "messageId": f"test-{uuid.uuid4()}",
        "context": {"test": True, "library": {"name": "amity-web"}},
    }
    body = msgspec.json.encode(event)
    receipt = store.append_events(source_id=source_id, events=[body], now=datetime.now(UTC))
    if receipt.accepted:
        messages.success(request, "A test event was sent and committed.")
    else:
        reasons = ", ".join(problem.message for problem in receipt.errors)
        messages.error(request, f"The test event was not taken in: {reasons or 'unknown'}.")
    return redirect("source", source_id)
