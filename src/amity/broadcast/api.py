"""The broadcast engine's door: keyword-only functions, contracts in and out."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from amity.analysis.contracts_metrics import MetricDefinition
from amity.broadcast.contracts import (
    Campaign,
    CampaignEstimate,
    CampaignPlan,
    CampaignReport,
    CampaignState,
    Enrolment,
    Held,
    Journey,
    JourneyReport,
    JourneyState,
    MailboxMessage,
    Message,
    NodeWords,
    ObservedCampaign,
    Rendered,
    RunKind,
    SendCounts,
    SendingState,
    SendState,
    Starter,
    Template,
    TemplateFields,
)
from amity.broadcast.logic import (
    campaigns,
    enrolling,
    fence,
    following,
    journeys,
    journeys_report,
    ledger,
    mailbox,
    making,
    making_data,
    measuring,
    measuring_metrics,
    messages,
    naming,
    observed,
    reasons,
    retention,
    sending_process,
    targeting,
    template_starters,
    templates,
    trials,
    warehousing,
)
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
    return templates.create_template(name=name, fields=fields, by=by, now=now)


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
    return templates.update_template(template_id=template_id, name=name, fields=fields, now=now)


def archive_template(*, template_id: int, by: str, now: datetime) -> Template:
    """Put a template away: nothing new can use it. Its name is free again."""
    return templates.archive_template(template_id=template_id, now=now)


def get_template(*, template_id: int) -> Template:
    """Return a template, archived or not; raises NotFound."""
    return templates.get_template(template_id=template_id)


def list_templates(*, is_archived: bool = False) -> list[Template]:
    """Return the templates by name; with ``is_archived`` also those put away."""
    return templates.list_templates(is_archived=is_archived)


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
    return templates.preview(
        fields=fields, profile_id=profile_id, placement_key=placement_key, now=now
    )


def render_content(*, content_id: int, profile_id: int, now: datetime) -> Rendered:
    """Return a content as one customer would get it now; raises NotFound."""
    return templates.render(content_id=content_id, profile_id=profile_id, now=now)


def list_variables() -> dict[str, str]:
    """Return what templates can say, with what it means, for the editor."""
    return dict(making_data.VARIABLES)


def list_starters() -> list[Starter]:
    """Return templates to begin with."""
    return list(template_starters.list_starters())


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
    sending_process.run_sender(clock=clock)


def send_due(*, clock: Callable[[], datetime]) -> int:
    """Send all that is due now and return how many messages were settled.

    Returns early when the mail server does not answer; what waits goes on waiting.
    """
    return sending_process.send_due(clock=clock)


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


# Campaigns


def create_campaign(*, plan: CampaignPlan, by: str, now: datetime) -> Campaign:
    """Add a campaign as a draft; nothing is drawn or sent before it is launched.

    Raises Invalid when the plan cannot be carried out: no such segment, template or placement, a
    template that is not for marketing, a share or a time out of bounds. Raises Conflict when the
    name is taken, in whatever case of letters.
    """
    return campaigns.create_campaign(plan=plan, by=by, now=now)


def update_campaign(*, campaign_id: int, plan: CampaignPlan, now: datetime) -> Campaign:
    """Change a campaign that has not begun; one that is scheduled stays so.

    Raises NotFound, Invalid as `create_campaign` does, Conflict when it has begun.
    """
    return campaigns.update_campaign(campaign_id=campaign_id, plan=plan, now=now)


def copy_campaign(*, campaign_id: int, name: str | None = None, by: str, now: datetime) -> Campaign:
    """Make a draft like another campaign, with a holdout drawn anew; raise NotFound, Invalid."""
    return campaigns.copy_campaign(campaign_id=campaign_id, name=name, by=by, now=now)


def archive_campaign(*, campaign_id: int, now: datetime) -> Campaign:
    """Put a draft, a finished or a stopped campaign away; its figures stay, its name is free."""
    return campaigns.archive_campaign(campaign_id=campaign_id, now=now)


def get_campaign(*, campaign_id: int) -> Campaign:
    """Return a campaign, archived or not; raise NotFound when there is none."""
    return campaigns.get_campaign(campaign_id=campaign_id)


def find_campaign(*, name: str) -> Campaign | None:
    """Return the campaign of that name, in any case of letters, that is not archived."""
    return campaigns.find_campaign(name=name)


def list_campaigns(
    *,
    search: str = "",
    state: CampaignState | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Campaign]:
    """Return campaigns, the latest made first, without the archived unless ``state`` asks."""
    return campaigns.list_campaigns(search=search, state=state, cursor=cursor, limit=limit)


def list_campaigns_measured_by(*, metrics: list[str]) -> list[str]:
    """Return the names of campaigns that are to move, or not to harm, any of some metrics."""
    return campaigns.list_measured_by(metrics)


def try_metric_definition(
    *, name: str, definition: MetricDefinition
) -> list[tuple[str, float | None, float | None]]:
    """Return what a metric is in the campaigns measured by it, now and by another definition.

    Its mean for each customer drawn to get the message, of the ten latest campaigns; None where
    nobody was drawn yet, or it would be no number of each customer. Money is in minor units.
    """
    return measuring_metrics.try_definition(name=name, definition=definition)


def list_campaign_counts(*, campaign_ids: list[int]) -> dict[int, SendCounts]:
    """Return what became of the messages of campaigns, cheaply: for lists and live progress."""
    return campaigns.list_counts(campaign_ids=campaign_ids)


def estimate_campaign(
    *, segment_id: int, purpose: str = "marketing.email", holdout_rate: float = 0.1, now: datetime
) -> CampaignEstimate:
    """Count whom a campaign would reach if it began now; seconds at a hundred thousand members."""
    return targeting.estimate_campaign(
        segment_id=segment_id, purpose=purpose, holdout_rate=holdout_rate, now=now
    )


def launch_campaign(
    *, campaign_id: int, at: datetime | None = None, by: str, now: datetime
) -> Campaign:
    """Have a campaign begin at once, or ``at`` a later time; again, to change the time.

    What it says is fixed from now on, even when the template changes; whom it is for are those
    in its segment when it begins. Raises Invalid for a time in the past and, when it is to begin
    at once, for a segment with nobody who can be reached; Conflict when it has begun already.
    """
    return campaigns.launch_campaign(campaign_id=campaign_id, at=at, by=by, now=now)


def pause_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """Let nothing more leave until it is resumed; what is too late by then expires."""
    return campaigns.pause_campaign(campaign_id=campaign_id, by=by, now=now)


def resume_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """Go on with a paused campaign where it stood."""
    return campaigns.resume_campaign(campaign_id=campaign_id, by=by, now=now)


def stop_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """End a campaign for good: what has not left is cancelled, and nobody more is drawn.

    A message whose last byte is being handed over cannot be taken back. Raises Conflict when it
    is over or was never launched.
    """
    return campaigns.stop_campaign(campaign_id=campaign_id, by=by, now=now)


def report_campaign(*, campaign_id: int, now: datetime) -> CampaignReport:
    """Return a campaign in numbers, all of one moment: what left, what came of it, what it caused.

    `docs/algorithms/lift.md` says what is estimated and when no claim is made. Raises NotFound.
    """
    return measuring.report_campaign(campaign_id=campaign_id, now=now)


def list_observed_campaigns() -> list[ObservedCampaign]:
    """Return campaigns that were run elsewhere and are known from events, the latest first.

    They come as `Campaign Received` and `Coupon Applied` with a `campaign_id`.
    """
    return observed.list_observed_campaigns()


def follow_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the broadcast consumer: what customers do with messages and ask for.

    A click or an open shows that a doubtful message arrived; whoever asked for a new link to her
    preferences is written to.
    """
    return following.follow_batch(now=now, limit=limit)


