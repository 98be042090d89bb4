"""Enrichment over HTTP: who is asked about customers, with what, and how it goes."""

from datetime import UTC, datetime
from typing import Any, Final, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts_hooks import Enrichment, EnrichmentKey, EnrichmentPlan
from amity.web.access import requires, staff_of
from amity.web.connectors.forms import Screen, read_number, read_source


@require_http_methods(["GET", "POST"])
@requires("pulls.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show who is asked; add one."""
    return _SCREEN.show(request)


def _describe() -> dict[str, Any]:
    return {
        "enrichments": [_line(each) for each in api_fetching.list_enrichments()],
        "purposes": [purpose for purpose in store.list_purposes() if purpose.key != "records"],
        "keys": api_fetching.ENRICHMENT_KEYS,
        "bases": store.LAWFUL_BASES,
    }


def _line(each: Enrichment) -> dict[str, object]:
    problems = api_fetching.list_enrichment_problems(enrichment_id=each.enrichment_id)
    return {
        "is": each,
        "sent": api_fetching.ENRICHMENT_KEYS[each.plan.key],
        "traits": ", ".join(sorted(each.plan.mapping)),
        "problems": problems[:10],
    }


def _create(request: HttpRequest) -> None:
    given = request.POST
    try:
        confidence = float(given.get("confidence", "") or 0.7)
    except ValueError as error:
        raise Invalid("a confidence is a number from 0 to 1") from error
    plan = EnrichmentPlan(
        name=given.get("name", ""),
        url=given.get("url", "").strip(),
        key=cast("EnrichmentKey", given.get("key", "")),
        purpose=given.get("purpose", ""),
        lawful_basis=given.get("lawful_basis", ""),
        mapping=_read_mapping(given.get("mapping", "")),
        header=given.get("header", "").strip(),
        confidence=confidence,
        ttl_days=read_number(request, "ttl_days", 180),
        per_minute=read_number(request, "per_minute", 60),
        is_automatic=given.get("is_automatic") == "yes",
    )
    api_fetching.create_enrichment(
        plan=plan,
        source_id=read_source(request),
        secret=given.get("secret", ""),
        by=staff_of(request).get_username(),
    )


def _read_mapping(text: str) -> dict[str, str]:
    """Return what is taken, written as one `trait = place` a line."""
    mapping = {}
    for line in filter(str.strip, text.splitlines()):
        trait, sign, place = line.partition("=")
        if not sign:
            raise Invalid(f"write {line.strip()[:50]!r} as trait = place.in.the.answer")
        mapping[trait.strip()] = place.strip()
    return mapping


@require_POST
@requires("pulls.write")
def change(request: HttpRequest, enrichment_id: int) -> HttpResponse:
    """Try it, ask about one customer, pause or resume, or forget an enrichment."""
    return _SCREEN.change(request, enrichment_id, _do)


def _do(request: HttpRequest, doing: str, enrichment_id: int) -> str:
    if doing == "test":
        tried = api_fetching.try_enrichment(enrichment_id=enrichment_id)
        if tried.error:
            raise Invalid(f"asked about nobody real, {tried.error}")
        return f"Asked about nobody real, it answered {tried.status}."
    if doing == "ask":
        profile_id = read_number(request, "profile_id", 0)
        found = store.get_profile(profile_id=profile_id)
        api_fetching.ask_enrichment(enrichment_id=enrichment_id, profile_ids=[found.profile_id])
        api_fetching.run_enrichment(enrichment_id=enrichment_id, now=datetime.now(UTC))
        return "Asked; what came of it is counted below."
    if doing in ("pause", "resume"):
        api_fetching.switch_enrichment(enrichment_id=enrichment_id, is_enabled=doing == "resume")
        return "Paused: nobody is asked about." if doing == "pause" else "Resumed."
    if doing == "delete":
        api_fetching.delete_enrichment(enrichment_id=enrichment_id)
        return "Forgot it and its secret. What it answered stays until its time is over."
    raise Invalid("nothing is called that here")


_SCREEN: Final = Screen(
    name="enrichments",
    added="It can be asked now, about customers who allow it.",
    create=_create,
    describe=_describe,
)
