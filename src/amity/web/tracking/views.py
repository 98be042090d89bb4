"""What events look like beside what they should, and what is wrong with sources."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import (
    ALL_SOURCES,
    EventShape,
    Finding,
    Plan,
    PlanField,
    PlanRevision,
    Policy,
    QuarantineFilter,
    ShapeField,
)
from amity.web.access import may, requires, staff_of
from amity.web.tracking import fields

_POLICIES: Final[dict[str, Policy]] = {
    "pass": "pass",
    "cut": "cut",
    "quarantine": "quarantine",
}
_SHOWN_SOURCES: Final = 50


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One property: as it came, as it should be, and what was found in it."""

    path: str
    came: ShapeField | None
    planned: PlanField | None
    filled_percent: int | None
    words: Mapping[str, Any]
    findings: list[Finding]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Which event a page or a form is about; from one source, or from all (0)."""

    type: str
    name: str
    source_id: int

    @property
    def query(self) -> str:
        """Return it as addresses say it."""
        told = {"type": self.type, "name": self.name, "source": self.source_id or None}
        return urlencode({key: value for key, value in told.items() if value is not None})

    @property
    def href(self) -> str:
        """Return the address of its page."""
        return f"{reverse('tracked_event')}?{self.query}"


def _about(given: QueryDict) -> About:
    source = given.get("source", "")
    is_number = source.isascii() and source.isdecimal() and len(source) < 10
    return About(
        type=given.get("type", ""),
        name=given.get("name", "").replace("\0", ""),
        source_id=int(source) if is_number else ALL_SOURCES,
    )


@require_GET
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show which events came, and which of them have a plan."""
    search, chosen = request.GET.get("q", "").strip(), request.GET.get("show", "")
    plans: dict[tuple[str, str], list[Plan]] = {}
    for plan in api_plans.list_plans():
        plans.setdefault((plan.type, plan.name), []).append(plan)
    shapes = api_plans.list_shapes()
    events = [(each, plans.pop((each.type, each.name), [])) for each in shapes]
    unseen = [each for held in plans.values() for each in held]
    shown = [
        (event, held)
        for event, held in events
        if search.casefold() in (event.name or event.type).casefold()
        and _is_shown(chosen, event, held)
    ]
    return render(
        request,
        "tracking/list.html",
        {
            "events": shown,
            "unseen": [each for each in unseen if search.casefold() in each.name.casefold()]
            if chosen in {"", "pinned"}
            else [],
            "has_any": bool(events or unseen),
            "search": search,
            "chosen": chosen,
            "chips": _FILTERS,
            "sources": {each.source_id: each.name for each in store.list_sources()},
        },
    )


_FILTERS: Final = {
    "": "All",
    "pinned": "Pinned",
    "open": "Not pinned",
    "against": "Against the plan",
    "personal": "Personal data",
}


def _is_shown(chosen: str, event: EventShape, held: list[Plan]) -> bool:
    rules = {
        "pinned": bool(held),
        "open": not held,
        "against": event.violations > 0,
        "personal": event.warnings > 0,
    }
    return rules.get(chosen, True)


@require_GET
@requires("sources.read")
def show_one(request: HttpRequest) -> HttpResponse:
    """Show one event: how it comes, how it should, and the versions of its plan."""
    about = _about(request.GET)
    if not about.type:
        return redirect("tracking")
    shape = api_plans.get_shape(type=about.type, name=about.name, source_id=about.source_id or None)
    every = api_plans.list_plans(type=about.type, name=about.name, live_only=False)
    if not shape and not every:
        raise NotFound("no such event was seen, and none is planned")
    versions = [each for each in every if each.source_id == about.source_id]
    plan = next((each for each in versions if each.is_live), None)
    came = {each.path: each for each in shape if each.path}
    planned = {each.path: each for each in plan.fields} if plan else {}
    findings = _sum_up(
        each
        for each in api_plans.list_findings(type=about.type, name=about.name)
        if about.source_id in (ALL_SOURCES, each.source_id)
    )
    changes = {new.plan_id: api_plans.compare_plans(old, new) for new, old in pairwise(versions)}
    lined = came.keys() | planned.keys()
    return render(
        request,
        "tracking/one.html",
        {
            "about": about,
            "event": next((each for each in shape if not each.path), None),
            "plan": plan,
            "aside": _count_aside(about),
            "lines": [_line(path, came, planned, findings) for path in sorted(lined)],
            "findings": [each for each in findings if each.path not in lined],
            "versions": [(each, changes.get(each.plan_id, [])) for each in versions],
            "others": sorted(
                {each.source_id for each in every if each.is_live} - {about.source_id}
            ),
            "sources": _sources(),
            "can_manage": may(request, "sources.write"),
        },
    )


