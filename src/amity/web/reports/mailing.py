"""Mailing saved views to those who work here: what the mail says, to whom, and what came of it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from django.template.loader import render_to_string
from django.urls import reverse

from amity.analysis import api_reports as reports
from amity.analysis import api_schedules as schedules
from amity.analysis.contracts_reports import ReportFigure, ReportRun, say_ends, say_value
from amity.analysis.contracts_schedules import ReportSchedule
from amity.broadcast import api_staff
from amity.broadcast.contracts_staff import Attachment, StaffLetter, StaffMail
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Conflict, Invalid, Unavailable
from amity.web.staff.addresses import address_of
from amity.web.staff.models import Staff
from amity.web.staff.permissions import can

_GIVE_UP_AFTER: Final = timedelta(hours=12)
_MOST_FILES: Final = 10
_WAITS: Final = frozenset(("deferred", "wire"))


def mail_due(*, now: datetime) -> int:
    """Mail the schedule that is due longest; return 0 when none is. For the worker."""
    schedule = schedules.take_due_schedule(now=now)
    if schedule is None:
        return 0
    result, is_done = _mail(schedule, now)
    schedules.settle_schedule(schedule=schedule, result=result, is_done=is_done, now=now)
    return 1


def mail_now(*, schedule: ReportSchedule, person: Staff, now: datetime) -> StaffMail:
    """Mail a schedule's view to one person at once, beside its slots.

    Raises Invalid when the person cannot be mailed, and as `send_staff_mail`.
    """
    api_staff.check_mail_server()
    slot = f"now-{now:%Y%m%dT%H%M%S}"
    return _send(schedule, find_run(schedule, now), person, slot=slot, now=now)


def check_recipients(names: Iterable[str]) -> None:
    """Raise Invalid unless all of these work here and may read reports."""
    for name in names:
        person = _find(name)
        if person is None or not can(person.role, "reports.read"):
            raise Invalid(f"{name} is nobody here who may read reports", code="not_staff")


def find_run(schedule: ReportSchedule, now: datetime) -> ReportRun:
    """Return the view's answer: the kept one while it is young, else computed now."""
    view = schedule.view
    page = reports.open_report(name=view.report, given=view.parameters, now=now)
    if page.state.run is not None and not page.is_stale:
        return page.state.run
    return reports.run_report(name=view.report, given=view.parameters, now=now)


def find_kept_run(schedule: ReportSchedule, now: datetime) -> ReportRun:
    """Return the view's kept answer, however old; raise Conflict when there is none yet."""
    view = schedule.view
    page = reports.open_report(name=view.report, given=view.parameters, now=now)
    if page.state.run is None:
        raise Conflict("the report has no answer yet: open its page first", code="not_computed")
    return page.state.run


def _mail(schedule: ReportSchedule, now: datetime) -> tuple[str, bool]:
    """Return what came of it in words, and whether the slot is done with."""
    if now - schedule.slot_at > _GIVE_UP_AFTER:
        return "Not mailed: it could not be when it was due, nor in the 12 hours after.", True
    try:
        api_staff.check_mail_server()
    except Unavailable as refusal:
        return f"Not mailed: {refusal.message}.", True
    try:
        run = find_run(schedule, now)
    except Unavailable as refusal:
        return f"Waits: {refusal.message}.", False
    except AmityError as refusal:
        return f"Not mailed: {refusal.message}.", True
    return _mail_all(schedule, run, now)


def _mail_all(schedule: ReportSchedule, run: ReportRun, now: datetime) -> tuple[str, bool]:
    mailed, others, is_done = 0, [], True
    for name in schedule.recipients:
        if name in schedule.declined:
            continue
        try:
            sent = _mail_one(schedule, run, name, now)
        except Conflict as refusal:
            return f"Waits: {refusal.message}.", False
        except Invalid as refusal:
            others.append(f"{name}: {refusal.message}")
            continue
        mailed += sent.state == "sent"
        is_done = is_done and sent.state not in _WAITS
        if sent.state != "sent":
            others.append(f"{name}: {say_state(sent)}")
    return " ".join([f"Mailed to {mailed}.", *(f"{other}." for other in others)]), is_done


