"""Long work on a page: what is being done, how far it is, since when; *Stop*, and *Try again*.

A page includes `working.html` with what `progress_of` returns. While the work is wanted the piece
asks every second how far it is, and has the page loaded anew when it has ended.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from amity.analysis import api_work
from amity.analysis.contracts_work import Work, WorkArea
from amity.kernel.errors import NotFound
from amity.web.access import may, staff_of
from amity.web.staff.permissions import Capability

_CHANGES: Final[dict[WorkArea, Capability]] = {
    "reports": "reports.write",
    "segments": "segments.write",
    "models": "segments.write",
}
"""Who may stop what somebody else asked for, by where it belongs."""


def progress_of(
    request: HttpRequest,
    work: Work,
    *,
    again: str,
    fields: Sequence[tuple[str, object]] = (),
    asks_itself: bool = False,
    result_at: object = None,
) -> dict[str, Any]:
    """Return what `working.html` shows of work.

    ``again`` is where a POST with ``fields`` asks for it; ``asks_itself`` has the page do so when
    nobody has; ``result_at`` is the age of what was found before.
    """
    numbered = [work.work_id]
    return {
        "work": work,
        "is_wanted": work.wanted_at is not None,
        "asks_itself": asks_itself and work.wanted_at is None and not work.error,
        "live": reverse(f"{work.area}_work", args=numbered),
        "stop": reverse(f"{work.area}_work_stop", args=numbered),
        "may_stop": api_work.may_stop(work, **_stopper(request, work)),
        "back": _page_of(request),
        "again": again,
        "fields": fields,
        "result_at": result_at,
    }


def _stopper(request: HttpRequest, work: Work) -> dict[str, Any]:
    by = staff_of(request).get_username()
    return {"by": by, "may_all": may(request, _CHANGES[work.area])}


def _page_of(request: HttpRequest) -> str:
    """Return the address of the page a piece is in."""
    htmx = getattr(request, "htmx", None)
    return str((htmx and htmx.current_url_abs_path) or request.get_full_path())


def show_work(request: HttpRequest, work_id: int, area: WorkArea) -> HttpResponse:
    """Show how far work is; have the page loaded anew when it has ended."""
    work = api_work.find_work(work_id=work_id)
    if work is not None and work.area != area:
        raise NotFound("there is no such work here")
    if work is None or work.wanted_at is None:
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    return render(request, "working.html", {"progress": progress_of(request, work, again="")})


def stop_work(request: HttpRequest, work_id: int, area: WorkArea) -> HttpResponse:
    """Stop work and go back to where it was asked for; say so where one may not."""
    work = api_work.find_work(work_id=work_id)
    if work is not None and work.area != area:
        raise NotFound("there is no such work here")
    if work is None:
        messages.info(request, "It was done already.")
    else:
        api_work.stop_work(work_id=work_id, **_stopper(request, work))
        messages.info(request, "Stopped. What was found before stays.")
    back = request.POST.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if is_safe else "overview")
