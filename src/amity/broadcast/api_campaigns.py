"""The broadcast engine's door for campaigns: planning, launching, stopping, what came of them."""

from datetime import datetime

from amity.analysis.contracts_metrics import MetricDefinition
from amity.broadcast.contracts import (
    Campaign,
    CampaignEstimate,
    CampaignPlan,
    CampaignReport,
    CampaignState,
    ObservedCampaign,
    SendCounts,
)
from amity.broadcast.logic import naming
from amity.broadcast.logic.campaigns import (
    measuring,
    measuring_metrics,
    observed,
    planning,
    targeting,
)
from amity.kernel.pagination import Page

naming.tell_names()


def create_campaign(*, plan: CampaignPlan, by: str, now: datetime) -> Campaign:
    """Add a campaign as a draft; nothing is drawn or sent before it is launched.

    Raises Invalid when the plan cannot be carried out: no such segment, template or placement, a
    template that is not for marketing, a share or a time out of bounds. Raises Conflict when the
    name is taken, in whatever case of letters.
    """
    return planning.create_campaign(plan=plan, by=by, now=now)


def update_campaign(*, campaign_id: int, plan: CampaignPlan, now: datetime) -> Campaign:
    """Change a campaign that has not begun; one that is scheduled stays so.

    Raises NotFound, Invalid as `create_campaign` does, Conflict when it has begun.
    """
    return planning.update_campaign(campaign_id=campaign_id, plan=plan, now=now)


def copy_campaign(*, campaign_id: int, name: str | None = None, by: str, now: datetime) -> Campaign:
    """Make a draft like another campaign, with a holdout drawn anew; raise NotFound, Invalid."""
    return planning.copy_campaign(campaign_id=campaign_id, name=name, by=by, now=now)


def archive_campaign(*, campaign_id: int, now: datetime) -> Campaign:
    """Put a draft, a finished or a stopped campaign away; its figures stay, its name is free."""
    return planning.archive_campaign(campaign_id=campaign_id, now=now)


def get_campaign(*, campaign_id: int) -> Campaign:
    """Return a campaign, archived or not; raise NotFound when there is none."""
    return planning.get_campaign(campaign_id=campaign_id)


def find_campaign(*, name: str) -> Campaign | None:
    """Return the campaign of that name, in any case of letters, that is not archived."""
    return planning.find_campaign(name=name)


def list_campaigns(
    *,
    search: str = "",
    state: CampaignState | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Campaign]:
    """Return campaigns, the latest made first, without the archived unless ``state`` asks."""
    return planning.list_campaigns(search=search, state=state, cursor=cursor, limit=limit)


def list_campaigns_measured_by(*, metrics: list[str]) -> list[str]:
    """Return the names of campaigns that are to move, or not to harm, any of some metrics."""
    return planning.list_measured_by(metrics)


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
    return planning.list_counts(campaign_ids=campaign_ids)


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
    return planning.launch_campaign(campaign_id=campaign_id, at=at, by=by, now=now)


def pause_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """Let nothing more leave until it is resumed; what is too late by then expires."""
    return planning.pause_campaign(campaign_id=campaign_id, by=by, now=now)


def resume_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """Go on with a paused campaign where it stood."""
    return planning.resume_campaign(campaign_id=campaign_id, by=by, now=now)


def stop_campaign(*, campaign_id: int, by: str, now: datetime) -> Campaign:
    """End a campaign for good: what has not left is cancelled, and nobody more is drawn.

    A message whose last byte is being handed over cannot be taken back. Raises Conflict when it
    is over or was never launched.
    """
    return planning.stop_campaign(campaign_id=campaign_id, by=by, now=now)


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


def run_campaigns(*, now: datetime) -> int:
    """Begin campaigns whose time has come, draw a slice of each, and close those that are done.

    Returns how much was done; whoever calls it again at once while that is not zero goes on
    where it stood. Two callers, or one that dies at any point, do no harm.
    """
    return targeting.run_campaigns(now=now)
