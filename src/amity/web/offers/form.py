"""The forms of an offer and of a placement: read as typed, kept as typed, made into changes."""

from datetime import datetime
from typing import Any, Final, cast

import msgspec
from django.http import QueryDict
from django.utils import timezone

from amity.kernel.errors import Invalid
from amity.personalization.contracts import (
    Offer,
    OfferChanges,
    Placement,
    PlacementChanges,
)

AUDIENCES: Final = {
    "all": "Everybody",
    "segment": "The members of a segment",
    "rule": "Whoever passes a rule",
}


class TypedOffer(msgspec.Struct, frozen=True, kw_only=True):
    """An offer's fields as text."""

    key: str = ""
    name: str = ""
    headline: str = ""
    body: str = ""
    image_url: str = ""
    action_label: str = ""
    action_url: str = ""
    placement_ids: list[str] = []
    audience: str = "all"
    segment_id: str = ""
    rule: str = ""
    purpose: str = ""
    cap_count: str = ""
    cap_days: str = ""
    budget_count: str = ""
    starts_at: str = ""
    ends_at: str = ""


def read_offer(fields: QueryDict) -> TypedOffer:
    """Read what was typed."""
    texts = {
        name: fields.get(name, getattr(TypedOffer(), name)).strip()
        for name in TypedOffer.__struct_fields__
        if name != "placement_ids"
    }
    return TypedOffer(**texts, placement_ids=fields.getlist("placement_ids"))


def typed_offer(offer: Offer) -> TypedOffer:
    """Return an offer as it would be typed."""
    rule = offer.rule
    is_segment = rule is not None and rule.get("node") == "in_segment"
    return TypedOffer(
        key=offer.key,
        name=offer.name,
        headline=offer.headline,
        body=offer.body,
        image_url=offer.image_url,
        action_label=offer.action_label,
        action_url=offer.action_url,
        placement_ids=[str(one) for one in offer.placement_ids],
        audience="all" if rule is None else "segment" if is_segment else "rule",
        segment_id=str(rule["segment_id"]) if rule is not None and is_segment else "",
        rule=""
        if rule is None or is_segment
        else msgspec.json.format(msgspec.json.encode(rule)).decode(),
        purpose=offer.purpose,
        cap_count="" if offer.cap_count is None else str(offer.cap_count),
        cap_days="" if offer.cap_days is None else f"{offer.cap_days:g}",
        budget_count="" if offer.budget_count is None else str(offer.budget_count),
        starts_at=_local(offer.starts_at),
        ends_at=_local(offer.ends_at),
    )


def offer_changes(typed: TypedOffer) -> OfferChanges:
    """Return what was typed as changes; raise Invalid with the first thing that is wrong."""
    return OfferChanges(
        name=typed.name,
        headline=typed.headline,
        body=typed.body,
        image_url=typed.image_url,
        action_label=typed.action_label,
        action_url=typed.action_url,
        placement_ids=[int(one) for one in typed.placement_ids if one.isdecimal()],
        rule=_rule(typed),
        purpose=typed.purpose,
        cap_count=_whole(typed.cap_count, "how often one customer sees it"),
        cap_days=_number(typed.cap_days, "the days the cap looks back"),
        budget_count=_whole(typed.budget_count, "the budget"),
        starts_at=_moment(typed.starts_at, "the beginning"),
        ends_at=_moment(typed.ends_at, "the end"),
    )


def _rule(typed: TypedOffer) -> dict[str, Any] | None:
    if typed.audience == "segment":
        if not typed.segment_id.isdecimal():
            raise Invalid("choose the segment whose members may see it")
        return {"node": "in_segment", "segment_id": int(typed.segment_id)}
    if typed.audience == "rule":
        try:
            found = msgspec.json.decode(typed.rule.encode())
        except msgspec.DecodeError as error:
            raise Invalid(f"the rule is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise Invalid("a rule is a JSON object")
        return cast("dict[str, Any]", found)
    return None


def _whole(text: str, what: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise Invalid(f"{what} is a whole number, not “{text[:40]}”")
    return int(text)


def _number(text: str, what: str) -> float | None:
    if not text:
        return None
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        found = -1.0
    if not 0 < found < 1e6:
        raise Invalid(f"{what} is a number above 0, not “{text[:40]}”")
    return found


def _moment(text: str, what: str) -> datetime | None:
    """Read a moment in the reader's own zone."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=timezone.get_current_timezone())
    except ValueError as error:
        raise Invalid(f"{what} is a date and a time, not “{text[:40]}”") from error


def _local(moment: datetime | None) -> str:
    return "" if moment is None else timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


_METRIC: Final = "metric:"


class TypedPlacement(msgspec.Struct, frozen=True, kw_only=True):
    """A placement's fields as text."""

    key: str = ""
    name: str = ""
    description: str = ""
    kind: str = "offers"
    slots: str = "1"
    policy: str = ""
    goal: str = "click"
    is_enabled: str = ""


def read_placement(fields: QueryDict) -> TypedPlacement:
    """Read what was typed."""
    usual = TypedPlacement()
    names = TypedPlacement.__struct_fields__
    return TypedPlacement(
        **{name: fields.get(name, getattr(usual, name)).strip() for name in names}
    )


def typed_placement(placement: Placement) -> TypedPlacement:
    """Return a placement as it would be typed."""
    return TypedPlacement(
        key=placement.key,
        name=placement.name,
        description=placement.description,
        kind=placement.kind,
        slots=str(placement.slots),
        policy=placement.policy,
        goal=f"{_METRIC}{placement.goal_metric}" if placement.goal_metric else placement.goal,
        is_enabled="yes" if placement.is_enabled else "",
    )


def placement_changes(typed: TypedPlacement, *, has_switch: bool) -> PlacementChanges:
    """Return what was typed as changes; raise Invalid with the first thing that is wrong."""
    changes = PlacementChanges(
        name=typed.name,
        description=typed.description,
        slots=_whole(typed.slots, "the number of slots") or 1,
        goal="order" if typed.goal == "order" else "click",
        goal_metric="",
    )
    if typed.goal.startswith(_METRIC):
        changes["goal"], changes["goal_metric"] = "metric", typed.goal.removeprefix(_METRIC)
    if typed.policy:
        changes["policy"] = typed.policy
    if has_switch:
        changes["is_enabled"] = typed.is_enabled == "yes"
    return changes