def run_campaigns(*, now: datetime) -> int:
    """Begin campaigns whose time has come, draw a slice of each, and close those that are done.

    Returns how much was done; whoever calls it again at once while that is not zero goes on
    where it stood. Two callers, or one that dies at any point, do no harm.
    """
    return targeting.run_campaigns(now=now)


# Journeys


def create_journey(
    *, name: str, description: str = "", definition: dict[str, Any], by: str, now: datetime
) -> Journey:
    """Add a journey as a draft, whatever is still wrong with its drawing: see its `problems`.

    Raises Invalid when the definition is no JSON object, Conflict when the name is taken, in
    whatever case of letters.
    """
    return journeys.create_journey(
        name=name, description=description, definition=definition, by=by, now=now
    )


def update_journey(  # one argument a thing that can be changed
    *,
    journey_id: int,
    name: str | None = None,
    description: str | None = None,
    definition: dict[str, Any] | None = None,
    by: str,
    now: datetime,
) -> Journey:
    """Change what is given; a changed definition makes a new version.

    Whoever is under way stays on the version they began with. Raises NotFound, Conflict (the name
    is taken, the journey is archived) and, unless it is a draft, Invalid with all problems.
    """
    return journeys.update_journey(
        journey_id=journey_id,
        name=name,
        description=description,
        definition=definition,
        by=by,
        now=now,
    )


