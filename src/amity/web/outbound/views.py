"""The list of webhooks, one webhook with what it was told, and what staff may change about it."""

from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.analysis import api as analysis
from amity.kernel.errors import Conflict, Denied, Invalid, Unavailable
from amity.store import api as store
from amity.store import api_outbound
from amity.store.contracts_outbound import (
    EVERY_EVENT,
    DeliveryState,
    MadeEndpoint,
    OutboundEndpoint,
    OutboundFormat,
    OutboundPlan,
    OutboundState,
)
from amity.web.access import may, requires, staff_of
from amity.web.errors import sentence

FORMATS: Final = {
    "standard_webhooks": "Standard Webhooks",
    "cloudevents_structured": "CloudEvents, structured",
    "cloudevents_binary": "CloudEvents, binary",
}
_STATES: Final = {
    "": "All",
    "waiting": "Waiting",
    "delivered": "Delivered",
    "failed": "Given up",
    "withheld": "Withheld",
}
_BLANK: Final = OutboundPlan(name="", url="https://", events=[], purpose="sharing")


class Chip(msgspec.Struct, frozen=True, kw_only=True):
    """One filter of the deliveries."""

    label: str
    value: str
    is_on: bool


def count_troubled() -> int | None:
    """Return how many webhooks need a look; None for none, so that the rail stays calm."""
    return (
        sum(bool(each.state_reason or each.open_until) for each in api_outbound.list_endpoints())
        or None
    )