def _sum_up(findings: Iterable[Finding]) -> list[Finding]:
    """Join what was found of one kind in one place, whichever source sent it."""
    joined: dict[tuple[str, str], Finding] = {}
    for each in findings:
        held = joined.get((each.path, each.kind))
        joined[each.path, each.kind] = (
            each
            if held is None
            else msgspec.structs.replace(
                held, seen=held.seen + each.seen, last_on=max(held.last_on, each.last_on)
            )
        )
    return list(joined.values())


def _count_aside(about: About) -> int:
    """Count what waits in quarantine because of this event's plan."""
    return store.count_matching_quarantine(
        source_id=about.source_id or None,
        reason="against_plan",
        narrow=QuarantineFilter(event=about.name or about.type),
    )


def _sources() -> dict[int, str]:
    found = [each for each in store.list_sources() if each.source_id != SYSTEM_SOURCE_ID]
    return {each.source_id: each.name for each in found[:_SHOWN_SOURCES]}


def _line(
    path: str,
    came: dict[str, ShapeField],
    planned: dict[str, PlanField],
    findings: list[Finding],
) -> Line:
    found, field = came.get(path), planned.get(path)
    return Line(
        path=path,
        came=found,
        planned=field,
        filled_percent=round(100 * found.filled_rate) if found else None,
        words=fields.summary(field) if field else {},
        findings=[each for each in findings if each.path == path],
    )


@require_POST
@requires("sources.write")
def pin(request: HttpRequest) -> HttpResponse:
    """Make what came so far the plan, or change what is said of the plan as a whole."""
    about = _about(request.POST)
    policy = _POLICIES.get(request.POST.get("policy", ""), "pass")
    allows = request.POST.get("allows_unknown", "yes") == "yes"
    description = request.POST.get("description", "").strip()[:2000]
    try:
        if request.POST.get("do") == "infer":
            made = _pin_inferred(request, about, policy=policy, allows=allows)
        else:
            revision = PlanRevision(policy=policy, allows_unknown=allows, description=description)
            made = _revise(request, revision)
    except (Conflict, Invalid) as refusal:
        messages.error(request, f"Nothing was changed: {refusal.message}.")
    else:
        messages.success(request, f"Version {made.version} is pinned, everywhere within seconds.")
    return redirect(about.href)


def _pin_inferred(request: HttpRequest, about: About, *, policy: Policy, allows: bool) -> Plan:
    """Pin what came; what was said of properties that are planned already stays."""
    draft = api_plans.infer_plan(type=about.type, name=about.name, source_id=about.source_id)
    live = api_plans.list_plans(type=about.type, name=about.name)
    held = next((each for each in live if each.source_id == about.source_id), None)
    if held is not None:
        planned = {field.path for field in held.fields}
        fresh = [field for field in draft.fields if field.path not in planned]
        draft = msgspec.structs.replace(
            draft, fields=[*held.fields, *fresh], description=held.description
        )
    draft = msgspec.structs.replace(draft, policy=policy, allows_unknown=allows)
    return api_plans.pin_plan(
        plan=draft,
        by=_who(request),
        now=datetime.now(UTC),
        over=held.plan_id if held else None,
    )


def _revise(request: HttpRequest, revision: PlanRevision) -> Plan:
    held = request.POST.get("plan_id", "")
    if not (held.isascii() and held.isdecimal() and len(held) <= 18):
        raise Conflict("nothing is pinned any more; look at it first")
    return api_plans.revise_plan(
        plan_id=int(held), revision=revision, by=_who(request), now=datetime.now(UTC)
    )