def set_journey_state(*, journey_id: int, state: JourneyState, by: str, now: datetime) -> Journey:
    """Put a journey live, pause it, or archive it for good.

    While it is paused nobody begins and timers wait; an exit still ends somebody's way. Archiving
    ends everybody's way and cancels what is queued. Raises NotFound, Conflict when the state
    cannot be reached, Invalid with all problems when it cannot go live.
    """
    return journeys.set_journey_state(journey_id=journey_id, state=state, by=by, now=now)


def get_journey(*, journey_id: int) -> Journey:
    """Return a journey, archived or not; raise NotFound when there is none."""
    return journeys.get_journey(journey_id=journey_id)


def find_journey(*, name: str) -> Journey | None:
    """Return the journey of that name, in any case of letters, that is not archived."""
    return journeys.find_journey(name=name)


def list_journeys(*, is_archived: bool | None = False) -> list[Journey]:
    """Return the journeys by name; with True those archived, with None all."""
    return journeys.list_journeys(is_archived=is_archived)


def check_journey(*, definition: dict[str, Any]) -> tuple[str, list[str]]:
    """Return a definition in words, and all that keeps it from going live; nothing is kept."""
    return journeys.check_definition(definition=definition)


def report_journey(*, journey_id: int) -> JourneyReport:
    """Return how many are at each node now, came to it, and left by which edge.

    Who left a node by no edge, but by an ending (`exit`, `merged`, `archived`, `gone`, `failed`),
    is counted under its name. Versions are added up. Raises NotFound.
    """
    return journeys_report.report_journey(journey_id=journey_id)


def list_enrolments(
    *,
    journey_id: int | None = None,
    profile_ids: list[int] | None = None,
    node: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Enrolment]:
    """Return people's ways through journeys, the latest to begin first; with a node who is there.

    Ask with all profile ids a person ever had (`store.api.list_joined`).
    """
    return journeys.list_enrolments(
        journey_id=journey_id, profile_ids=profile_ids, node=node, cursor=cursor, limit=limit
    )


def list_node_kinds() -> list[NodeWords]:
    """Return the kinds of nodes a journey can be drawn with, by name."""
    return journeys.list_node_kinds()


def abandoned_cart(*, template_id: int) -> dict[str, Any]:
    """Return a ready definition: a product in the cart, an hour, no order: a reminder."""
    return journeys.abandoned_cart(template_id=template_id)


def step_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the journeys consumer: entries, exits, and steps that have come due.

    `events` is how much was done; zero means there was nothing to do, or another process has
    the turn.
    """
    return enrolling.step_batch(now=now, limit=limit)
