"""The screens of data requests: the list, one with its steps, and a new one taken by staff."""

from datetime import UTC, datetime, time
from typing import Any, Final, cast, get_args

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from amity.kernel.errors import AmityError, Invalid
from amity.store import api_requests as requests
from amity.store.contracts_requests import (
    COPYING,
    Due,
    Request,
    RequestFilter,
    RequestKind,
    RequestPlan,
    RequestState,
    Verification,
)
from amity.web.access import may, requires, staff_of
from amity.web.requests import words

PAGE: Final = 50
_LONGEST_NUMBER: Final = 18


@require_GET
@requires("requests.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """List requests, the most pressing first, filtered as the address says."""
    now = datetime.now(UTC)
    chosen = read_filter(request)
    page = requests.list_requests(
        filters=chosen, now=now, cursor=request.GET.get("after"), limit=PAGE
    )
    overdue, soon, is_open = requests.count_due(now=now)
    context = {
        "rows": [_row(each, now) for each in page.items],
        "next_cursor": page.next_cursor,
        "chosen": chosen,
        "is_narrow": chosen != RequestFilter(),
        "kinds": [(key, title) for key, (title, _) in words.KINDS.items()],
        "states": [("open", "open"), *((key, text) for key, (text, _) in words.STATES.items())],
        "overdue": overdue,
        "soon": soon - overdue,
        "open": is_open,
        "can_write": may(request, "requests.write"),
    }
    return render(request, "requests/list.html", context)


def read_filter(request: HttpRequest) -> RequestFilter:
    """Return what the address asks for; what is no choice is left out."""
    given = request.GET
    kind, state, due = given.get("kind", ""), given.get("state", ""), given.get("due", "")
    customer = given.get("customer", "")
    is_number = customer.isdecimal() and len(customer) <= _LONGEST_NUMBER
    return RequestFilter(
        kind=cast("RequestKind", kind if kind in words.KINDS else ""),
        state=cast("RequestState", state if state in {*words.STATES, "open"} else ""),
        due=cast("Due", due if due in get_args(Due) else ""),
        profile_id=int(customer) if is_number else None,
        search=given.get("q", "").replace("\0", "").strip()[:200],
    )


def _row(request: Request, now: datetime) -> dict[str, Any]:
    state, look = words.STATES[request.state]
    return {
        "is": request,
        "name": words.name_of(request),
        "state": state,
        "look": look,
        "due_look": words.tone_of_deadline(request, now),
        "came_by": words.CAME_BY[request.came_by],
    }


@require_GET
@requires("requests.read")
def show_one(request: HttpRequest, request_id: int) -> HttpResponse:
    """Show one request: what was asked, until when, what was done, and what can be done."""
    now = datetime.now(UTC)
    whole = requests.get_request(request_id=request_id)
    can_write = may(request, "requests.write")
    it = whole.request
    context = {
        **_row(it, now),
        "kind": words.KINDS[it.kind],
        "verified": words.VERIFICATIONS.get(cast("Verification", it.verified_by), ""),
        "jurisdiction": words.JURISDICTIONS[it.jurisdiction],
        "steps": [
            (each, words.STEPS[each.what], _told(each.what, each.words)) for each in whole.steps
        ],
        "copy": whole.copy,
        "is_restricted": whole.is_restricted,
        "is_copying": it.kind in COPYING,
        "can_carry_out": bool(can_write and it.is_open and it.verified_by and it.profile_id),
        "can_extend": it.is_open and not it.is_extended and it.due_at > now,
        "can_write": can_write,
        "can_erase": may(request, "profiles.erase"),
        "can_copy": may(request, "requests.copy"),
        "ways": [(key, text) for key, text in words.VERIFICATIONS.items() if key != "mail_link"],
    }
    return render(request, "requests/one.html", context)


def _told(what: str, said: str) -> str:
    return words.VERIFICATIONS.get(cast("Verification", said), said) if what == "verified" else said


@require_http_methods(["GET", "HEAD", "POST"])
@requires("requests.write")
def create(request: HttpRequest) -> HttpResponse:
    """Take down a request that came by a letter, a call or in person."""
    if request.method != "POST":
        given = {"customer": request.GET.get("customer", ""), "kind": request.GET.get("kind", "")}
        return _show_form(request, given)
    by, now = staff_of(request).get_username(), datetime.now(UTC)
    try:
        made = requests.create_request(plan=_read_plan(request, now), by=by, now=now)
    except AmityError as refusal:
        return _show_form(request, request.POST.dict(), error=sentence(refusal))
    messages.success(request, f"{words.name_of(made)} is written down.")
    return redirect("data_request", made.request_id)


def _read_plan(request: HttpRequest, now: datetime) -> RequestPlan:
    given = request.POST
    who = given.get("customer", "").strip()
    is_number = who.isdecimal() and len(who) <= _LONGEST_NUMBER
    kind, came_by = given.get("kind", ""), given.get("came_by", "")
    where, how = given.get("jurisdiction", ""), given.get("verified_by", "")
    if kind not in words.KINDS or came_by not in words.CAME_BY or where not in words.JURISDICTIONS:
        raise Invalid("choose what is asked for, how it came and which law holds")
    return RequestPlan(
        kind=kind,
        came_by=came_by,
        profile_id=int(who) if is_number else None,
        address="" if is_number else who,
        jurisdiction=where,
        verified_by=cast("Verification", how if how in words.VERIFICATIONS else ""),
        wish=given.get("wish", "").replace("\0", "")[:4000],
        received_at=_read_day(given.get("received_on", ""), now),
    )


def _read_day(text: str, now: datetime) -> datetime | None:
    """Return the beginning of a day of the reader's; today is now."""
    try:
        day = datetime.fromisoformat(text).date() if text else None
    except ValueError as error:
        raise Invalid("write the day as 2026-01-31") from error
    zone = timezone.get_current_timezone()
    if day is None or day == now.astimezone(zone).date():
        return None
    return datetime.combine(day, time(), zone)


def _show_form(request: HttpRequest, given: dict[str, Any], *, error: str = "") -> HttpResponse:
    context = {
        "given": given,
        "error": error,
        "kinds": [(key, title, text) for key, (title, text) in words.KINDS.items()],
        "came_by": [pair for pair in words.CAME_BY.items() if pair[0] not in _NOT_BY_HAND],
        "jurisdictions": list(words.JURISDICTIONS.items()),
        "ways": [(key, text) for key, text in words.VERIFICATIONS.items() if key != "mail_link"],
        "today": timezone.localdate().isoformat(),
    }
    return render(request, "requests/new.html", context, status=422 if error else 200)


_NOT_BY_HAND: Final = {"preference_page", "api"}


def sentence(error: AmityError) -> str:
    """Return what an error says, as a sentence."""
    return f"{error.message[:1].upper()}{error.message[1:]}."
