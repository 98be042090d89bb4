"""Mailboxes that are read: slice by slice in the order of the server's numbers, each slice
committed with how far it went, so that a reader who dies loses nothing and adds nothing twice."""

import logging
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import egress, queries
from amity.infra.crypto import decrypt, encrypt
from amity.infra.database import Connection, transaction
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound
from amity.store.contracts_doors import Door
from amity.store.contracts_hooks import Mailbox, MailboxPlan
from amity.store.dialect import dump
from amity.store.logic.intake.appending import SystemEvent, append_events, record_events
from amity.store.logic.intake.sources import get_source
from amity.store.logic.mail.fetching import WINDOW, Folder, open_folder
from amity.store.logic.mail.reading import (
    BOUNCE_RECEIVED,
    COMPLAINT_RECEIVED,
    Letter,
    Report,
    read_mail,
)

_SQL: Final = queries.load("amity.store")
_SLICE: Final = 50
_SLICES: Final = 20
DOOR: Final = Door(
    name="mailboxes",
    title="Mailboxes",
    description="What customers write, what bounced and who complained, read by IMAP.",
    needs="Host, user name and a password of the mailbox",
    steps=(
        "At the mail provider allow IMAP, and make a password for this alone where it offers one.",
        "Add the mailbox; it is signed in to at once, and read every minute from then on.",
        "Mail stays unread and where it is: nothing in the mailbox is changed.",
    ),
)
_log = logging.getLogger(__name__)


class _Position(msgspec.Struct, frozen=True):
    """How far a mailbox was read."""

    validity: int | None
    uid: int


class _Moved(Exception):
    """Another has read this slice in the meantime."""


def create_mailbox(*, plan: MailboxPlan, source_id: int, password: str, by: str) -> Mailbox:
    """Begin to read a mailbox, once it lets us in; what is in it already is read too.

    Raises Invalid, Denied, Retryable or Conflict.
    """
    clean = _check(plan)
    get_source(source_id=source_id)
    with open_folder(clean, password):
        pass
    given = msgspec.to_builtins(clean) | {"source_id": source_id, "by": by}
    with transaction() as connection:
        row = connection.execute(_SQL["mailbox_insert"], given).fetchone()
        if row is None:
            raise _taken(clean.name)
        _write_password(connection, row[0], password)
        return _get(connection, row[0])


def update_mailbox(*, mailbox_id: int, plan: MailboxPlan, password: str | None = None) -> Mailbox:
    """Change which mailbox is read and how, once it lets us in; a password of None stays.

    Another server, user or folder is read from its beginning; what is in already is not taken
    twice. Raises as `create_mailbox`.
    """
    clean = _check(plan)
    with open_folder(clean, _password(mailbox_id) if password is None else password):
        pass
    given = msgspec.to_builtins(clean) | {"id": mailbox_id}
    try:
        with transaction() as connection:
            if connection.execute(_SQL["mailbox_update"], given).fetchone() is None:
                raise _unknown(mailbox_id)
            if password is not None:
                _write_password(connection, mailbox_id, password)
            return _get(connection, mailbox_id)
    except psycopg.errors.UniqueViolation as error:
        raise _taken(clean.name) from error


def change_mailbox_password(*, mailbox_id: int, password: str) -> Mailbox:
    """Take another password, once it lets us in."""
    plan = get_mailbox(mailbox_id=mailbox_id).plan
    return update_mailbox(mailbox_id=mailbox_id, plan=plan, password=password)


def try_mailbox(*, mailbox_id: int) -> int:
    """Sign in to a mailbox and open its folder; return how many numbers were given out there.

    Nothing is read. Raises Invalid or Denied for what must be mended, or Retryable.
    """
    plan = get_mailbox(mailbox_id=mailbox_id).plan
    with open_folder(plan, _password(mailbox_id)) as folder:
        return folder.next_uid - 1


