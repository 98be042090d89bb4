"""Claim rules: which of several claims about a trait is shown (survivorship)."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.errors import Conflict, NotFound
from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store.contracts_claims import RuleKind, SurvivorshipRule
from amity.web.api.given import given
from amity.web.api.routing import Call, SmallRowId, route

Pattern = Annotated[
    str, Meta(min_length=1, max_length=200, description="A trait, or a pattern as `address*`.")
]
Sources = Annotated[
    list[SmallRowId], Meta(max_length=100, description="The most trusted source first.")
]


class NewClaimRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule to declare."""

    pattern: Pattern
    kind: RuleKind
    sources: Sources = []


class ClaimRuleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a rule; what is absent stays."""

    kind: RuleKind | UnsetType = UNSET
    sources: Sources | UnsetType = UNSET


@route("GET", "/claim-rules", scope="profiles:read")
def list_claim_rules() -> Page[SurvivorshipRule]:
    """List the rules that pick which claim of a trait is shown, by pattern."""
    return Page(store.list_survivorship_rules())


@route(
    "POST", "/claim-rules", scope="profiles:write", status=201, location="/claim-rules/{it.pattern}"
)
def create_claim_rule(body: NewClaimRule, call: Call) -> SurvivorshipRule:
    """Declare which claim is shown of the traits a pattern fits; 409 when there is a rule for it.

    Profiles are looked through again in the background.
    """
    pattern = body.pattern.strip()
    if any(rule.pattern == pattern for rule in store.list_survivorship_rules()):
        raise Conflict(f"there is a rule for {pattern!r} already", code="rule_exists")
    rule = SurvivorshipRule(pattern=pattern, kind=body.kind, sources=body.sources)
    return store.set_survivorship_rule(rule=rule, by=call.caller, now=call.now)


@route("GET", "/claim-rules/{pattern}", scope="profiles:read")
def get_claim_rule(pattern: Pattern) -> SurvivorshipRule:
    """Get the rule of a pattern."""
    for rule in store.list_survivorship_rules():
        if rule.pattern == pattern:
            return rule
    raise NotFound(f"there is no rule for {pattern!r}")


@route("PATCH", "/claim-rules/{pattern}", scope="profiles:write")
def update_claim_rule(pattern: Pattern, body: ClaimRuleChange, call: Call) -> SurvivorshipRule:
    """Change the rule of a pattern; profiles are looked through again in the background."""
    rule = msgspec.structs.replace(get_claim_rule(pattern), **given(body))
    return store.set_survivorship_rule(rule=rule, by=call.caller, now=call.now)


@route("DELETE", "/claim-rules/{pattern}", scope="profiles:write")
def remove_claim_rule(pattern: Pattern) -> None:
    """Take a rule away: the latest claim is shown again."""
    store.remove_survivorship_rule(pattern=pattern)
