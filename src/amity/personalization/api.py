"""The personalization engine's door: keyword-only functions, contracts in and out."""

from datetime import datetime
from typing import Any, Unpack
from uuid import UUID

from amity.infra.warehouse import Export
from amity.kernel.pagination import Page
from amity.personalization.contracts import (
    ArmReport,
    DecideRequest,
    Decision,
    DecisionRecord,
    Offer,
    OfferChanges,
    OfferState,
    Placement,
    PlacementChanges,
    PlacementKind,
    PluginWords,
    Product,
    Recommended,
    RecommenderRun,
    Replay,
    Trouble,
)
from amity.personalization.logic import (
    decisions,
    forgetting,
    offers,
    placements,
    products,
    publishing,
    replaying,
    retention,
    rewarding,
    troubles,
    warehousing,
)
from amity.store.api_retention import Sweep
from amity.store.contracts import FoldResult

# Offers and placements


def create_placement(
    *,
    key: str,
    kind: PlacementKind,
    by: str,
    now: datetime,
    **changes: Unpack[PlacementChanges],
) -> Placement:
    """Add a placement, by default of one slot, with clicks as its goal.

    Without a policy one of offers learns by Thompson sampling and one of products recommends what
    others also bought. Raises Invalid, and Conflict when the key is taken.
    """
    return placements.create_placement(key=key, kind=kind, by=by, now=now, changes=changes)


def update_placement(
    *, placement_id: int, by: str, now: datetime, **changes: Unpack[PlacementChanges]
) -> Placement:
    """Change what is given; decisions follow within a second.

    Raises NotFound, Invalid, and Conflict when the goal would change after something was learnt.
    """
    return placements.update_placement(placement_id=placement_id, by=by, now=now, changes=changes)


def get_placement(*, placement_id: int) -> Placement:
    """Return a placement; raise NotFound when there is none."""
    return placements.get_placement(placement_id=placement_id)


def find_placement(*, key: str) -> Placement | None:
    """Return the placement of that key, or None."""
    return placements.find_placement(key=key)


def list_placements() -> list[Placement]:
    """Return all placements by name."""
    return placements.list_placements()


def create_offer(*, key: str, by: str, now: datetime, **changes: Unpack[OfferChanges]) -> Offer:
    """Add an offer, a draft at first; texts may be empty, the name is the key if none is given.

    Raises Invalid for a rule that cannot be read or names a segment that is not there, for a
    placement that is not there or shows products, for a link that is neither http(s) nor a path;
    Conflict when the key is taken.
    """
    return offers.create_offer(key=key, by=by, now=now, changes=changes)


def update_offer(
    *, offer_id: int, by: str, now: datetime, **changes: Unpack[OfferChanges]
) -> Offer:
    """Change what is given; what was learnt of the offer is kept.

    Raises NotFound, Invalid as `create_offer` does, and Conflict when it is archived.
    """
    return offers.update_offer(offer_id=offer_id, by=by, now=now, changes=changes)


def set_offer_state(*, offer_id: int, state: OfferState, by: str, now: datetime) -> Offer:
    """Take an offer live, pause it, archive it or make it a draft again.

    Raises NotFound, Invalid, and Conflict when there is nothing to show or nowhere to show it.
    """
    return offers.set_offer_state(offer_id=offer_id, state=state, by=by, now=now)


def get_offer(*, offer_id: int) -> Offer:
    """Return an offer; raise NotFound when there is none."""
    return offers.get_offer(offer_id=offer_id)


def list_offers(
    *, state: OfferState | None = None, placement_id: int | None = None, search: str = ""
) -> list[Offer]:
    """Return offers by name; ``search`` is a part of name, key or headline, in any case."""
    return offers.list_offers(state=state, placement_id=placement_id, search=search)


def report_arms(*, placement_id: int) -> list[ArmReport]:
    """Return what each offer brought in a placement, by the offer's name; see `ArmReport`.

    Offers that left the placement are there as long as anybody saw them. Raises NotFound.
    """
    return placements.report_arms(placement_id=placement_id)


def list_policies() -> list[PluginWords]:
    """Return every policy there is, in words, by title."""
    return placements.list_policies()


# Decisions


def decide(
    *,
    request: DecideRequest,
    profile_id: int | None = None,
    now: datetime,
    seed: int | None = None,
    is_logged: bool = True,
) -> Decision:
    """Decide what to show one person in one place, by all that was said before the call.

    Without a ``profile_id`` the request's identifiers say who it is; whoever is not known is
    decided for as a stranger. Loads everything for the occasion: traffic goes through `hot`.
    Raises NotFound for an unknown placement.
    """
    return decisions.decide(
        request=request, profile_id=profile_id, now=now, seed=seed, is_logged=is_logged
    )


