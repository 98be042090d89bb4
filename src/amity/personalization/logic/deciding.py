"""`decide`: what to show one person in one place now. Pure, so that live and replay share it.

The order in which a candidate is judged never changes: lawful → preference → fatigue →
eligibility → budget → rank → explore → log.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.kernel.errors import NotFound
from amity.personalization.contracts import (
    DecidedItem,
    DecideRequest,
    Decision,
    Recommended,
    Verdict,
)
from amity.personalization.logic.facts import Facts
from amity.personalization.logic.judging import judge, may_profile
from amity.personalization.logic.snapshot import Place, Snapshot
from amity.personalization.policy import Choice, Dice

UNIFORM: Final = "uniform"
POPULARITY: Final = "popularity"
NO_PROFILING: Final = "no_profiling"
POLICY_FAILED: Final = "policy_failed"
NO_MODEL: Final = "no_model"
"""What a decision's `fallback` says; `popularity` too, when nothing went with the products."""

_MOST_PRODUCTS: Final = 50


class _Outcome(msgspec.Struct, frozen=True, array_like=True):
    items: list[DecidedItem]
    verdicts: list[Verdict]
    fallback: str = ""


def decide(
    snapshot: Snapshot,
    facts: Facts,
    request: DecideRequest,
    *,
    decision_id: UUID,
    now: datetime,
    seed: int,
) -> Decision:
    """Decide for one person; the same arguments always give the same decision.

    ``facts`` must be loaded for `snapshot.needs`. Raises NotFound for an unknown placement; that
    nothing may be shown is no error.
    """
    place = snapshot.places.get(request.placement)
    if place is None:
        raise NotFound(f"there is no placement “{request.placement}”")
    rng = Dice(seed)
    placement = place.placement
    if placement.kind == "offers":
        outcome = _decide_offers(place, facts, now, rng)
    elif placement.is_enabled:
        outcome = _decide_products(snapshot, place, facts, request.context, now)
    else:
        outcome = _Outcome([], [])
    return Decision(
        decision_id=decision_id,
        decided_at=now,
        placement=placement.key,
        kind=placement.kind,
        profile_id=facts.profile_id,
        channel=request.channel,
        policy=placement.policy,
        fallback=outcome.fallback,
        snapshot_id=snapshot.snapshot_id,
        seed=seed,
        items=outcome.items,
        verdicts=outcome.verdicts,
    )


def _decide_offers(place: Place, facts: Facts, now: datetime, rng: Dice) -> _Outcome:
    if not place.placement.is_enabled:
        return _Outcome([], [one.verdicts.switched_off for one in place.candidates])
    judged = judge(place, facts, now)
    choices, fallback = _choose(place, judged.eligible, rng, may_profile=may_profile(facts, now))
    return _Outcome(_offer_items(place, choices, fallback), judged.verdicts, fallback)


def _choose(
    place: Place,
    eligible: tuple[int, ...],
    rng: Dice,
    may_profile: bool,  # noqa: FBT001
) -> tuple[list[Choice], str]:
    """Return the choices and what stood in for the policy, if anything did."""
    slots = place.placement.slots
    if not eligible:
        return [], ""
    if not may_profile:
        return place.policy(UNIFORM).choose(eligible, slots, rng), NO_PROFILING
    try:
        return place.policy(place.placement.policy).choose(eligible, slots, rng), ""
    except Exception:
        # Whatever a policy does wrong, the customer gets an offer, and the failure is counted.
        return place.policy(UNIFORM).choose(eligible, slots, rng), POLICY_FAILED


def _offer_items(place: Place, choices: Sequence[Choice], fallback: str) -> list[DecidedItem]:
    reason = say_reason(fallback)
    items = []
    for rank, choice in enumerate(choices, start=1):
        candidate = place.candidates[choice.index]
        items.append(
            DecidedItem(
                rank=rank,
                item=candidate.key,
                propensity=choice.propensity,
                score=place.arms[choice.index].rate,
                reason=reason,
                content=candidate.content,
            )
        )
    return items


def say_reason(fallback: str) -> str:
    """Return why an offer was chosen, as a sentence."""
    return _REASONS[fallback]


_REASONS: Final = {
    "": "Chosen by what came of the offers so far.",
    NO_PROFILING: "Chosen by chance, since the customer does not want to be profiled.",
    POLICY_FAILED: "Chosen by chance, since the policy failed.",
}


def _decide_products(
    snapshot: Snapshot, place: Place, facts: Facts, context: dict[str, Any], now: datetime
) -> _Outcome:
    slots = place.placement.slots
    shown = _products_of(context)
    if not may_profile(facts, now):
        found, _ = _rank(snapshot, POPULARITY, (), shown, slots)
        return _Outcome(_product_items(snapshot, found), [], NO_PROFILING)
    wanted = shown or facts.viewed or facts.bought
    found, failed = _rank(snapshot, place.placement.policy, wanted, shown, slots)
    fallback = failed if failed or found else POPULARITY
    if place.placement.policy == POPULARITY:
        fallback = failed
    if len(found) < slots and place.placement.policy != POPULARITY:
        known = [*shown, *(one.product_id for one in found)]
        found += _rank(snapshot, POPULARITY, (), known, slots - len(found))[0]
    return _Outcome(_product_items(snapshot, found), [], fallback)


def _products_of(context: dict[str, Any]) -> list[str]:
    """Return what is looked at and what is in the basket, as far as the context can be read."""
    basket = context.get("basket")
    found = [context.get("product_id"), *(basket if isinstance(basket, list) else ())]
    kept = [str(one) for one in found[:_MOST_PRODUCTS] if isinstance(one, str | int) and one != ""]
    return list(dict.fromkeys(kept))


def _rank(
    snapshot: Snapshot, name: str, wanted: Sequence[str], exclude: Sequence[str], limit: int
) -> tuple[list[Recommended], str]:
    """Return what a recommender finds, and why it could not look if so."""
    model = snapshot.models.get(name)
    if model is None:
        return [], NO_MODEL
    try:
        found = model.recommender.rank(
            model.learnt, product_ids=wanted, exclude=exclude, limit=limit
        )
        return list(found[:limit]), ""
    except Exception:
        # As with policies: popular products are better than none.
        return [], POLICY_FAILED


def _product_items(snapshot: Snapshot, found: Sequence[Recommended]) -> list[DecidedItem]:
    return [
        DecidedItem(
            rank=rank,
            item=one.product_id,
            propensity=1.0,
            score=one.score,
            reason=_product_reason(snapshot, one),
            content=snapshot.products.get(one.product_id),
        )
        for rank, one in enumerate(found, start=1)
    ]


def _product_reason(snapshot: Snapshot, one: Recommended) -> str:
    if not one.because:
        return "Liked by many customers."
    name = snapshot.products.get(one.because).get("name") or one.because
    return f"Often bought with “{name}”."
