"""The broadcast engine's door for templates, messages and sending, and for forgetting.

Campaigns, journeys and mail to staff have doors of their own beside it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Unpack
from uuid import UUID

from amity.broadcast.contracts import (
    Held,
    MailboxMessage,
    Message,
    Rendered,
    RunKind,
    SendingState,
    SendState,
    Starter,
    Template,
    TemplateFields,
)
from amity.broadcast.logic import following, naming, retention, warehousing
from amity.broadcast.logic.journeys import enrolling
from amity.broadcast.logic.mail import mailbox
from amity.broadcast.logic.sending import fence, ledger, messages, process, reasons, trials
from amity.broadcast.logic.templates import keeping, making, making_data, starters
from amity.infra.config import settings
from amity.infra.database import transaction
from amity.infra.warehouse import Export
from amity.kernel.pagination import Page
from amity.store.api_retention import Sweep
from amity.store.contracts import FoldResult

naming.tell_names()

# Templates


def create_template(
    *, name: str, by: str, now: datetime, **fields: Unpack[TemplateFields]
) -> Template:
    """Add a template: MJML or HTML with Liquid in it, compiled here, so that it can be sent.

    It needs a subject and a source, and is marketing unless something else is said. Without
    ``text`` the text part is made from the HTML. Marketing without an unsubscribe link or a postal
    address gets a footer with them; `warnings` says so, and what else to look at. Raises Invalid
    with the line and what is wrong there, Conflict when the name is taken.
    """
    return keeping.create_template(name=name, fields=fields, by=by, now=now)


def update_template(
    *,
    template_id: int,
    name: str | None = None,
    by: str,
    now: datetime,
    **fields: Unpack[TemplateFields],
) -> Template:
    """Change what is given. A changed message is a new content: what is under way stays as it was.

    ``text`` "" has the text part made from the HTML again. Raises NotFound, Invalid as
    `create_template` does, Conflict (the name is taken, the template is archived).
    """
    return keeping.update_template(template_id=template_id, name=name, fields=fields, now=now)


def archive_template(*, template_id: int, by: str, now: datetime) -> Template:
    """Put a template away: nothing new can use it. Its name is free again."""
    return keeping.archive_template(template_id=template_id, now=now)


def get_template(*, template_id: int) -> Template:
    """Return a template, archived or not; raises NotFound."""
    return keeping.get_template(template_id=template_id)


def list_templates(*, is_archived: bool = False) -> list[Template]:
    """Return the templates by name; with ``is_archived`` also those put away."""
    return keeping.list_templates(is_archived=is_archived)


def preview_template(
    *,
    profile_id: int | None,
    placement_key: str = "",
    now: datetime,
    **fields: Unpack[TemplateFields],
) -> Rendered:
    """Return what is being written as one customer would get it, or as a made-up one would.

    What is wrong is said in `problem`. Nothing is kept, nothing is logged, and its links do
    nothing. Raises NotFound when there is no such customer or placement.
    """
    return keeping.preview(
        fields=fields, profile_id=profile_id, placement_key=placement_key, now=now
    )


def render_content(*, content_id: int, profile_id: int, now: datetime) -> Rendered:
    """Return a content as one customer would get it now; raises NotFound."""
    return keeping.render(content_id=content_id, profile_id=profile_id, now=now)


def list_variables() -> dict[str, str]:
    """Return what templates can say, with what it means, for the editor."""
    return dict(making_data.VARIABLES)


def list_starters() -> list[Starter]:
    """Return templates to begin with."""
    return list(starters.list_starters())


def dkim_record() -> tuple[str, str]:
    """Return the name and the text of the DNS record by which receivers check our signatures.

    The key is made the first time.
    """
    return making.dkim_record(settings())


# Sending


def list_reasons() -> dict[str, str]:
    """Return what each reason for not sending means, in words, by its code."""
    return dict(reasons.REASONS)


def list_messages(  # one argument a thing to filter by
    *,
    run_kind: RunKind | None = None,
    run_id: int | None = None,
    profile_ids: list[int] | None = None,
    state: SendState | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Message]:
    """Return messages, the latest planned first.

    Ask with all profile ids a person ever had (`store.api.list_joined`).
    """
    return messages.list_messages(
        run_kind=run_kind,
        run_id=run_id,
        profile_ids=profile_ids,
        state=state,
        cursor=cursor,
        limit=limit,
    )


def get_message(*, send_id: UUID) -> Message:
    """Return one message; raise NotFound when there is none."""
    return messages.get_message(send_id=send_id)


def list_held(*, profile_ids: list[int], limit: int = 20) -> list[Held]:
    """Return what a customer did not get and why, the latest first; being held out too."""
    return messages.list_held(profile_ids=profile_ids, limit=limit)


def resolve_unknown(*, send_id: UUID, state: SendState, by: str, now: datetime) -> Message:
    """Say of a doubtful message that it arrived (`sent`) or did not (`failed`).

    It is not sent again either way. Raises NotFound, Invalid, Conflict when it is not in doubt.
    """
    return messages.resolve_unknown(send_id=send_id, state=state, by=by, now=now)


def queue_test(
    *,
    template_id: int,
    to: str,
    profile_id: int,
    placement_key: str = "",
    by: str,
    now: datetime,
) -> Message:
    """Send a template as it is now, filled in for a customer, to an address of the staff.

    The caller makes sure whose address it is. It passes the gate like every message: nothing goes
    to an address that bounced, and nothing while sending is stopped. Raises NotFound, Invalid.
    """
    return trials.queue_test(
        template_id=template_id,
        to=to,
        profile_id=profile_id,
        placement_key=placement_key,
        by=by,
        now=now,
    )


async def serve_mailbox(*, port: int) -> None:
    """Take messages on loopback into the local mailbox until cancelled."""
    await mailbox.serve(port)


def list_mailbox(
    *, search: str = "", cursor: str | None = None, limit: int = 50
) -> Page[MailboxMessage]:
    """Return what the local mailbox took, the latest first, by a part of receiver or subject."""
    return mailbox.list_mailbox(search=search, cursor=cursor, limit=limit)


def get_mailbox_message(*, mailbox_id: int) -> MailboxMessage:
    """Return a message of the local mailbox; raise NotFound when there is none."""
    return mailbox.get_message(mailbox_id=mailbox_id)


def find_mailbox_message(*, send_id: UUID) -> MailboxMessage | None:
    """Return what the local mailbox took of one send, or None."""
    return mailbox.find_message(send_id=send_id)


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Cancel what waits for erased customers, blank what was sent, and end their journeys.

    The rows of the ledger stay, without anything of the person, so that its sums hold. Returns how
    many rows by table.
    """
    # The journeys first: who is on no way any more gets no further message planned.
    ways = enrolling.forget_ways(profile_ids=profile_ids)
    return messages.forget_profiles(profile_ids=profile_ids) | {"broadcast_enrolment": ways}