@require_GET
@requires("outbound.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show all webhooks and how they do."""
    context = {
        "endpoints": api_outbound.list_endpoints(),
        "formats": FORMATS,
        "can_manage": may(request, "outbound.write"),
    }
    return render(request, "outbound/list.html", context)


@require_http_methods(["GET", "POST"])
@requires("outbound.write", step_up=True)
def create(request: HttpRequest) -> HttpResponse:
    """Make a webhook and show its secret, this once."""
    if request.method == "GET":
        return _show_form(request, _BLANK)
    plan = _plan(request)
    try:
        made = api_outbound.create_endpoint(plan=plan, by=staff_of(request).get_username())
    except (Invalid, Conflict, Denied, Unavailable) as refusal:
        return _show_form(request, plan, error=sentence(refusal))
    return _show_secret(request, made)


@require_http_methods(["GET", "POST"])
@requires("outbound.write", step_up=True)
def change(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Change what a webhook is told and where."""
    endpoint = api_outbound.get_endpoint(endpoint_id=endpoint_id)
    if request.method == "GET":
        held = {name: getattr(endpoint, name) for name in OutboundPlan.__struct_fields__}
        return _show_form(request, OutboundPlan(**held), endpoint=endpoint)
    plan = _plan(request)
    try:
        api_outbound.update_endpoint(endpoint_id=endpoint_id, plan=plan)
    except (Invalid, Conflict, Denied, Unavailable) as refusal:
        return _show_form(request, plan, endpoint=endpoint, error=sentence(refusal))
    messages.success(request, f"{plan.name} is changed.")
    return redirect("outbound_one", endpoint_id)


@require_GET
@requires("outbound.read")
def show_one(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Show one webhook and what it was told; the other side's answers only to who manages it."""
    endpoint = api_outbound.get_endpoint(endpoint_id=endpoint_id)
    state = request.GET.get("state", "")
    state = state if state in _STATES else ""
    name = request.GET.get("name", "").strip()
    page = api_outbound.list_deliveries(
        endpoint_id=endpoint_id,
        state=cast(DeliveryState, state) if state else None,
        name=name,
        cursor=request.GET.get("cursor") or None,
    )
    names = {each.segment_id: each.name for each in analysis.list_segments(is_archived=None)}
    context = {
        "endpoint": endpoint,
        "format": FORMATS[endpoint.format],
        "every": EVERY_EVENT in endpoint.events,
        "segments": [names.get(number, str(number)) for number in endpoint.segment_ids],
        "deliveries": page.items,
        "next_cursor": page.next_cursor,
        "chips": [Chip(label=v, value=k, is_on=k == state) for k, v in _STATES.items()],
        "labels": _STATES,
        "state": state,
        "name": name,
        "can_manage": may(request, "outbound.write"),
    }
    return render(request, "outbound/one.html", context)


@require_POST
@requires("outbound.write")
def set_state(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Enable, pause or disable a webhook."""
    wanted = request.POST.get("state", "")
    words = {
        "enabled": "is told again",
        "paused": "is paused: what happens waits",
        "disabled": "is off: what happens meanwhile is not told later",
    }
    if wanted not in words:
        raise Invalid("a webhook is enabled, paused or disabled")
    made = api_outbound.set_endpoint_state(
        endpoint_id=endpoint_id, state=cast(OutboundState, wanted)
    )
    messages.success(request, f"{made.name} {words[wanted]}.")
    return redirect("outbound_one", endpoint_id)


@require_POST
@requires("outbound.write", step_up=True)
def rotate(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Give a webhook a new secret and show it, this once."""
    return _show_secret(request, api_outbound.rotate_endpoint_secret(endpoint_id=endpoint_id))


@require_POST
@requires("outbound.write")
def send_trial(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Send a made-up event now and say what came of it."""
    tried = api_outbound.try_endpoint(endpoint_id=endpoint_id, now=datetime.now(UTC))
    if tried.is_delivered:
        messages.success(request, f"A test event was taken: the answer was {tried.status}.")
    else:
        messages.error(request, f"The test event was not taken: {tried.error}.")
    return redirect("outbound_one", endpoint_id)


@require_POST
@requires("outbound.write")
def replay(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Have one delivery, or all that did not get through, tried again now."""
    one = request.POST.get("one", "")
    chosen = [int(one)] if one.isascii() and one.isdecimal() and len(one) < 19 else None
    count = api_outbound.replay_deliveries(endpoint_id=endpoint_id, delivery_ids=chosen)
    if count:
        messages.success(request, f"{count:,} {'goes' if count == 1 else 'go'} out again now.")
    else:
        messages.info(request, "There was nothing to send again.")
    return redirect("outbound_one", endpoint_id)


@require_POST
@requires("outbound.write", step_up=True)
def delete(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Delete a webhook with the record of what it was told, once its name has been typed."""
    endpoint = api_outbound.get_endpoint(endpoint_id=endpoint_id)
    if request.POST.get("confirm", "").strip() != endpoint.name:
        messages.error(request, "Nothing was deleted: the name typed was not the webhook's.")
        return redirect("outbound_one", endpoint_id)
    api_outbound.delete_endpoint(endpoint_id=endpoint_id)
    messages.success(request, f"{endpoint.name} is deleted.")
    return redirect("outbound")


def _plan(request: HttpRequest) -> OutboundPlan:
    given = request.POST
    events = [line.strip() for line in given.get("events", "").splitlines() if line.strip()]
    if given.get("which") == "every":
        events = [EVERY_EVENT]
    segments = [int(text) for text in given.getlist("segment") if text.isdecimal()]
    return OutboundPlan(
        name=given.get("name", ""),
        url=given.get("url", ""),
        format=cast(OutboundFormat, given.get("format", "")),
        events=events,
        segment_ids=segments,
        purpose=given.get("purpose", "") if given.get("personal") == "yes" else "",
    )


def _show_form(
    request: HttpRequest,
    plan: OutboundPlan,
    *,
    endpoint: OutboundEndpoint | None = None,
    error: str = "",
) -> HttpResponse:
    context: dict[str, Any] = {
        "plan": plan,
        "endpoint": endpoint,
        "error": error,
        "every": EVERY_EVENT in plan.events,
        "events": "\n".join(each for each in plan.events if each != EVERY_EVENT),
        "formats": FORMATS,
        "segments": analysis.list_segments(),
        "known": store.list_event_names(),
    }
    return render(request, "outbound/form.html", context, status=422 if error else 200)


def _show_secret(request: HttpRequest, made: MadeEndpoint) -> HttpResponse:
    answer = render(request, "outbound/secret.html", {"made": made, "endpoint": made.endpoint})
    answer["Cache-Control"] = "no-store"
    return answer
