"""What events look like beside what they should, and what is wrong with sources."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from amity.kernel.errors import NotFound
from amity.store import api as store
from amity.store.contracts_tracking import PlanField, Policy, ShapeField
from amity.web.access import may, requires, staff_of

_POLICIES: Final[dict[str, Policy]] = {"cut": "cut", "quarantine": "quarantine"}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One property: as it came, and as it should be."""

    path: str
    came: ShapeField | None
    planned: PlanField | None
    filled_percent: int | None


@require_GET
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show which events came, and which of them have a plan."""
    pinned = {(plan.type, plan.name): plan for plan in store.list_plans()}
    events = [(each, pinned.pop((each.type, each.name), None)) for each in store.list_shapes()]
    return render(
        request, "tracking/list.html", {"events": events, "unseen": list(pinned.values())}
    )


@require_GET
@requires("sources.read")
def show_one(request: HttpRequest) -> HttpResponse:
    """Show one event: how it comes, how it should, and the versions of its plan."""
    kind, name = request.GET.get("type", ""), request.GET.get("name", "")
    if not kind:
        return redirect("tracking")
    shape = store.get_shape(type=kind, name=name)
    versions = store.list_plans(type=kind, name=name, live_only=False)
    if not shape and not versions:
        raise NotFound("no such event was seen, and none is planned")
    plan = next((each for each in versions if each.is_live), None)
    came = {each.path: each for each in shape if each.path}
    planned = {each.path: each for each in plan.fields} if plan else {}
    changes = {
        new.plan_id: store.compare_plans(old, new)
        for new, old in pairwise(versions)
        if new.source_id == old.source_id
    }
    return render(
        request,
        "tracking/one.html",
        {
            "type": kind,
            "name": name,
            "event": next((each for each in shape if not each.path), None),
            "plan": plan,
            "lines": [_line(path, came, planned) for path in sorted(came | planned)],
            "findings": store.list_findings(type=kind, name=name),
            "versions": [(each, changes.get(each.plan_id, [])) for each in versions],
            "can_manage": may(request, "sources.write"),
        },
    )


def _line(path: str, came: dict[str, ShapeField], planned: dict[str, PlanField]) -> Line:
    found = came.get(path)
    return Line(
        path=path,
        came=found,
        planned=planned.get(path),
        filled_percent=round(100 * found.filled_rate) if found else None,
    )


@require_POST
@requires("sources.write")
def pin(request: HttpRequest) -> HttpResponse:
    """Make what came so far the plan, or give the plan another policy."""
    kind, name = request.POST.get("type", ""), request.POST.get("name", "")
    held = next(iter(store.list_plans(type=kind, name=name)), None)
    if held is None or request.POST.get("do") == "infer":
        draft = store.infer_plan(type=kind, name=name)
    else:
        draft = held
    policy: Policy = _POLICIES.get(request.POST.get("policy", ""), "pass")
    allows = request.POST.get("allows_unknown", "yes") == "yes"
    draft = msgspec.structs.replace(draft, policy=policy, allows_unknown=allows)
    made = store.pin_plan(plan=draft, by=_who(request), now=datetime.now(UTC))
    messages.success(request, f"Version {made.version} is pinned, everywhere within seconds.")
    return _back(kind, name)


@require_POST
@requires("sources.write")
def unpin(request: HttpRequest) -> HttpResponse:
    """Stop enforcing a plan."""
    kind, name = request.POST.get("type", ""), request.POST.get("name", "")
    store.unpin_plan(type=kind, name=name)
    messages.success(request, "Nothing is enforced any more. The versions stay below.")
    return _back(kind, name)


@require_POST
@requires("sources.write")
def restore(request: HttpRequest, plan_id: int) -> HttpResponse:
    """Make an earlier version the plan again."""
    made = store.restore_plan(plan_id=plan_id, by=_who(request), now=datetime.now(UTC))
    messages.success(request, f"It is pinned again, as version {made.version}.")
    return _back(made.type, made.name)


@require_GET
@requires("sources.read")
def show_alerts(request: HttpRequest) -> HttpResponse:
    """Show what is wrong with sources, and what was."""
    alerts = store.list_alerts(open_only=request.GET.get("show") != "all")
    context = {
        "alerts": alerts,
        "shows_all": request.GET.get("show") == "all",
        "can_manage": may(request, "sources.write"),
    }
    return render(request, "tracking/alerts.html", context)


@require_POST
@requires("sources.write")
def acknowledge(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Note that somebody looks after an alert."""
    store.acknowledge_alert(alert_id=alert_id, by=_who(request), now=datetime.now(UTC))
    messages.success(request, "Noted. It closes by itself once it is over.")
    return redirect("alerts")


def _who(request: HttpRequest) -> str:
    return str(staff_of(request).get_username())


def _back(kind: str, name: str) -> HttpResponse:
    return redirect(f"{reverse('tracked_event')}?{urlencode({'type': kind, 'name': name})}")
