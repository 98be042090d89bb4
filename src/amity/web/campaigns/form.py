"""The form of a campaign: read as typed, kept as typed, made into a plan."""

from typing import Any, Final

import msgspec
from django.http import QueryDict

from amity.analysis import api as analysis
from amity.analysis import api_metrics as metrics
from amity.broadcast import api as broadcast
from amity.broadcast.contracts import Campaign, CampaignPlan
from amity.kernel.errors import Invalid
from amity.personalization import api as personalization

PURPOSES: Final = {"marketing.email": "Marketing by e-mail"}


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign's fields as text."""

    name: str = ""
    description: str = ""
    segment_id: str = ""
    template_id: str = ""
    purpose: str = "marketing.email"
    placement_key: str = ""
    holdout: str = "10"
    """Per cent."""
    goal_metric: str = ""
    guardrail_metrics: tuple[str, ...] = ()
    window_days: str = "7"
    expires_hours: str = "24"


def read_typed(fields: QueryDict) -> Typed:
    """Read what was typed; what is missing gets its usual value."""
    usual = Typed()
    names = [name for name in Typed.__struct_fields__ if name != "guardrail_metrics"]
    told = {name: fields.get(name, getattr(usual, name)).strip() for name in names}
    return Typed(**told, guardrail_metrics=tuple(fields.getlist("guardrail_metrics")))


def typed_of(campaign: Campaign) -> Typed:
    """Return a campaign as it would be typed."""
    return Typed(
        name=campaign.name,
        description=campaign.description,
        segment_id=str(campaign.segment_id),
        template_id=str(campaign.template_id),
        purpose=campaign.purpose,
        placement_key=campaign.placement_key,
        holdout=f"{campaign.holdout_rate * 100:g}",
        goal_metric=campaign.goal_metric,
        guardrail_metrics=tuple(campaign.guardrail_metrics),
        window_days=f"{campaign.window_days:g}",
        expires_hours=f"{campaign.expires_hours:g}",
    )


def plan_of(typed: Typed) -> CampaignPlan:
    """Return the plan that was typed; raise Invalid with the first thing that is wrong."""
    return CampaignPlan(
        name=typed.name,
        description=typed.description,
        segment_id=chosen(typed.segment_id, "choose a segment: whom the message is for"),
        template_id=chosen(typed.template_id, "choose a template: what the message says"),
        purpose=typed.purpose,
        placement_key=typed.placement_key,
        holdout_rate=number(typed.holdout, "the share held out") / 100,
        goal_metric=typed.goal_metric,
        guardrail_metrics=list(typed.guardrail_metrics),
        window_days=number(typed.window_days, "the window"),
        expires_hours=number(typed.expires_hours, "the time it may take"),
    )


def chosen(text: str, otherwise: str) -> int:
    """Return a chosen id; raise Invalid saying ``otherwise`` when nothing was chosen."""
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(otherwise)
    return int(text)


def number(text: str, what: str) -> float:
    """Return a typed number, with a comma or a point."""
    try:
        found = float(text.replace(",", ".").rstrip(" %"))
    except ValueError:
        raise Invalid(f"{what} is a number, not “{text[:40]}”") from None
    if not abs(found) < 1e9:  # also what is not a number
        raise Invalid(f"{what} is a number, not “{text[:40]}”")
    return found


def choices() -> dict[str, Any]:
    """Return what the form offers to choose from."""
    return {
        "segments": analysis.list_segments(),
        "templates": [
            template
            for template in broadcast.list_templates()
            if template.message_class == "marketing"
        ],
        "placements": personalization.list_placements(),
        "purposes": PURPOSES,
        "metrics": metrics.list_customer_metrics(),
    }