@require_http_methods(["GET", "POST"])
@requires("sources.write")
def edit_field(request: HttpRequest) -> HttpResponse:
    """Change one property of a pinned plan, or add one; what was typed stays when it is wrong."""
    about = _about(request.POST if request.method == "POST" else request.GET)
    live = api_plans.list_plans(type=about.type, name=about.name)
    plan = next((each for each in live if each.source_id == about.source_id), None)
    if plan is None:
        return redirect(about.href if about.type else "tracking")
    was = (request.POST if request.method == "POST" else request.GET).get("was", "")
    held = next((field for field in plan.fields if field.path == was), None)
    shape = api_plans.get_shape(type=about.type, name=about.name, source_id=about.source_id or None)
    came = next((each for each in shape if each.path == was and was), None)
    form = fields.form_of(held) if held else fields.begin_form(was, came)
    error = ""
    if request.method == "POST":
        form = fields.typed_form(request.POST)
        try:
            return _save_field(request, about, form, was)
        except (Invalid, Conflict) as refusal:
            error = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
    context = {
        "about": about,
        "plan": plan,
        "form": form,
        "was": was,
        "is_new": held is None,
        "came": came,
        "error": error,
        "types": fields.TYPES,
        "formats": fields.FORMATS,
        "policies": fields.POLICIES,
    }
    return render(request, "tracking/field.html", context, status=422 if error else 200)


def _save_field(
    request: HttpRequest, about: About, form: fields.FieldForm, was: str
) -> HttpResponse:
    if request.POST.get("do") == "drop":
        made = _revise(request, PlanRevision(drop=[was]))
        messages.success(request, f"{was} is out of the plan since version {made.version}.")
    else:
        field = fields.read_form(form)
        dropped = [was] if was and was != field.path else []
        made = _revise(request, PlanRevision(fields=[field], drop=dropped))
        messages.success(request, f"Version {made.version} is pinned, everywhere within seconds.")
    return redirect(about.href)


@require_POST
@requires("sources.write")
def unpin(request: HttpRequest) -> HttpResponse:
    """Stop enforcing a plan."""
    about = _about(request.POST)
    api_plans.unpin_plan(type=about.type, name=about.name, source_id=about.source_id)
    messages.success(request, "Nothing is enforced any more. The versions stay below.")
    return redirect(about.href)


@require_POST
@requires("sources.write")
def restore(request: HttpRequest, plan_id: int) -> HttpResponse:
    """Make an earlier version the plan again."""
    made = api_plans.restore_plan(plan_id=plan_id, by=_who(request), now=datetime.now(UTC))
    messages.success(request, f"It is pinned again, as version {made.version}.")
    return redirect(About(type=made.type, name=made.name, source_id=made.source_id).href)


@require_GET
@requires("sources.read")
def show_alerts(request: HttpRequest) -> HttpResponse:
    """Show what is wrong with sources, who looks after it, and what was."""
    chosen = request.GET.get("show", "")
    about = _about(request.GET)
    alerts = api_plans.list_alerts(source_id=about.source_id or None, open_only=chosen != "all")
    if chosen == "acknowledged":
        alerts = [alert for alert in alerts if alert.acknowledged_at is not None]
    context = {
        "alerts": alerts,
        "chosen": chosen,
        "chips": {"": "Open", "acknowledged": "Looked after", "all": "Closed too"},
        "sources": _sources(),
        "source_id": about.source_id,
        "can_manage": may(request, "sources.write"),
    }
    return render(request, "tracking/alerts.html", context)


@require_POST
@requires("sources.write")
def acknowledge(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Note that somebody looks after an alert."""
    api_plans.acknowledge_alert(alert_id=alert_id, by=_who(request), now=datetime.now(UTC))
    messages.success(request, "Noted. It closes by itself once it is over.")
    back = request.POST.get("back", "")
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return redirect(back)
    return redirect("alerts")


def _who(request: HttpRequest) -> str:
    return str(staff_of(request).get_username())