def say_state(sent: StaffMail) -> str:
    """Write why a mail has not been sent."""
    if sent.state == "refused":
        return f"refused by the mail server ({sent.reply})"
    if sent.state == "unknown":
        return "handed over, and nobody knows whether it arrived"
    return "waits for the mail server"


def _mail_one(schedule: ReportSchedule, run: ReportRun, name: str, now: datetime) -> StaffMail:
    person = _find(name)
    if person is None:
        raise Invalid("does not work here any more", code="not_staff")
    slot = f"{schedule.slot_at.astimezone(UTC):%Y%m%dT%H%MZ}"
    return _send(schedule, run, person, slot=slot, now=now)


def _find(name: str) -> Staff | None:
    return Staff.objects.filter(username=name, is_active=True).first()


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says to one person."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]


def write(schedule: ReportSchedule, run: ReportRun, person: Staff) -> Written:
    """Write the mail for one person; tables come along where asked for and the role may export."""
    told = _tell(schedule, run)
    has_files = schedule.has_files and can(person.role, "profiles.export")
    day = run.as_of.astimezone(ZoneInfo(schedule.times.zone)).strftime("%-d %b %Y")
    return Written(
        subject=f"{schedule.view.name}, {day}",
        text=render_to_string("reports/mail.txt", told),
        html=render_to_string("reports/mail.html", told),
        attachments=_attach(run) if has_files else (),
    )


def _send(
    schedule: ReportSchedule, run: ReportRun, person: Staff, *, slot: str, now: datetime
) -> StaffMail:
    """Mail one person; raise Invalid, saying why, for whoever may not be."""
    view = schedule.view
    if not can(person.role, "reports.read") or not (
        view.is_shared or view.owner == person.get_username()
    ):
        raise Invalid("may not see it", code="not_allowed")
    address = address_of(person)
    if address is None:
        raise Invalid("has no mail address; an admin enters it under People", code="no_address")
    written = write(schedule, run, person)
    letter = StaffLetter(
        key=f"report:{schedule.schedule_id}:{slot}:{person.pk}",
        recipient=address,
        subject=written.subject,
        text=written.text,
        html=written.html,
        attachments=written.attachments,
    )
    return api_staff.send_staff_mail(letter=letter, now=now)


def _tell(schedule: ReportSchedule, run: ReportRun) -> dict[str, object]:
    view = schedule.view
    # Written here: a template would show it by the clocks of the installation.
    as_of = run.as_of.astimezone(ZoneInfo(schedule.times.zone))
    base = screens_address()
    query = f"?{urlencode(view.parameters)}" if view.parameters else ""
    return {
        "view": view,
        "answer": run.answer,
        "as_of": f"{as_of:%-d %b %Y, %H:%M}",
        "zone": schedule.times.zone,
        "figures": [_say_figure(figure, run.currency) for figure in run.answer.figures],
        "page": f"{base}{reverse('report', args=[view.report])}{query}",
        "leave": f"{base}{reverse('report_schedules')}",
        "house": settings().mail_from_name,
    }


def _say_figure(figure: ReportFigure, currency: str) -> tuple[str, str, str]:
    """Return a figure's title, its value with the interval, and what it was before."""
    value = say_value(figure.value, figure.unit, currency)
    if ends := say_ends(figure.low, figure.high, figure.unit, currency):
        value += f" ({ends})"
    before = "" if figure.before is None else say_value(figure.before, figure.unit, currency)
    return figure.title, value, before


def _attach(run: ReportRun) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            name=f"{run.report}-{table.name}-{run.as_of.date().isoformat()}.csv",
            kind="text/csv",
            content=reports.write_report_table(run=run, table=table.name, kind="csv"),
        )
        for table in run.answer.tables[:_MOST_FILES]
    )


def screens_address() -> str:
    """Return where those who work here reach the screens."""
    using = settings()
    named = [host.strip() for host in using.public_hosts.split(",") if host.strip()]
    if using.https and named:
        return f"https://{named[0]}"
    return f"http://{named[0] if named else using.web_host}:{using.web_port}"
