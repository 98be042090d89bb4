"""Campaigns: planned messages to the members of a segment, measured against a holdout."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.broadcast import api_campaigns
from amity.broadcast.contracts import (
    Campaign,
    CampaignEstimate,
    CampaignPlan,
    CampaignReport,
    CampaignState,
    ObservedCampaign,
)
from amity.kernel.pagination import Page
from amity.web.api.given import given
from amity.web.api.routing import Call, Cursor, Limit, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(max_length=2000)]
Purpose = Annotated[str, Meta(min_length=1, max_length=100)]
Rate = Annotated[float, Meta(ge=0, le=0.5, description="The share held out to measure against.")]
Days = Annotated[float, Meta(gt=0, le=365)]
Hours = Annotated[float, Meta(gt=0, le=24 * 365)]
Key = Annotated[str, Meta(max_length=100)]
Metric = Annotated[str, Meta(max_length=60)]


class NewCampaign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign to make, as a draft."""

    name: Name
    segment_id: SmallRowId
    template_id: SmallRowId
    description: Text = ""
    purpose: Purpose = "marketing.email"
    placement_key: Key = ""
    holdout_rate: Rate = 0.1
    goal_event: Purpose = "Order Completed"
    goal_metric: Metric = ""
    guardrail_metrics: Annotated[list[Metric], Meta(max_length=10)] = []
    window_days: Days = 7
    expires_hours: Hours = 24


class CampaignChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a campaign that has not begun; what is absent stays."""

    name: Name | UnsetType = UNSET
    segment_id: SmallRowId | UnsetType = UNSET
    template_id: SmallRowId | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    purpose: Purpose | UnsetType = UNSET
    placement_key: Key | UnsetType = UNSET
    holdout_rate: Rate | UnsetType = UNSET
    goal_event: Purpose | UnsetType = UNSET
    goal_metric: Metric | UnsetType = UNSET
    guardrail_metrics: Annotated[list[Metric], Meta(max_length=10)] | UnsetType = UNSET
    window_days: Days | UnsetType = UNSET
    expires_hours: Hours | UnsetType = UNSET


class Launch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a campaign is to begin; at once without a time."""

    at: Annotated[datetime, Meta(tz=True)] | None = None


class EstimateWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A segment to count whom a campaign to it would reach."""

    segment_id: SmallRowId
    purpose: Purpose = "marketing.email"
    holdout_rate: Rate = 0.1


class CampaignsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which campaigns."""

    search: Annotated[str, Meta(max_length=200)] = ""
    state: CampaignState | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


@route("GET", "/campaigns", scope="campaigns:read")
def list_campaigns(query: CampaignsQuery) -> Page[Campaign]:
    """List campaigns, the latest made first."""
    return api_campaigns.list_campaigns(
        search=query.search, state=query.state, cursor=query.cursor, limit=query.limit
    )


@route(
    "POST",
    "/campaigns",
    scope="campaigns:write",
    status=201,
    location="/campaigns/{it.campaign_id}",
)
def create_campaign(body: NewCampaign, call: Call) -> Campaign:
    """Make a campaign as a draft; nothing is sent before it is launched."""
    return api_campaigns.create_campaign(
        plan=CampaignPlan(**given(body)), by=call.caller, now=call.now
    )


@route("POST", "/campaigns/estimate", scope="campaigns:read")
def estimate_campaign(body: EstimateWish, call: Call) -> CampaignEstimate:
    """Count whom a campaign would reach if it began now, and why the others not."""
    return api_campaigns.estimate_campaign(
        segment_id=body.segment_id,
        purpose=body.purpose,
        holdout_rate=body.holdout_rate,
        now=call.now,
    )


@route("GET", "/campaigns/observed", scope="campaigns:read")
def list_observed_campaigns() -> Page[ObservedCampaign]:
    """List campaigns run elsewhere and known from events; of what they caused nothing is said."""
    return Page(api_campaigns.list_observed_campaigns())


@route("GET", "/campaigns/{campaign_id}", scope="campaigns:read")
def get_campaign(campaign_id: SmallRowId) -> Campaign:
    """Get a campaign."""
    return api_campaigns.get_campaign(campaign_id=campaign_id)


@route("PATCH", "/campaigns/{campaign_id}", scope="campaigns:write")
def update_campaign(campaign_id: SmallRowId, body: CampaignChange, call: Call) -> Campaign:
    """Change a campaign that has not begun."""
    held = api_campaigns.get_campaign(campaign_id=campaign_id)
    plan = {name: getattr(held, name) for name in CampaignPlan.__struct_fields__}
    return api_campaigns.update_campaign(
        campaign_id=campaign_id, plan=CampaignPlan(**plan | given(body)), now=call.now
    )


@route("DELETE", "/campaigns/{campaign_id}", scope="campaigns:write")
def archive_campaign(campaign_id: SmallRowId, call: Call) -> None:
    """Put a draft, a finished or a stopped campaign away; its figures stay."""
    api_campaigns.archive_campaign(campaign_id=campaign_id, now=call.now)


@route("POST", "/campaigns/{campaign_id}/launch", scope="campaigns:launch")
def launch_campaign(campaign_id: SmallRowId, body: Launch, call: Call) -> Campaign:
    """Have a campaign begin at once or later; again, to change the time."""
    return api_campaigns.launch_campaign(
        campaign_id=campaign_id, at=body.at, by=call.caller, now=call.now
    )


@route("POST", "/campaigns/{campaign_id}/pause", scope="campaigns:launch")
def pause_campaign(campaign_id: SmallRowId, call: Call) -> Campaign:
    """Let nothing more leave until it is resumed."""
    return api_campaigns.pause_campaign(campaign_id=campaign_id, by=call.caller, now=call.now)


@route("POST", "/campaigns/{campaign_id}/resume", scope="campaigns:launch")
def resume_campaign(campaign_id: SmallRowId, call: Call) -> Campaign:
    """Go on with a paused campaign where it stood."""
    return api_campaigns.resume_campaign(campaign_id=campaign_id, by=call.caller, now=call.now)


@route("POST", "/campaigns/{campaign_id}/stop", scope="campaigns:launch")
def stop_campaign(campaign_id: SmallRowId, call: Call) -> Campaign:
    """End a campaign for good: what has not left is cancelled."""
    return api_campaigns.stop_campaign(campaign_id=campaign_id, by=call.caller, now=call.now)


@route("GET", "/campaigns/{campaign_id}/report", scope="campaigns:read")
def report_campaign(campaign_id: SmallRowId, call: Call) -> CampaignReport:
    """Get a campaign in numbers: what left, what came of it, what it caused."""
    return api_campaigns.report_campaign(campaign_id=campaign_id, now=call.now)
