"""All that crosses the personalization engine's doors: frozen, and without any database in it."""

from datetime import date, datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

import msgspec

from amity.store.contracts_events import EventWords

PlacementKind = Literal["offers", "products"]
Goal = Literal["click", "order", "metric"]
"""What counts as success; of a metric of the catalogue, anything above nothing."""
OfferState = Literal["draft", "live", "paused", "archived"]
Stage = Literal["lawful", "preference", "fatigue", "eligibility", "budget", "rank"]
"""The order in which a candidate is judged; it never changes."""
OutcomeKind = Literal["impression", "click", "order", "unsubscribe", "metric"]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A place where something can be shown."""

    placement_id: int
    key: str
    name: str
    description: str
    kind: PlacementKind
    slots: int
    policy: str
    """Of offers a policy (`thompson`), of products a recommender (`also_bought`)."""
    goal: Goal
    goal_metric: str
    """The metric of the catalogue, when that is the goal."""
    goal_version: int
    """The version of it that what is learnt here is about."""
    is_enabled: bool
    created_by: str
    created_at: datetime
    updated_at: datetime


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be shown, and to whom."""

    offer_id: int
    key: str
    name: str
    headline: str
    body: str
    image_url: str
    action_label: str
    action_url: str
    placement_ids: list[int]
    rule: dict[str, Any] | None
    """Who may see it; None means everybody."""
    words: str
    """The rule in words."""
    purpose: str
    """The consent needed to show it; "" means none."""
    cap_count: int | None
    cap_days: float | None
    budget_count: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    state: OfferState
    created_by: str
    created_at: datetime
    updated_at: datetime


class PlacementChanges(TypedDict, total=False):
    """What can be said of a placement, besides its key and kind, which stay."""

    name: str
    description: str
    slots: int
    policy: str
    goal: Goal
    goal_metric: str
    is_enabled: bool


class OfferChanges(TypedDict, total=False):
    """What can be said of an offer, besides its key, which stays, and its state."""

    name: str
    headline: str
    body: str
    image_url: str
    action_label: str
    action_url: str
    placement_ids: list[int]
    rule: dict[str, Any] | None
    purpose: str
    cap_count: int | None
    cap_days: float | None
    budget_count: int | None
    starts_at: datetime | None
    ends_at: datetime | None


class ArmReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an offer brought in a placement so far.

    Rates are per impression, with a 95 % interval of the posterior. ``share`` is the probability
    that the policy chooses it first where all live offers of the placement are eligible.
    """

    placement_id: int
    offer_id: int
    impressions: int
    clicks: int
    orders: int
    revenue_minor: int
    unsubscribes: int
    rate: float | None
    low: float | None
    high: float | None
    share: float | None


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: who is there, where, and what is known of the moment.

    ``identifiers``: `user_id`, `anonymous_id`, `email`, `phone`. ``context`` is open: `product_id`
    (what is looked at) and `basket` (a list of product ids) mean something to recommenders.
    """

    placement: str
    identifiers: dict[str, str] = {}
    context: dict[str, Any] = {}
    channel: str = "web"


class DecidedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing chosen, with how likely that was."""

    rank: int
    item: str
    """An offer's key or a product's id."""
    propensity: float
    """The probability with which it was chosen for this rank, given the ranks before."""
    score: float
    """What it was ranked by: of offers the estimated success rate, of products the likeness."""
    reason: str
    """One sentence for people."""
    content: dict[str, Any]
    """What to show: `headline`, `body`, `image_url`, `action_label`, `action_url`; of a product
    `name`, `category`, `price`, `currency`, `image_url`."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one candidate: passed on to ranking, or stopped at a stage, and why."""

    item: str
    stage: Stage
    passed: bool
    reason: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided for one person in one place at one moment, and how."""

    decision_id: UUID
    decided_at: datetime
    placement: str
    kind: PlacementKind
    profile_id: int | None
    channel: str
    policy: str
    fallback: str
    """What stood in for the policy and why; "" when it chose itself."""
    snapshot_id: int
    seed: int
    items: list[DecidedItem]
    verdicts: list[Verdict]


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as logged, with what was asked and what came of it."""

    decision: Decision
    request: DecideRequest
    outcomes: list["Outcome"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one thing shown."""

    item: str
    kind: OutcomeKind
    occurred_at: datetime
    value_minor: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Logged decisions made again from their snapshot, profile and seed."""

    replayed: int
    same: int
    different: list[UUID]
    """The first hundred."""
    missing: int
    """Of which the snapshot or the model is gone."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product as learnt from order lines."""

    product_id: str
    name: str
    category: str
    image_url: str
    price_minor: int | None
    currency: str
    buyers: int
    last_sold_at: datetime | None


class Recommended(msgspec.Struct, frozen=True, kw_only=True):
    """One product that goes with others, and how much."""

    product_id: str
    score: float
    because: str
    """The product it goes with; "" when it is merely liked by many."""


class RecommenderRun(msgspec.Struct, frozen=True, kw_only=True):
    """One fitting of a recommender."""

    model_id: int
    recommender: str
    made_at: datetime
    items: int
    baskets: int
    report: dict[str, Any]


class PluginWords(msgspec.Struct, frozen=True, kw_only=True):
    """A policy or a recommender, for people."""

    name: str
    title: str
    words: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """How often something went wrong on one day (UTC)."""

    day: date
    kind: str
    name: str
    count: int


_SHOWN = {
    "decision_id": "the decision that chose it; without one it teaches nothing",
    "promotion_id": "the offer's key",
    "placement": "the placement's key",
}

EVENTS: tuple[EventWords, ...] = (
    EventWords(
        name="Promotion Viewed",
        words="An offer was seen: an impression. Caps count these.",
        properties=_SHOWN,
    ),
    EventWords(
        name="Promotion Clicked",
        words="An offer was clicked: it rewards the policy that chose it.",
        properties=_SHOWN,
    ),
    EventWords(
        name="Product List Viewed",
        words="Recommended products were seen.",
        properties={
            "decision_id": "the decision that chose them",
            "products": "a list with `product_id`",
        },
    ),
    EventWords(
        name="Product Clicked",
        words="A recommended product was clicked.",
        properties={"decision_id": "the decision that chose it", "product_id": "the product"},
    ),
)
"""The events the personalization engine gives a meaning to."""
