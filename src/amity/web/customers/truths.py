"""A customer's traits with all that is claimed of each, in words."""

from datetime import datetime
from typing import Any, Final

import msgspec

from amity.store import api as store
from amity.store.contracts import Profile
from amity.store.contracts_claims import Claim, How, Standing, SurvivorshipRule, TraitTruth
from amity.web.customers.words import spell, value_of

_LATEST: Final = SurvivorshipRule(pattern="*", kind="latest")
HOWS: Final[dict[How, str]] = {
    "stated": "they said so",
    "inferred": "worked out",
    "observed": "on record",
    "verified": "checked",
}
STANDINGS: Final[dict[Standing, str]] = {
    "shown": "shown",
    "outranked": "another claim counts",
    "superseded": "replaced by the same source",
    "retracted": "taken back",
    "expired": "its time is over",
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it should be read: a text, or a moment."""

    text: str = ""
    moment: datetime | None = None


class ClaimLine(msgspec.Struct, frozen=True, kw_only=True):
    """One claim."""

    claim: Claim
    value: Told
    source: str
    how: str
    standing: str


class TraitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One trait: what is shown, whose word it is, and all claims."""

    name: str
    raw_name: str
    value: Told | None
    source: str
    at: datetime | None
    rule: str
    claims: list[ClaimLine]


def tell(value: Any) -> Told:
    """Return a value as it should be read."""
    told = value_of(value)
    return Told(moment=told) if isinstance(told, datetime) else Told(text=told)


def traits_of(profile: Profile, sources: dict[int, str], now: datetime) -> list[TraitLine]:
    """Return a customer's traits: those that are shown, then those of which nothing is any more."""
    truths = store.list_claims(profile_id=profile.profile_id, now=now)
    lines = [_line(truth, profile, sources) for truth in truths]
    return sorted(
        (line for line in lines if line.value or line.claims),
        key=lambda line: (line.value is None, line.name),
    )


def past_traits_of(profile: Profile, sources: dict[int, str]) -> list[TraitLine]:
    """Return the traits of a customer as she was known, without the claims behind them."""
    return [
        _line(TraitTruth(trait=name, value=value, rule=_LATEST, claims=[]), profile, sources)
        for name, value in sorted(profile.traits.items())
    ]


def _line(truth: TraitTruth, profile: Profile, sources: dict[int, str]) -> TraitLine:
    origin = profile.trait_origins.get(truth.trait)
    return TraitLine(
        name=spell(truth.trait),
        raw_name=truth.trait,
        value=None if truth.value is None else tell(truth.value),
        source=sources.get(origin.source_id, "") if origin else "",
        at=origin.at if origin else None,
        rule=store.rule_words(truth.rule, sources),
        claims=[_claim(claim, sources) for claim in truth.claims],
    )


def _claim(claim: Claim, sources: dict[int, str]) -> ClaimLine:
    return ClaimLine(
        claim=claim,
        value=tell(claim.value),
        source=sources.get(claim.source_id, f"source {claim.source_id}"),
        how=HOWS[claim.how],
        standing=STANDINGS[claim.standing],
    )