def forget_addresses(*, addresses: list[str]) -> int:
    """Delete mail from the local mailbox that went to these addresses; return how much."""
    return messages.forget_addresses(addresses=addresses)


def warehouse_exports() -> list[Export]:
    """Return what the engine exports to the warehouse."""
    return warehousing.warehouse_exports()


def list_sweeps() -> list[Sweep]:
    """Return this engine's ways of forgetting, which rules of retention say the days for."""
    return retention.sweeps()


def run_sender(*, clock: Callable[[], datetime]) -> None:
    """Send what is due, as a process of its own, until SIGTERM or SIGINT.

    Any number of them may run: each message is sent by one of them, once, whichever of them is
    killed. ``clock`` dates messages and events; leases go by PostgreSQL's clock.
    """
    process.run_sender(clock=clock)


def send_due(*, clock: Callable[[], datetime]) -> int:
    """Send all that is due now and return how many messages were settled.

    Returns early when the mail server does not answer; what waits goes on waiting.
    """
    return process.send_due(clock=clock)


def arm_new_installation(*, now: datetime) -> bool:
    """Arm an installation that never sent anything, and no other; say whether it was one."""
    return fence.arm_new_installation(now=now)


def get_send_counts() -> dict[SendState, int]:
    """Return how many messages are in each state; what is in none is left out."""
    with transaction("readonly") as connection:
        return ledger.count_by_state(connection)


def sending_state(*, now: datetime) -> SendingState:
    """Return whether messages may leave from here, where they go, and what waits."""
    return fence.describe(now=now)


def arm_sending(*, by: str, now: datetime, keep_overdue: bool = False) -> SendingState:
    """Let messages leave from this installation, which is a copy until somebody says otherwise.

    What was planned before the copy was made expires unless ``keep_overdue``; what was on its way
    then becomes unknown. Arming what is armed changes nothing.
    """
    fence.arm(by=by, now=now, keep_overdue=keep_overdue)
    return fence.describe(now=now)


def stop_sending(*, by: str, now: datetime) -> SendingState:
    """Stop everything: when this returns, no further message goes on the wire."""
    fence.set_stopped(is_stopped=True, by=by, now=now)
    return fence.describe(now=now)


def resume_sending(*, by: str, now: datetime) -> SendingState:
    """Lift the stop; what waited leaves, unless it is too late by now."""
    fence.set_stopped(is_stopped=False, by=by, now=now)
    return fence.describe(now=now)


def follow_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the broadcast consumer: what customers do with messages and ask for.

    A click or an open shows that a doubtful message arrived; whoever asked for a new link to her
    preferences is written to.
    """
    return following.follow_batch(now=now, limit=limit)
