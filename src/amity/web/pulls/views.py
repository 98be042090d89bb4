"""Databases: an address is tried, a table is chosen and looked at, and then it is followed."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.kernel.errors import AmityError, Conflict, Invalid
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts_pulling import Pull
from amity.web.access import may, requires, staff_of
from amity.web.errors import sentence
from amity.web.pulls.planning import read_plan, show_plan

_TONES: Final = {
    "draft": "warn",
    "paused": "warn",
    "waiting": "good",
    "running": "info",
    "failing": "bad",
}


def _told(pull: Pull) -> dict[str, Any]:
    return {"pull": pull, "tone": _TONES[pull.state], "minutes": pull.interval_seconds // 60}


def _sources() -> list[Any]:
    return [source for source in store.list_sources() if source.kind != "system"]


@require_GET
@requires("pulls.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the databases there are, and how far each is."""
    context = {
        "pulls": [_told(pull) for pull in api_fetching.list_pulls()],
        "can_write": may(request, "pulls.write"),
    }
    return render(request, "pulls/list.html", context)


@require_http_methods(["GET", "POST"])
@requires("pulls.write")
def create(request: HttpRequest) -> HttpResponse:
    """Take the address of a database in, try it, and go on to its tables."""
    error = ""
    if request.method == "POST":
        try:
            made = api_fetching.create_pull(
                name=request.POST.get("name", ""),
                address=request.POST.get("address", ""),
                source_id=_read_source(request),
                by=staff_of(request).get_username(),
            )
            return redirect("pull_plan", made.pull_id)
        except AmityError as refusal:
            error = sentence(refusal)
    context = {
        "sources": _sources(),
        "source": request.POST.get("source", ""),
        "name": request.POST.get("name", ""),
        "error": error,
    }
    return render(request, "pulls/new.html", context, status=422 if error else 200)


def _read_source(request: HttpRequest) -> int:
    text = request.POST.get("source", "")
    if text == "new":
        name = request.POST.get("source_name", "") or request.POST.get("name", "")
        found = store.find_source(name=name)
        return (found or store.create_source(name=name, kind="server")).source_id
    if not text.isdecimal():
        raise Invalid("choose which source the rows are to count for")
    return int(text)


@require_http_methods(["GET", "POST"])
@requires("pulls.write")
def plan(request: HttpRequest, pull_id: int) -> HttpResponse:
    """Choose what is read of a database; see what its first rows become; begin."""
    pull = api_fetching.get_pull(pull_id=pull_id)
    error = ""
    if request.method == "POST" and request.POST.get("do") == "start":
        try:
            api_fetching.configure_pull(pull_id=pull_id, plan=read_plan(request.POST))
            return redirect("pull", pull_id)
        except AmityError as refusal:
            error = sentence(refusal)
    context = show_plan(pull, request.POST if request.method == "POST" else request.GET)
    context["error"] = error or context["error"]
    return render(request, "pulls/plan.html", context, status=422 if error else 200)


@require_GET
@requires("pulls.read")
def show_one(request: HttpRequest, pull_id: int) -> HttpResponse:
    """Show one database: what is read, how far it is, what went wrong."""
    pull = api_fetching.get_pull(pull_id=pull_id)
    source = store.get_source(source_id=pull.source_id)
    context = _told(pull) | {"source": source, "can_write": may(request, "pulls.write")}
    piece = bool(getattr(request, "htmx", False))
    return render(request, "pulls/_state.html" if piece else "pulls/one.html", context)


@require_POST
@requires("pulls.write")
def reconnect(request: HttpRequest, pull_id: int) -> HttpResponse:
    """Take another address or password for a database, once it lets us in."""
    try:
        api_fetching.reconnect_pull(pull_id=pull_id, address=request.POST.get("address", ""))
    except AmityError as refusal:
        messages.error(request, sentence(refusal))
    else:
        messages.success(request, "The database let us in; it goes on from where it was.")
    return redirect("pull", pull_id)


@require_POST
@requires("pulls.write")
def change(request: HttpRequest, pull_id: int) -> HttpResponse:
    """Run, pause, resume, rewind or forget a pull."""
    doing = request.POST.get("do", "")
    try:
        if doing == "delete":
            name = api_fetching.get_pull(pull_id=pull_id).name
            api_fetching.delete_pull(pull_id=pull_id)
            messages.success(request, f"Forgot {name} and its password. What came in by it stays.")
            return redirect("pulls")
        messages.success(request, _do(doing, pull_id))
    except AmityError as refusal:
        messages.error(request, sentence(refusal))
    return redirect("pull", pull_id)


def _do(doing: str, pull_id: int) -> str:
    if doing == "test":
        tables = api_fetching.list_pull_tables(pull_id=pull_id)
        return f"The database lets us in; {len(tables):,} tables and views can be read."
    if doing == "run":
        before = api_fetching.get_pull(pull_id=pull_id)
        done = api_fetching.run_pull(pull_id=pull_id, now=datetime.now(UTC))
        if done.failure:
            raise Conflict(done.failure)
        rows, stored = done.rows_done - before.rows_done, done.stored - before.stored
        return f"Read {rows:,} rows; {stored:,} events were new."
    if doing == "pause":
        api_fetching.pause_pull(pull_id=pull_id)
        return "Paused. It is not asked until you resume it."
    if doing == "resume":
        api_fetching.resume_pull(pull_id=pull_id)
        return "Resumed. It is asked within seconds while the worker runs."
    if doing == "rewind":
        api_fetching.rewind_pull(pull_id=pull_id)
        return "The next run reads from the beginning; what is in counts as duplicate."
    raise Invalid(f"nothing is called {msgspec.json.encode(doing[:20]).decode()} here")
