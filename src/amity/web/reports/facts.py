"""What a company enters for its reports: what channels and single things cost, what it aims at."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from amity.analysis import api_reports as reports
from amity.analysis.contracts_facts import Cell as LoyaltyCell
from amity.analysis.contracts_facts import CompanyFact, FactKind, Target, UnitOfCost
from amity.analysis.contracts_reports import Aim, say_value
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Invalid
from amity.kernel.money import to_minor
from amity.web.access import may, requires, staff_of

UNITS: Final[dict[UnitOfCost, str]] = {
    "order": "An order: picking, packing, payment",
    "item": "An item of an order",
    "refund": "A refund or return",
    "email": "An e-mail sent",
    "sms": "A text message sent",
    "push": "A push message sent",
    "other_message": "Any other message sent",
    "visit": "A visit to the shop's pages",
    "call": "A call or chat with service",
}
CELLS: Final[dict[LoyaltyCell, str]] = {
    "true": "True loyalty: buys often, thinks well of us",
    "latent": "Latent loyalty: thinks well of us, buys little",
    "spurious": "Spurious loyalty: buys often, thinks little of us",
    "none": "No loyalty: buys little, thinks little of us",
}


@require_GET
@requires("reports.read")
def show(request: HttpRequest) -> HttpResponse:
    """Show all that was entered, and what can be."""
    return render(request, "reports/facts.html", _context(request))


def _aims() -> dict[tuple[str, str], Aim]:
    """Return what targets can be set for, by the report's name and the figure's."""
    return {
        (entry.words.name, aim.figure): aim
        for entry in reports.list_reports()
        for aim in entry.words.aims
    }


def _told(one: CompanyFact, aims: Mapping[tuple[str, str], Aim]) -> tuple[CompanyFact, str, str]:
    """Return a target with its figure's title and what it should come to, in words."""
    target = cast("Target", one.fact)
    aim = aims.get((target.report, target.figure))
    if aim is None:
        return one, f"{target.report}, {target.figure}", f"{target.value:g}"
    return one, aim.title, say_value(target.value, aim.unit, target.currency)


def _context(request: HttpRequest) -> dict[str, Any]:
    aims = _aims()
    units = {one.fact.unit: one for one in reports.list_facts(kind="unit_cost")}  # type: ignore[union-attr]  # of this kind
    policies = {one.fact.cell: one for one in reports.list_facts(kind="policy")}  # type: ignore[union-attr]  # of this kind
    return {
        "channel_costs": reports.list_facts(kind="channel_cost")[::-1],
        "units": [(key, words, units.get(key)) for key, words in UNITS.items()],
        "targets": [_told(one, aims) for one in reports.list_facts(kind="target")[::-1]],
        "aims": [(report, aim) for (report, _), aim in aims.items()],
        "cells": [(key, words, policies.get(key)) for key, words in CELLS.items()],
        "currency": settings().currency,
        "can_write": may(request, "reports.write"),
    }


@require_POST
@requires("reports.write")
def enter(request: HttpRequest) -> HttpResponse:
    """Add one cost, target or policy."""
    kind = request.POST.get("kind", "")
    try:
        if kind not in get_args(FactKind):
            raise Invalid("say what it is that you enter")
        fact = _read(request, kind)
        by, now = staff_of(request).get_username(), datetime.now(UTC)
        reports.enter_fact(kind=cast("FactKind", kind), fact=fact, by=by, now=now)
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        messages.success(request, "Entered. Reports use it from their next answer on.")
    return redirect("report_facts")


def _read(request: HttpRequest, kind: str) -> dict[str, Any]:
    """Return the posted fact; an amount is told in units of its currency."""
    if kind == "target":
        return _read_target(request)
    leave = {"csrfmiddlewaretoken", "kind", "amount"}
    fact: dict[str, Any] = {
        name: str(value).strip() for name, value in request.POST.items() if name not in leave
    }
    if kind in {"channel_cost", "unit_cost"}:
        fact["currency"] = (fact.get("currency") or settings().currency).upper()
        amount = to_minor(request.POST.get("amount", "").strip(), fact["currency"])
        if amount is None:
            raise Invalid("an amount is a number, such as 12.50")
        fact["amount_minor"] = amount
    return fact


def _read_target(request: HttpRequest) -> dict[str, Any]:
    """Return a posted target: people write shares in per cent and money in its currency."""
    report, _, figure = request.POST.get("aim", "").partition(".")
    aim = _aims().get((report, figure))
    if aim is None:
        raise Invalid("choose the figure that the target is for")
    fact = {"report": report, "figure": figure, "owner": request.POST.get("owner", "").strip()}
    said = request.POST.get("amount", "").strip().removesuffix("%").strip()
    if aim.unit == "money":
        currency = settings().currency
        value: float | None = to_minor(said, currency)
        fact["currency"] = currency
    else:
        value = _number(said)
        if value is not None and aim.unit == "share":
            value /= 100
    if value is None:
        raise Invalid("a target is a number, such as 40 for 40 % or 12.50 for an amount")
    return fact | {"value": value}


def _number(said: str) -> float | None:
    try:
        return float(said)
    except ValueError:
        return None


@require_POST
@requires("reports.write")
def delete(request: HttpRequest, fact_id: int) -> HttpResponse:
    """Take back what was entered."""
    reports.delete_fact(fact_id=fact_id)
    messages.success(request, "Taken back. Reports leave it out from their next answer on.")
    return redirect("report_facts")