def switch_mailbox(*, mailbox_id: int, is_enabled: bool) -> Mailbox:
    """Read a mailbox, or not; what comes meanwhile is read later."""
    with transaction() as connection:
        if connection.execute(_SQL["mailbox_switch"], [is_enabled, mailbox_id]).fetchone() is None:
            raise _unknown(mailbox_id)
        return _get(connection, mailbox_id)


def delete_mailbox(*, mailbox_id: int) -> None:
    """Forget a mailbox and its password; what was read stays."""
    with transaction() as connection:
        if connection.execute(_SQL["mailbox_delete"], [mailbox_id]).fetchone() is None:
            raise _unknown(mailbox_id)


def get_mailbox(*, mailbox_id: int) -> Mailbox:
    """Return one; raise NotFound when there is none."""
    with transaction() as connection:
        return _get(connection, mailbox_id)


def list_mailboxes() -> list[Mailbox]:
    """Return all, by name."""
    with transaction() as connection:
        return [_mailbox(row) for row in connection.execute(_SQL["mailbox_read"], {"id": None})]


def run_mailboxes(*, now: datetime) -> int:
    """Read what is new in the mailboxes that are due; return how many messages were read."""
    with transaction() as connection:
        due = [row[0] for row in connection.execute(_SQL["mailbox_due"])]
    return sum(_run(mailbox_id, now=now, at_once=False) for mailbox_id in due)


def run_mailbox(*, mailbox_id: int, now: datetime) -> Mailbox:
    """Read what is new in a mailbox at once; what went wrong is in its record."""
    get_mailbox(mailbox_id=mailbox_id)
    _run(mailbox_id, now=now, at_once=True)
    return get_mailbox(mailbox_id=mailbox_id)


def _run(mailbox_id: int, *, now: datetime, at_once: bool) -> int:
    with transaction() as connection:
        given = {"id": mailbox_id, "at_once": at_once}
        row = connection.execute(_SQL["mailbox_claim"], given).fetchone()
        if row is None:
            return 0
        mailbox = _get(connection, mailbox_id)
    before = mailbox.read
    try:
        password = decrypt(bytes(row[0]), about=_place(mailbox_id))
        with open_folder(mailbox.plan, password) as folder:
            more = _read_folder(mailbox, folder, _Position(row[1], row[2]), now)
        _note("mailbox_done", {"id": mailbox_id, "more": more})
    except _Moved:
        _log.info("mailbox %d was read by another", mailbox_id)
    except AmityError as error:
        _note("mailbox_failed", {"id": mailbox_id, "reason": error.message[:400]})
    return get_mailbox(mailbox_id=mailbox_id).read - before


def _note(name: str, given: dict[str, Any]) -> None:
    with transaction() as connection:
        connection.execute(_SQL[name], given)


def _read_folder(mailbox: Mailbox, folder: Folder, position: _Position, now: datetime) -> bool:
    """Read slices until there is nothing more or it is others' turn; say whether there is more."""
    start = position.uid if position.validity == folder.validity else 0
    for _ in range(_SLICES):
        if start + 1 >= folder.next_uid:
            return False
        last = min(start + WINDOW, folder.next_uid - 1)
        uids = folder.list_uids(start + 1, last)[:_SLICE]
        end = uids[-1] if len(uids) == _SLICE else last
        found = [read_mail(folder.fetch(uid), own=mailbox.plan.username) for uid in uids]
        reached = _Position(folder.validity, end)
        _commit(mailbox, found, (position, reached), now)
        position, start = reached, end
    return True


def _commit(
    mailbox: Mailbox,
    found: list[Letter | Report | None],
    way: tuple[_Position, _Position],
    now: datetime,
) -> None:
    was, to = way
    with transaction() as connection:
        letters = [dump(each.event) for each in found if isinstance(each, Letter)]
        stored = 0
        if letters:
            receipt = append_events(
                source_id=mailbox.source_id, events=letters, connection=connection, now=now
            )
            stored = receipt.accepted
        reports = [each for each in found if isinstance(each, Report)]
        known = _record_reports(connection, mailbox, reports, now)
        given = {
            "id": mailbox.mailbox_id,
            "validity": to.validity,
            "to": to.uid,
            "was_validity": was.validity,
            "was": was.uid,
            "read": len(found),
            "stored": stored + known,
            "left_out": len(found) - len(letters) - known,
        }
        if connection.execute(_SQL["mailbox_advance"], given).fetchone() is None:
            raise _Moved


