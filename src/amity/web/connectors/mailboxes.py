"""Mailboxes: added once they let us in, read, paused, forgotten."""

from datetime import UTC, datetime
from typing import Final, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from amity.kernel.errors import Invalid
from amity.store import api_fetching
from amity.store.contracts_hooks import MailboxPlan, MailSecurity
from amity.web.access import requires, staff_of
from amity.web.connectors.forms import Screen, read_number, read_source


@require_http_methods(["GET", "POST"])
@requires("pulls.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the mailboxes; add one."""
    return _SCREEN.show(request)


def _create(request: HttpRequest) -> None:
    given = request.POST
    plan = MailboxPlan(
        name=given.get("name", ""),
        host=given.get("host", ""),
        username=given.get("username", ""),
        port=read_number(request, "port", 993),
        security=cast("MailSecurity", given.get("security", "tls")),
        folder=given.get("folder", "").strip() or "INBOX",
        interval_seconds=read_number(request, "interval_seconds", 60),
    )
    api_fetching.create_mailbox(
        plan=plan,
        source_id=read_source(request),
        password=given.get("password", ""),
        by=staff_of(request).get_username(),
    )


@require_POST
@requires("pulls.write")
def change(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Try or read a mailbox now, pause or resume it, take another password, or forget it."""
    return _SCREEN.change(request, mailbox_id, _do)


def _do(request: HttpRequest, doing: str, mailbox_id: int) -> str:
    if doing == "test":
        count = api_fetching.try_mailbox(mailbox_id=mailbox_id)
        return f"The mailbox lets us in; it has had at most {count:,} messages."
    if doing == "run":
        before = api_fetching.get_mailbox(mailbox_id=mailbox_id).read
        done = api_fetching.run_mailbox(mailbox_id=mailbox_id, now=datetime.now(UTC))
        if done.failure:
            raise Invalid(done.failure)
        return f"Read {done.read - before:,} messages."
    if doing in ("pause", "resume"):
        api_fetching.switch_mailbox(mailbox_id=mailbox_id, is_enabled=doing == "resume")
        return "Paused; what comes meanwhile is read later." if doing == "pause" else "Resumed."
    if doing == "password":
        password = request.POST.get("password", "")
        api_fetching.change_mailbox_password(mailbox_id=mailbox_id, password=password)
        return "The mailbox let us in; it goes on from where it was."
    if doing == "delete":
        api_fetching.delete_mailbox(mailbox_id=mailbox_id)
        return "Forgot the mailbox and its password. What was read stays."
    raise Invalid("nothing is called that here")


_SCREEN: Final = Screen(
    name="mailboxes",
    added="The mailbox let us in; it is read within seconds.",
    create=_create,
    describe=lambda: {"mailboxes": api_fetching.list_mailboxes()},
)