def decide_many(
    *,
    placement: str,
    profile_ids: list[int],
    channel: str,
    context: dict[str, Any] | None = None,
    now: datetime,
) -> dict[int, Decision]:
    """Decide for many people in one place and log it all; by the ids asked for.

    A handful of statements whatever their number. Raises NotFound for an unknown placement.
    """
    return decisions.decide_many(
        placement=placement,
        profile_ids=profile_ids,
        channel=channel,
        context=context or {},
        now=now,
    )


def get_decision(*, decision_id: UUID) -> DecisionRecord:
    """Return a logged decision with what came of it; raise NotFound when there is none."""
    return decisions.get_decision(decision_id=decision_id)


def list_decisions(
    *,
    placement: str | None = None,
    profile_ids: list[int] | None = None,
    fallback_only: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DecisionRecord]:
    """Return a page of logged decisions, the latest first.

    ``placement`` is a key; ``profile_ids`` are those of one person before merges too
    (`store.api.list_joined`); ``fallback_only`` asks for those the policy did not make itself.
    """
    return decisions.list_decisions(
        placement=placement,
        profile_ids=profile_ids,
        fallback_only=fallback_only,
        cursor=cursor,
        limit=limit,
    )


def replay_decisions(
    *, since: datetime | None = None, limit: int | None = None, placement: str | None = None
) -> Replay:
    """Make logged decisions again, the latest first, and say how many came out the same.

    Some thousands a second. What is made again is compared whole: what was chosen in which order
    with which propensities, and the verdict on every candidate.
    """
    return replaying.replay_decisions(since=since, limit=limit, placement=placement)


def list_troubles(*, days: int = 7) -> list[Trouble]:
    """Return what went wrong in deciding and learning, by day, the latest first.

    `policy_failed` (by policy), `reward_late`, `reward_unknown`, `reward_not_shown` and
    `reward_other_person` (by event).
    """
    return troubles.list_troubles(days=days)


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Delete decisions and outcomes of erased profiles; return how many by table.

    What was learnt from them stays, since nobody is in it.
    """
    return forgetting.forget_profiles(profile_ids=profile_ids)


def forget_identifiers(*, values: list[str]) -> int:
    """Delete decisions for nobody known that were asked for by one of these identifiers."""
    return forgetting.forget_identifiers(values=values)


def warehouse_exports() -> list[Export]:
    """Return what the engine exports to the warehouse."""
    return warehousing.warehouse_exports()


def list_sweeps() -> list[Sweep]:
    """Return this engine's ways of forgetting, which rules of retention say the days for."""
    return retention.sweeps()


# Learning


def reward_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the rewards consumer: what came of what was shown teaches the arms.

    `events` is how many activities it read; zero means there was nothing to do, or another
    process has the turn.
    """
    return rewarding.reward_batch(now=now, limit=limit)


def publish_snapshot(*, now: datetime) -> int | None:
    """Make a new snapshot when anything it holds has changed; return its id, or None.

    What people changed is in it at once, what was learnt at most every two seconds.
    """
    return publishing.publish_snapshot(now=now)


# Recommenders


def refresh_recommenders(*, now: datetime) -> list[RecommenderRun]:
    """Learn products and what goes with what from all order lines up to ``now``.

    Takes some seconds for a million lines. Decisions use what was learnt from the next snapshot
    on; two refreshes wait for each other.
    """
    return products.refresh_recommenders(now=now)


def get_latest_recommender_run(*, recommender: str) -> RecommenderRun:
    """Return the latest learning of a recommender; raise NotFound when there is none yet."""
    return products.get_latest_run(recommender=recommender)


def list_recommenders() -> list[PluginWords]:
    """Return every recommender there is, in words."""
    return products.list_recommenders()


def recommend(*, recommender: str, product_ids: list[str], limit: int = 10) -> list[Recommended]:
    """Return what a recommender says goes with some products, the best first.

    None of ``product_ids`` is among them; empty when nothing is learnt of these. It reads the
    whole model: for people and checks, not for traffic. Raises NotFound for an unknown recommender.
    """
    return products.recommend(recommender=recommender, product_ids=product_ids, limit=limit)


def list_products(*, search: str = "", cursor: str | None = None, limit: int = 50) -> Page[Product]:
    """Return products, those with most buyers first, by a part of their name or category."""
    return products.list_products(search=search, cursor=cursor, limit=limit)


def get_products(*, product_ids: list[str]) -> dict[str, Product]:
    """Return those of these products that are known, by id."""
    return products.get_products(product_ids=product_ids)