def _record_reports(
    connection: Connection, mailbox: Mailbox, reports: list[Report], now: datetime
) -> int:
    """Record what is reported about customers who are known; return how many reports were."""
    events = []
    for report in reports:
        owner = connection.execute(_SQL["mail_owner"], [report.email]).fetchone()
        if owner is not None:
            events.append(_event(mailbox, report, owner[0]))
    if events:
        record_events(connection=connection, events=events, now=now)
    return len(events)


def _event(mailbox: Mailbox, report: Report, profile_id: int) -> SystemEvent:
    is_bounce = report.kind == "bounce"
    said = {
        "send_id": str(report.send_id),
        "action": report.action,
        "code": report.code,
        "diagnostic": report.diagnostic,
        "mailbox": mailbox.plan.name,
    }
    return SystemEvent(
        profile_id=profile_id,
        name=BOUNCE_RECEIVED if is_bounce else COMPLAINT_RECEIVED,
        properties={name: value for name, value in said.items() if value},
        message_id=f"mail-{report.kind}:{report.send_id}:{report.action}:{report.code}",
    )


def _check(plan: MailboxPlan) -> MailboxPlan:
    name, host = " ".join(plan.name.split()), plan.host.strip()
    if not 0 < len(name) <= 100:
        raise Invalid("a name has 1 to 100 characters", code="bad_mailbox")
    if not plan.username.strip() or not plan.username.isprintable() or len(plan.username) > 255:
        raise Invalid("write the user name of the mailbox", code="bad_mailbox")
    if plan.security not in ("tls", "starttls", "none"):
        raise Invalid("the connection is by tls, starttls or none", code="bad_mailbox")
    if not plan.folder.isprintable() or not plan.folder.isascii() or not plan.folder.strip():
        raise Invalid("write the folder's name in ASCII, as INBOX", code="bad_mailbox")
    if not 10 <= plan.interval_seconds <= 86_400:
        raise Invalid("a mailbox is read every 10 seconds to once a day", code="bad_mailbox")
    egress.check_host(host, plan.port)
    return msgspec.structs.replace(plan, name=name, host=host, username=plan.username.strip())


def _write_password(connection: Connection, mailbox_id: int, password: str) -> None:
    sealed = encrypt(password, about=_place(mailbox_id))
    if connection.execute(_SQL["mailbox_set_password"], [sealed, mailbox_id]).fetchone() is None:
        raise _unknown(mailbox_id)


def _password(mailbox_id: int) -> str:
    with transaction() as connection:
        row = connection.execute(_SQL["mailbox_password"], [mailbox_id]).fetchone()
    if row is None:
        raise _unknown(mailbox_id)
    return decrypt(bytes(row[0]), about=_place(mailbox_id))


def _taken(name: str) -> Conflict:
    return Conflict(f"a mailbox named {name!r} is read already", code="mailbox_exists")


def _place(mailbox_id: int) -> str:
    return f"mailbox.{mailbox_id}"


def _get(connection: Connection, mailbox_id: int) -> Mailbox:
    row = connection.execute(_SQL["mailbox_read"], {"id": mailbox_id}).fetchone()
    if row is None:
        raise _unknown(mailbox_id)
    return _mailbox(row)


def _mailbox(row: tuple[Any, ...]) -> Mailbox:
    plan = MailboxPlan(
        name=row[2],
        host=row[3],
        username=row[4],
        port=row[5],
        security=row[6],
        folder=row[7],
        interval_seconds=row[8],
    )
    rest = dict(zip(Mailbox.__struct_fields__[3:], row[9:], strict=True))
    return Mailbox(mailbox_id=row[0], source_id=row[1], plan=plan, **rest)


def _unknown(mailbox_id: int) -> NotFound:
    return NotFound(f"there is no mailbox {mailbox_id}")
