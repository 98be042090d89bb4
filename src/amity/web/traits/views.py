"""The rules that say which claim about a trait is shown: listed, declared, taken away."""

from datetime import UTC, datetime
from typing import Any, Final, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store.contracts_claims import RuleKind, SurvivorshipRule
from amity.web.access import may, requires, staff_of

KINDS: Final[dict[RuleKind, tuple[str, str]]] = {
    "latest": ("The latest", "Whoever spoke last is believed."),
    "most_trusted_source": ("The most trusted source", "In the order you choose; others after."),
    "highest_confidence": ("The surest", "By the confidence that came with each claim."),
    "stated_over_inferred": (
        "What they said themselves",
        "Checked, then said by the customer, then on record, then worked out.",
    ),
    "longest_known": ("The longest known", "The source that spoke of it first."),
    "greatest": ("The greatest number", "Of what the sources say now."),
    "least": ("The least number", "Of what the sources say now."),
}
_RANKS: Final = 3


@requires("sources.read")
@require_safe
def show_rules(request: HttpRequest) -> HttpResponse:
    """Show the declared rules, the form for one more, and whether customers follow them yet."""
    return _show(request)


def _show(
    request: HttpRequest, error: str = "", typed: dict[str, Any] | None = None
) -> HttpResponse:
    sources = {source.source_id: source.name for source in store.list_sources()} | {1: "Amity"}
    page = {
        "rules": [
            {"is": rule, "kind": KINDS[rule.kind][0], "words": store.rule_words(rule, sources)}
            for rule in store.list_survivorship_rules()
        ],
        "kinds": [(kind, *words) for kind, words in KINDS.items()],
        "sources": sorted(sources.items(), key=lambda one: one[1].casefold()),
        "ranks": range(1, _RANKS + 1),
        "traits": [name for name, _ in store.list_trait_names(limit=200)],
        "is_settling": store.is_settling(),
        "can_manage": may(request, "sources.write"),
        "error": error,
        "typed": typed or {},
    }
    return render(request, "traits/rules.html", page, status=422 if error else 200)


@requires("sources.write")
@require_POST
def set_rule(request: HttpRequest) -> HttpResponse:
    """Declare a rule for a trait or a pattern, in place of the one there was."""
    ranked = [request.POST.get(f"source{rank}", "") for rank in range(1, _RANKS + 1)]
    rule = SurvivorshipRule(
        pattern=request.POST.get("pattern", "").strip(),
        kind=cast("RuleKind", request.POST.get("kind", "")),
        sources=[int(each) for each in ranked if each.isdecimal() and len(each) < 10],
    )
    if rule.kind != "most_trusted_source":
        rule = SurvivorshipRule(pattern=rule.pattern, kind=rule.kind)
    try:
        made = store.set_survivorship_rule(
            rule=rule, by=staff_of(request).username, now=datetime.now(UTC)
        )
    except Invalid as refusal:
        words = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
        return _show(request, words, {"pattern": rule.pattern, "kind": rule.kind})
    messages.success(request, f"{made.pattern} follows the rule now; customers are looked through.")
    return redirect("trait_rules")


@requires("sources.write")
@require_POST
def remove_rule(request: HttpRequest) -> HttpResponse:
    """Take a rule away: the latest claim is shown again. Declaring it again brings it back."""
    pattern = request.POST.get("pattern", "")
    store.remove_survivorship_rule(pattern=pattern)
    messages.success(request, f"{pattern} shows the latest claim again.")
    return redirect("trait_rules")
