"""The pages of schedules: when a saved view is mailed, to whom, and what came of it."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api_reports as reports
from amity.analysis import api_schedules as schedules
from amity.analysis.contracts_reports import ReportView
from amity.analysis.contracts_schedules import (
    Every,
    ReportSchedule,
    ScheduleChanges,
    ScheduleTimes,
)
from amity.broadcast import api_staff
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Invalid, NotFound
from amity.web.access import may, requires, staff_of
from amity.web.reports import mailing
from amity.web.staff.models import Staff
from amity.web.staff.permissions import can

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EVERY: Final[dict[Every, str]] = {
    "day": "every day",
    "weekday": "Monday to Friday",
    "week": "every week",
    "month": "every month",
}


def say_times(times: ScheduleTimes) -> str:
    """Write when a schedule runs: `every Monday at 07:30 (Europe/Berlin)`."""
    days = dict(_EVERY)
    days["week"] = f"every {_DAYS[(times.day - 1) % len(_DAYS)]}"
    days["month"] = f"on day {times.day} of every month"
    return f"{days[times.every]} at {times.at} ({times.zone})"


@require_GET
@requires("reports.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the schedules somebody made or is mailed by; an admin sees all."""
    me = staff_of(request)
    is_admin = may(request, "staff.manage")
    found = schedules.list_schedules(by=me.get_username(), may_all=is_admin)
    rows = [
        {
            "is": one,
            "times": say_times(one.times),
            "is_own": is_admin or one.owner == me.get_username(),
            "is_mailed": me.get_username() in one.recipients,
            "has_declined": me.get_username() in one.declined,
        }
        for one in found
    ]
    return render(
        request,
        "reports/schedules.html",
        {
            "rows": rows,
            "can_write": may(request, "reports.write"),
            "has_server": _has_server(),
            "address": me.email,
        },
    )


@require_GET
@requires("reports.write")
def show_form(request: HttpRequest) -> HttpResponse:
    """Show the form that has a saved view mailed, or that changes a schedule."""
    me = staff_of(request).get_username()
    told = request.GET.get("schedule", "")
    held = schedules.get_schedule(schedule_id=_number(told), by=me) if told else None
    view = held.view if held else _view(_number(request.GET.get("view", "")), me)
    times = held.times if held else ScheduleTimes(every="week", zone=settings().time_zone)
    chosen = held.recipients if held else (me,)
    context = {
        "view": view,
        "held": held,
        "times": times,
        "every": _EVERY.items(),
        "weekdays": list(enumerate(_DAYS, start=1)),
        "people": [(one, one.username in chosen) for one in _people(view, me)],
        "has_server": _has_server(),
    }
    return render(request, "reports/schedule.html", context)


def _people(view: ReportView, me: str) -> list[Staff]:
    """Return whom a view can be mailed to: all who may read reports, when it is shared."""
    active = Staff.objects.filter(is_active=True).order_by("username")
    readers = [one for one in active if can(one.role, "reports.read")]
    return [one for one in readers if view.is_shared or one.username == me]


@require_POST
@requires("reports.write")
def save(request: HttpRequest) -> HttpResponse:
    """Have a view mailed, or change when and to whom."""
    me, posted, now = staff_of(request).get_username(), request.POST, datetime.now(UTC)
    told = posted.get("schedule", "")
    try:
        api_staff.check_mail_server()
        changes = _read(request)
        mailing.check_recipients(changes.recipients)
        held = schedules.save_schedule(
            changes=changes, by=me, now=now, schedule_id=_number(told) if told else None
        )
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
        return redirect("report_schedules")
    messages.success(request, f"{held.view.name} is mailed {say_times(held.times)}.")
    return redirect("report_schedules")


def _read(request: HttpRequest) -> ScheduleChanges:
    posted = request.POST
    every = posted.get("every", "")
    day = posted.get("weekday" if every == "week" else "day", "") or "1"
    raw: dict[str, Any] = {
        "view_id": _number(posted.get("view", "")),
        "recipients": posted.getlist("to"),
        "times": {
            "every": every,
            "day": _number(day),
            "at": posted.get("at", ""),
            "zone": posted.get("zone", "").strip(),
        },
        "has_files": bool(posted.get("files")),
    }
    try:
        return msgspec.convert(raw, ScheduleChanges)
    except msgspec.ValidationError:
        raise Invalid(
            "say on which days, at what time such as 07:30, in which time zone, and to whom",
            code="bad_schedule",
        ) from None


@require_GET
@requires("reports.read")
def preview(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Show what would be mailed now; nothing is sent."""
    me, now = staff_of(request), datetime.now(UTC)
    held = _get(request, schedule_id)
    context: dict[str, Any] = {"is": held, "times": say_times(held.times), "address": me.email}
    try:
        context |= {"mail": mailing.write(held, mailing.find_kept_run(held, now), me)}
    except AmityError as refusal:
        context |= {"problem": refusal.message}
    return render(request, "reports/schedule_preview.html", context)


@require_POST
@requires("reports.read")
def send_now(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Mail a view to whoever asks, at once."""
    held = _get(request, schedule_id)
    try:
        sent = mailing.mail_now(schedule=held, person=staff_of(request), now=datetime.now(UTC))
    except AmityError as refusal:
        messages.error(request, f"Not mailed: {refusal.message}.")
        return redirect("report_schedules")
    if sent.state == "sent":
        messages.success(request, f"{held.view.name} is on its way to {staff_of(request).email}.")
    else:
        messages.error(request, f"Not mailed: {mailing.say_state(sent)}.")
    return redirect("report_schedules")


@require_POST
@requires("reports.write")
def pause(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Pause a schedule, or let it go on."""
    schedules.pause_schedule(
        schedule_id=schedule_id,
        is_paused=request.POST.get("paused") == "yes",
        by=staff_of(request).get_username(),
        now=datetime.now(UTC),
        may_all=may(request, "staff.manage"),
    )
    return redirect("report_schedules")


@require_POST
@requires("reports.write")
def delete(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Delete a schedule."""
    schedules.delete_schedule(
        schedule_id=schedule_id,
        by=staff_of(request).get_username(),
        may_all=may(request, "staff.manage"),
    )
    messages.success(request, "The schedule is deleted.")
    return redirect("report_schedules")


@require_POST
@requires("reports.read")
def choose(request: HttpRequest, schedule_id: int) -> HttpResponse:
    """Not be mailed any more by a schedule, or again."""
    is_wanted = request.POST.get("wanted") == "yes"
    schedules.want_schedule(
        schedule_id=schedule_id, who=staff_of(request).get_username(), is_wanted=is_wanted
    )
    messages.success(request, "You are mailed again." if is_wanted else "You are not mailed it.")
    return redirect("report_schedules")


def _get(request: HttpRequest, schedule_id: int) -> ReportSchedule:
    by = staff_of(request).get_username()
    return schedules.get_schedule(
        schedule_id=schedule_id, by=by, may_all=may(request, "staff.manage")
    )


def _view(view_id: int, by: str) -> ReportView:
    for view in reports.list_report_views(by=by):
        if view.view_id == view_id:
            return view
    raise NotFound("there is no such view")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _has_server() -> bool:
    return settings().smtp_url is not None
