"""Enrichments: others who are asked about customers that allow it, and what is taken of answers."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api_fetching
from amity.store.contracts_hooks import Enrichment, EnrichmentKey, EnrichmentPlan
from amity.store.contracts_outbound import Attempt
from amity.web.api.documents_doors import EnrichmentDocument, pick
from amity.web.api.given import given
from amity.web.api.routing import Call, RowId, SmallRowId, route

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Url = Annotated[
    str, Meta(max_length=2000, description="`{value}` stands where the identifier goes.")
]
Purpose = Annotated[str, Meta(min_length=1, max_length=100)]
Basis = Annotated[str, Meta(max_length=50)]
Mapping = Annotated[
    dict[str, str], Meta(max_length=50, description="Each trait, and its place in the answer.")
]
Header = Annotated[str, Meta(max_length=61)]
Secret = Annotated[str, Meta(max_length=2000, description="Never shown again.")]
Confidence = Annotated[float, Meta(ge=0, le=1)]
Days = Annotated[int, Meta(ge=1, le=3650)]
Rate = Annotated[int, Meta(ge=1, le=6000)]


class NewEnrichment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody to ask about customers."""

    name: Name
    source_id: SmallRowId
    url: Url
    key: EnrichmentKey
    purpose: Purpose
    lawful_basis: Basis
    mapping: Mapping
    header: Header | UnsetType = UNSET
    secret: Secret = ""
    confidence: Confidence | UnsetType = UNSET
    ttl_days: Days | UnsetType = UNSET
    per_minute: Rate | UnsetType = UNSET
    is_automatic: bool | UnsetType = UNSET


class EnrichmentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an enrichment; what is absent stays, the secret too."""

    name: Name | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    key: EnrichmentKey | UnsetType = UNSET
    purpose: Purpose | UnsetType = UNSET
    lawful_basis: Basis | UnsetType = UNSET
    mapping: Mapping | UnsetType = UNSET
    header: Header | UnsetType = UNSET
    secret: Secret | UnsetType = UNSET
    confidence: Confidence | UnsetType = UNSET
    ttl_days: Days | UnsetType = UNSET
    per_minute: Rate | UnsetType = UNSET
    is_automatic: bool | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


class CustomersToAsk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """About whom to ask."""

    profile_ids: Annotated[list[RowId], Meta(min_length=1, max_length=1000)]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers wait to be asked about."""

    waiting: int


class EnrichmentProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A customer nothing was learned about, and why."""

    profile_id: int
    state: str
    reason: str


@route("GET", "/enrichments", scope="sources:read")
def list_enrichments() -> Page[Enrichment]:
    """List who is asked about customers and how that goes, by name."""
    return Page(api_fetching.list_enrichments())


@route(
    "POST",
    "/enrichments",
    scope="sources:write",
    status=201,
    location="/enrichments/{it.enrichment_id}",
)
def create_enrichment(body: NewEnrichment, call: Call) -> EnrichmentDocument:
    """Begin to ask somebody, about customers who allow the purpose."""
    fields = given(body)
    secret, source_id = fields.pop("secret"), fields.pop("source_id")
    made = api_fetching.create_enrichment(
        plan=EnrichmentPlan(**fields), source_id=source_id, secret=secret, by=call.caller
    )
    return pick(EnrichmentDocument, made)


@route("GET", "/enrichments/{enrichment_id}", scope="sources:read")
def get_enrichment(enrichment_id: SmallRowId) -> EnrichmentDocument:
    """Get an enrichment as it was set up; its secret is never shown."""
    return pick(EnrichmentDocument, api_fetching.get_enrichment(enrichment_id=enrichment_id))


@route("PATCH", "/enrichments/{enrichment_id}", scope="sources:write")
def update_enrichment(enrichment_id: SmallRowId, body: EnrichmentChange) -> EnrichmentDocument:
    """Change how somebody is asked; pause or resume it."""
    changes = given(body)
    is_enabled, secret = changes.pop("is_enabled", None), changes.pop("secret", None)
    if changes or secret is not None:
        held = api_fetching.get_enrichment(enrichment_id=enrichment_id).plan
        plan = msgspec.structs.replace(held, **changes)
        api_fetching.update_enrichment(enrichment_id=enrichment_id, plan=plan, secret=secret)
    if is_enabled is not None:
        api_fetching.switch_enrichment(enrichment_id=enrichment_id, is_enabled=is_enabled)
    return get_enrichment(enrichment_id)


@route("DELETE", "/enrichments/{enrichment_id}", scope="sources:write")
def delete_enrichment(enrichment_id: SmallRowId) -> None:
    """Forget it and its secret; what it answered stays until its time is over."""
    api_fetching.delete_enrichment(enrichment_id=enrichment_id)


@route("GET", "/enrichments/{enrichment_id}/health", scope="sources:read")
def get_enrichment_health(enrichment_id: SmallRowId) -> Enrichment:
    """Say how asking goes: answered, unknown, withheld, waiting, failed, and what failed last."""
    return api_fetching.get_enrichment(enrichment_id=enrichment_id)


@route("GET", "/enrichments/{enrichment_id}/problems", scope="sources:read")
def list_enrichment_problems(enrichment_id: SmallRowId) -> Page[EnrichmentProblem]:
    """List customers nothing was learned about, the latest first."""
    api_fetching.get_enrichment(enrichment_id=enrichment_id)
    found = api_fetching.list_enrichment_problems(enrichment_id=enrichment_id)
    return Page(
        [
            EnrichmentProblem(profile_id=profile_id, state=state, reason=reason)
            for profile_id, state, reason in found
        ]
    )


@route("POST", "/enrichments/{enrichment_id}/test", scope="sources:write")
def try_enrichment(enrichment_id: SmallRowId) -> Attempt:
    """Ask about nobody real at once; `error` is empty when the other side answered."""
    return api_fetching.try_enrichment(enrichment_id=enrichment_id)


@route("POST", "/enrichments/{enrichment_id}/ask", scope="sources:write", status=202)
def ask_enrichment(enrichment_id: SmallRowId, body: CustomersToAsk) -> Asked:
    """Have it asked about these customers soon, also about whom it was before."""
    ids = body.profile_ids
    return Asked(waiting=api_fetching.ask_enrichment(enrichment_id=enrichment_id, profile_ids=ids))
