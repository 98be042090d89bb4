"""Saved views by mail: to staff alone, once a slot whatever ends in between, and as roles allow."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from django.test import Client

from amity.analysis import api_reports as reports
from amity.analysis import api_schedules as schedules
from amity.analysis.contracts_reports import (
    ReportAnswer,
    ReportFigure,
    ReportRun,
    ReportTable,
    ViewChanges,
)
from amity.analysis.contracts_schedules import ScheduleChanges, ScheduleTimes
from amity.analysis.logic.reporting import keeping
from amity.analysis.logic.reporting.asking import read_question
from amity.analysis.logic.reporting.tables import columns
from amity.broadcast import api as broadcast
from amity.broadcast import api_staff
from amity.kernel.errors import Invalid, NotFound
from amity.testing.mailing import sending_to_sink

NOW = datetime.now(UTC)
MONDAY = datetime(2026, 5, 4, 5, 30, tzinfo=UTC)


def answer():
    table = ReportTable(
        name="periods",
        title="By week",
        columns=columns(("period", "From", "day"), ("customers", "Ordered", "customers")),
        rows=(("2026-04-27", 7),),
        key=("period",),
    )
    figure = ReportFigure(
        name="kept",
        title="Retention",
        unit="share",
        definition="Of who was there.",
        value=0.4,
        low=0.3,
        high=0.5,
        before=0.35,
    )
    return ReportAnswer(sentence="Four of ten <came> again.", figures=(figure,), tables=(table,))


def keep(now=NOW):
    """Keep an answer to the usual question, as the worker would have found it."""
    question = read_question("dimensions", {}, now=now)
    run = ReportRun(
        report="dimensions",
        parameters={},
        currency="EUR",
        as_of=now,
        took_seconds=1.0,
        answer=answer(),
    )
    keeping.keep(question, run, now=now)


@pytest.fixture
def staff(db):
    from amity.web.staff.models import Staff

    return {
        name: Staff.objects.create_user(name, password="x" * 12, role=role, email=email)
        for name, role, email in (
            ("ann", "analyst", "ann@shop.example"),
            ("ben", "viewer", "ben@shop.example"),
            ("cem", "viewer", ""),
        )
    }


@pytest.fixture
def mailing(staff):
    from amity.web.reports import mailing as loaded  # knows the accounts of staff: Django's

    return loaded


def view(*, is_shared=True, by="ann"):
    changes = ViewChanges(name="Board", report="dimensions", parameters={}, is_shared=is_shared)
    return reports.save_report_view(changes=changes, by=by, now=NOW)


def schedule(*to, saved=None, has_files=True, now=MONDAY - timedelta(days=1)):
    changes = ScheduleChanges(
        view_id=(saved or view()).view_id,
        recipients=to,
        times=ScheduleTimes(every="week", day=1, at="07:30", zone="Europe/Berlin"),
        has_files=has_files,
    )
    return schedules.save_schedule(changes=changes, by="ann", now=now)


def only():
    [one] = schedules.list_schedules(by="ann")
    return one


def test_a_view_is_mailed_once_a_slot_with_files_for_whose_role_may_export(staff, mailing):
    held = schedule("ann", "ben", "cem")
    assert held.slot_at == MONDAY
    keep(MONDAY)
    with sending_to_sink(now=NOW) as sink:
        assert mailing.mail_due(now=MONDAY - timedelta(seconds=1)) == 0
        assert mailing.mail_due(now=MONDAY) == 1
        assert mailing.mail_due(now=MONDAY) == 0
    told = {to: message_from_bytes(raw, policy=default) for _, to, raw in sink.accepted}
    assert sorted(told) == ["ann@shop.example", "ben@shop.example"]
    text = told["ben@shop.example"].get_body(("plain",)).get_content()
    assert "Four of ten <came> again." in text
    assert "Retention: 40.0 % (30.0 to 50.0), before 35.0 %" in text
    assert "As of 4 May 2026, 07:30 (Europe/Berlin)." in text
    assert "/reports/dimensions/" in text
    html = told["ben@shop.example"].get_body(("html",)).get_content()
    assert "&lt;came&gt;" in html
    files = {
        to: [one.get_filename() for one in mail.iter_attachments()] for to, mail in told.items()
    }
    assert files["ann@shop.example"] == ["dimensions-periods-2026-05-04.csv"]
    assert files["ben@shop.example"] == []
    assert only().last_result == (
        "Mailed to 2. cem: has no mail address; an admin enters it under People."
    )
    assert only().slot_at == MONDAY + timedelta(days=7)


def test_whoever_is_killed_in_between_mails_nobody_twice(staff, mailing):
    held = schedule("ann", "ben")
    keep(MONDAY)
    with sending_to_sink(now=NOW) as sink:
        taken = schedules.take_due_schedule(now=MONDAY)
        run = mailing.find_run(taken, MONDAY)
        mailing._mail_one(taken, run, "ann", MONDAY)  # and then the process ends
        assert mailing.mail_due(now=MONDAY + timedelta(minutes=5)) == 0
        later = MONDAY + timedelta(hours=2)
        keep(later)
        assert mailing.mail_due(now=later) == 1
    assert sorted(to for _, to, _ in sink.accepted) == ["ann@shop.example", "ben@shop.example"]
    begins = f"report:{held.schedule_id}:"
    assert len(api_staff.list_staff_mail(begins=begins)) == 2


def test_what_cannot_leave_waits_says_why_and_is_not_made_up_for_days_later(staff, mailing):
    schedule("ann")
    keep(MONDAY)
    mailing.mail_due(now=MONDAY)
    assert "set AMITY_SMTP_URL" in only().last_result
    assert only().slot_at == MONDAY + timedelta(days=7)
    week = MONDAY + timedelta(days=7)
    keep(week)
    with sending_to_sink(now=NOW) as sink:
        broadcast.stop_sending(by="ann", now=NOW)
        mailing.mail_due(now=week)
        assert only().last_result.startswith("Waits: ")
        assert only().slot_at == week
        mailing.mail_due(now=week + timedelta(hours=13))
        assert "nor in the 12 hours after" in only().last_result
        broadcast.resume_sending(by="ann", now=NOW)
        sink.modes = {"defer_rcpt": 1.0}
        third = week + timedelta(days=7)
        keep(third)
        mailing.mail_due(now=third)
        assert "ann: waits for the mail server" in only().last_result
        sink.modes = {"accept": 1.0}
        mailing.mail_due(now=third + timedelta(minutes=6))
        assert only().last_result == "Mailed to 1."
    assert len(sink.accepted) == 1


def test_nobody_but_staff_who_may_see_it_and_want_it_is_mailed(staff, mailing):
    for wrong in ("customer@x.example", "nobody"):
        with pytest.raises(Invalid, match="nobody here"):
            mailing.check_recipients([wrong])
    own = view(is_shared=False)
    with pytest.raises(Invalid, match="to you alone"):
        schedule("ann", "ben", saved=own)
    with pytest.raises(NotFound):
        schedules.save_schedule(
            changes=ScheduleChanges(
                view_id=own.view_id, recipients=("ben",), times=ScheduleTimes(every="day")
            ),
            by="ben",
            now=NOW,
        )
    reports.delete_report_view(view_id=own.view_id, by="ann")
    held = schedule("ann", "ben")
    schedules.want_schedule(schedule_id=held.schedule_id, who="ben", is_wanted=False)
    with pytest.raises(NotFound):
        schedules.want_schedule(schedule_id=held.schedule_id, who="cem", is_wanted=False)
    staff["ann"].is_active = False
    staff["ann"].save()
    keep(MONDAY)
    with sending_to_sink(now=NOW) as sink:
        mailing.mail_due(now=MONDAY)
    assert sink.accepted == []
    assert only().last_result == "Mailed to 0. ann: does not work here any more."


@pytest.fixture
def client(staff):
    made = Client(SERVER_NAME="localhost")
    made.force_login(staff["ann"])
    return made


def test_a_schedule_is_made_looked_at_tried_paused_declined_and_deleted_on_screen(client):
    saved = view()
    keep()
    form = f"/reports/schedules/form/?view={saved.view_id}"
    assert b"No mail server is configured" in client.get(form).content
    told = {
        "view": saved.view_id,
        "every": "week",
        "weekday": "1",
        "at": "07:30",
        "zone": "Europe/Berlin",
        "to": ["ann", "ben"],
    }
    refused = client.post("/reports/schedules/save/", told, follow=True)
    assert b"set AMITY_SMTP_URL" in refused.content
    with sending_to_sink(now=NOW) as sink:
        assert b"ben@shop.example" in client.get(form).content
        for wrong in ({"at": "7"}, {"to": []}, {"every": "year"}, {"zone": "Moon"}):
            again = client.post("/reports/schedules/save/", told | wrong, follow=True)
            assert b"toast error" in again.content
        made = client.post("/reports/schedules/save/", told, follow=True).content.decode()
        assert "every Monday at 07:30 (Europe/Berlin)" in made
        held = only()
        here = f"/reports/schedules/{held.schedule_id}"
        assert b"Four of ten &lt;came&gt; again." in client.get(f"{here}/preview/").content
        assert sink.accepted == []
        assert b"on its way to ann@" in client.post(f"{here}/now/", follow=True).content
        assert [to for _, to, _ in sink.accepted] == ["ann@shop.example"]
        changed = told | {"schedule": held.schedule_id, "every": "month", "day": "3"}
        client.post("/reports/schedules/save/", changed)
        assert only().times.every == "month"
        assert (
            f'value="{held.schedule_id}"'
            in client.get(f"/reports/schedules/form/?schedule={held.schedule_id}").content.decode()
        )
        client.post(f"{here}/pause/", {"paused": "yes"})
        assert b"paused" in client.get("/reports/schedules/").content
        client.post(f"{here}/pause/", {"paused": "no"})
        client.post(f"{here}/choose/", {"wanted": "no"})
        assert only().declined == ("ann",)
        client.post(f"{here}/choose/", {"wanted": "yes"})
        assert only().declined == ()
        client.post(f"{here}/delete/")
        assert schedules.list_schedules(by="ann") == []
        assert client.get(f"{here}/preview/").status_code == 404


def test_an_admin_says_where_somebody_is_mailed(staff):
    from amity.web.staff.models import Staff

    admin = Staff.objects.create_user("eve", password="x" * 12, role="admin")
    client = Client(SERVER_NAME="localhost")
    client.force_login(admin)
    session = client.session
    session["confirmed_at"] = NOW.isoformat()
    session.save()
    here = f"/settings/people/{staff['cem'].pk}/address/"
    assert b"no mail address" in client.post(here, {"email": "cem@"}, follow=True).content
    told = client.post(here, {"email": "cem@shop.example"}, follow=True).content
    assert b"cem is mailed reports at cem@shop.example" in told
    client.post(here, {"email": ""})
    staff["cem"].refresh_from_db()
    assert staff["cem"].email == ""
