"""The log of decisions, and one decision: what was chosen, why, and what came of it."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from amity.personalization import api as personalization
from amity.personalization.contracts import DecisionRecord
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.access import requires
from amity.web.customers.words import who
from amity.web.sources.views import Chip

_PAGE: Final = 50
FALLBACKS: Final = {
    "no_profiling": "the customer does not want to be profiled, so nothing personal was used",
    "policy_failed": "the policy failed, so chance chose",
    "no_model": "nothing has been learnt yet",
    "popularity": "nothing goes with these products, so popular ones stand in",
}
OUTCOMES: Final = {
    "impression": "seen",
    "click": "clicked",
    "order": "ordered after it",
    "unsubscribe": "unsubscribed after it",
}
STAGES: Final = {
    "lawful": "may it be shown at all",
    "preference": "does the customer want it",
    "fatigue": "was it shown too often",
    "eligibility": "is it for this customer",
    "budget": "is any left",
    "rank": "passed on to the choice",
}
TROUBLES: Final = {
    "policy_failed": "a policy failed, and chance chose instead",
    "reward_late": "outcomes came after 30 days, and taught nothing",
    "reward_unknown": "outcomes named a decision that is not in the log",
    "reward_not_shown": "outcomes named something the decision had not chosen",
    "reward_other_person": "outcomes came from somebody else than was decided for",
}


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One decision as a list shows it."""

    record: DecisionRecord
    who: str
    chosen: str
    came: list[str]


@require_GET
@requires("decisions.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the latest decisions, of one placement or one customer if the address says so."""
    placement, only = request.GET.get("placement", ""), request.GET.get("show", "")
    customer = request.GET.get("customer", "")
    profile_ids = None
    if customer.isdecimal() and len(customer) < 19:
        profile_ids = store.list_joined(profile_id=int(customer))
    found = personalization.list_decisions(
        placement=placement or None,
        profile_ids=profile_ids,
        fallback_only=only == "fallback",
        cursor=request.GET.get("after"),
        limit=_PAGE,
    )
    page = {
        "lines": lines_of(found.items),
        "next": found.next_cursor,
        "placement": placement,
        "customer": customer if profile_ids else "",
        "chips": _chips(only),
        "placements": personalization.list_placements(),
        "troubles": _troubles(),
    }
    name = "_rows.html" if request.htmx and request.GET.get("after") else "list.html"  # type: ignore[attr-defined]  # django_htmx's middleware sets it
    return render(request, f"decisions/{name}", page)


def _chips(only: str) -> list[Chip]:
    return [
        Chip(label="All", value="", count=None, is_on=only != "fallback"),
        Chip(label="Stand-ins", value="fallback", count=None, is_on=only == "fallback"),
    ]


def _troubles() -> list[tuple[str, str, int]]:
    """Return the week's troubles in words, each kind once, with what they befell and how often."""
    sums: dict[tuple[str, str], int] = {}
    for one in personalization.list_troubles(days=7):
        sums[one.kind, one.name] = sums.get((one.kind, one.name), 0) + one.count
    return [(TROUBLES.get(kind, kind), name, count) for (kind, name), count in sums.items()]


def lines_of(records: list[DecisionRecord]) -> list[DecisionLine]:
    """Return decisions with names of people and what was shown, for a list."""
    ids = {r.decision.profile_id for r in records if r.decision.profile_id is not None}
    rows: dict[int, ProfileRow] = {}
    if ids:
        found = store.list_profiles(profile_ids=sorted(ids), limit=len(ids)).items
        rows = {row.profile_id: row for row in found}
    return [
        DecisionLine(
            record=record,
            who=_name(record, rows),
            chosen=", ".join(_title(item.content, item.item) for item in record.decision.items),
            came=sorted({OUTCOMES[outcome.kind] for outcome in record.outcomes}),
        )
        for record in records
    ]


def _name(record: DecisionRecord, rows: dict[int, ProfileRow]) -> str:
    profile_id = record.decision.profile_id
    if profile_id is None:
        return "a stranger"
    row = rows.get(profile_id)
    return who(row) if row else f"profile {profile_id}"


def _title(content: dict[str, Any], item: str) -> str:
    return str(content.get("headline") or content.get("name") or item)


@require_GET
@requires("decisions.read")
def show_one(request: HttpRequest, decision_id: UUID) -> HttpResponse:
    """Show one decision whole: the question, the answer, the verdict on every candidate."""
    record = personalization.get_decision(decision_id=decision_id)
    decision = record.decision
    profile_id = decision.profile_id
    profile = None if profile_id is None else store.get_profile(profile_id=profile_id)
    page = {
        "record": record,
        "decision": decision,
        "who": who(profile) if profile else "a stranger",
        "profile": profile,
        "placement": personalization.find_placement(key=decision.placement),
        "fallback": FALLBACKS.get(decision.fallback, decision.fallback),
        "outcomes": [(OUTCOMES[one.kind], one) for one in record.outcomes],
        "asked": msgspec.json.format(msgspec.json.encode(record.request.context)).decode(),
        "now": datetime.now(UTC),
    }
    return render(request, "decisions/one.html", page)
