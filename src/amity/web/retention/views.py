"""The rules, one rule with its form and its impact, and running it."""

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amity.kernel.errors import Conflict, Invalid
from amity.store import api as store
from amity.store import api_retention as keeping
from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import RetentionPlan, RetentionRule
from amity.web.access import may, requires, staff_of
from amity.web.consents.purposes import BASES
from amity.web.retention import words
from amity.web.retention.sweeping import all_sweeps
from amity.web.retention.words import Line, removal_words

_LATEST = 10


@requires("about.read")
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """Show every rule: how long, why, and what its last run removed."""
    last = keeping.list_last_retention_runs()
    lines = [_line(rule, last) for rule in keeping.list_retention_rules(all_sweeps())]
    show = request.GET.get("show", "")
    shown = [line for line in lines if _is_shown(line, show)]
    chips = [
        {"value": value, "label": label, "count": sum(_is_shown(line, value) for line in lines)}
        for value, label in (
            ("", "All"),
            ("set", "Set by people"),
            ("off", "Switched off"),
            ("failed", "Failed"),
        )
    ]
    context = {
        "lines": shown,
        "chips": [chip | {"is_on": chip["value"] == show} for chip in chips],
        "bases": words.BASES,
        "can_write": may(request, "retention.write"),
    }
    return render(request, "retention/list.html", context)


@requires("about.read")
@require_safe
def show_one(request: HttpRequest, key: str) -> HttpResponse:
    """Show a rule, what it would remove, and its latest runs."""
    return _page(request, keeping.get_retention_rule(all_sweeps(), key))


@requires("retention.write")
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Add a rule for some events only."""
    sweeps = all_sweeps()
    kinds = [rule for rule in keeping.list_retention_rules(sweeps) if rule.narrowing]
    kinds = [rule for rule in kinds if not rule.is_extra]
    chosen = next((each for each in kinds if each.key == request.POST.get("kind")), kinds[0])
    rule = msgspec.structs.replace(chosen, keep_days=90, reason="")
    error, name = "", request.POST.get("name", "")
    if request.method == "POST":
        try:
            plan = _read(request)
            rule = msgspec.structs.replace(rule, **msgspec.structs.asdict(plan))
            made = keeping.add_retention_rule(
                sweeps,
                kind=chosen.key,
                name=name,
                plan=plan,
                by=staff_of(request).username,
                now=datetime.now(UTC),
            )
        except (Invalid, Conflict) as refusal:
            error = _sentence(refusal.message)
        else:
            messages.success(request, "The rule is set. The worker runs it within a minute.")
            return redirect("retention_rule", made.key)
    context = _form(rule) | {"kinds": kinds, "name": name, "error": error, "is_new": True}
    return render(request, "retention/new.html", context, status=422 if error else 200)


@requires("about.read")
@require_safe
def preview(request: HttpRequest, key: str) -> HttpResponse:
    """Say what the rule would remove now, with the days that are being typed."""
    rule = keeping.get_retention_rule(all_sweeps(), key)
    days = request.GET.get("keep_days", "")
    if days.isascii() and days.isdecimal() and 1 <= int(days[:6]) <= 36_500:
        rule = msgspec.structs.replace(rule, keep_days=int(days[:6]))
    return render(request, "retention/_impact.html", _impact(rule))


@requires("retention.write")
@require_POST
def save(request: HttpRequest, key: str) -> HttpResponse:
    """Change a rule."""
    rule = keeping.get_retention_rule(all_sweeps(), key)
    try:
        plan = _read(request)
        rule = msgspec.structs.replace(rule, **msgspec.structs.asdict(plan))
        keeping.save_retention_rule(
            all_sweeps(), key=key, plan=plan, by=staff_of(request).username, now=datetime.now(UTC)
        )
    except Invalid as refusal:
        return _page(request, rule, error=_sentence(refusal.message))
    messages.success(request, "Saved. The worker goes by it from now on.")
    return redirect("retention_rule", key)


@requires("retention.write", step_up=True)
@require_POST
def run(request: HttpRequest, key: str) -> HttpResponse:
    """Have the worker run a rule now."""
    keeping.ask_retention(
        all_sweeps(), key=key, by=staff_of(request).username, now=datetime.now(UTC)
    )
    messages.success(request, "The worker runs it now; what went stands below when it is done.")
    return redirect("retention_rule", key)


@requires("retention.write")
@require_POST
def reset(request: HttpRequest, key: str) -> HttpResponse:
    """Take a rule back to how it was delivered, or delete one that was added."""
    rule = keeping.get_retention_rule(all_sweeps(), key)
    keeping.reset_retention_rule(all_sweeps(), key=key)
    if rule.is_extra:
        messages.success(request, "The rule is deleted; what it removed stays in the history.")
        return redirect("retention")
    messages.success(request, "The rule is as it was delivered.")
    return redirect("retention_rule", key)


def _read(request: HttpRequest) -> RetentionPlan:
    given = request.POST
    days, hours, source = (
        given.get(name, "").strip() for name in ("keep_days", "every_hours", "source")
    )
    for text in (days, hours, source):
        if not (text.isascii() and text.isdecimal()) and text:
            raise Invalid("days, hours and the source are whole numbers")
    return RetentionPlan(
        keep_days=int(days[:7] or 0),
        basis=cast(LawfulBasis, given.get("basis", "")),
        reason=given.get("reason", ""),
        is_enabled=given.get("is_enabled") == "yes",
        every_hours=int(hours[:7] or 0),
        names=[line.strip() for line in given.get("names", "").splitlines() if line.strip()],
        source_id=int(source[:9]) if source else None,
    )


def _page(request: HttpRequest, rule: RetentionRule, *, error: str = "") -> HttpResponse:
    runs = keeping.list_retention_runs(key=rule.key, limit=_LATEST).items
    context = _form(rule) | {
        "error": error,
        "runs": [{"is": run, "removed": removal_words(run.removed)} for run in runs],
        "can_write": may(request, "retention.write"),
        "is_running": any(run.state == "running" for run in runs),
    }
    return render(request, "retention/one.html", context, status=422 if error else 200)


def _form(rule: RetentionRule) -> dict[str, Any]:
    sources = [each for each in store.list_sources() if each.kind != "system"]
    return {
        "rule": rule,
        "names": "\n".join(rule.names),
        "bases": BASES.items(),
        "sources": sources if rule.narrowing else [],
        "known": store.list_event_names() if rule.narrowing else [],
    }


def _impact(rule: RetentionRule) -> dict[str, Any]:
    found = keeping.preview_retention(all_sweeps(), rule=rule, now=datetime.now(UTC))
    return {
        "found": found,
        "words": removal_words(found.removal, is_capped=found.is_capped),
        "tables": sorted(found.removal.tables.items()),
        "rule": rule,
    }


def _line(rule: RetentionRule, last: dict[str, Any]) -> Line:
    run = last.get(rule.key)
    return Line(rule=rule, last=run, removed=removal_words(run.removed) if run else "")


def _is_shown(line: Line, show: str) -> bool:
    return {
        "set": bool(line.rule.set_by),
        "off": not line.rule.is_enabled,
        "failed": line.last is not None and line.last.state == "failed",
    }.get(show, True)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
