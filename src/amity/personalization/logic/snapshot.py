"""What `decide` knows of the shop at one moment: placements, offers, posteriors, models.

A snapshot is a definition (changed by people, compiled once), the arms (changed by what
customers do, every few seconds) and models of recommenders. All three are rows of the database,
and two processes that read the same rows decide alike.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid
from amity.personalization.contracts import Goal, OfferState, PlacementKind, Stage, Verdict
from amity.personalization.logic.facts import Needs, join_needs
from amity.personalization.policy import Arm, Policy, load_policies
from amity.personalization.recommender import Recommender
from amity.rules import Mentions, Subject, compile_rule, decode_rule, mentions


class PlacementDefinition(msgspec.Struct, frozen=True, array_like=True):
    """A placement as `decide` needs it."""

    placement_id: int
    key: str
    kind: PlacementKind
    slots: int
    policy: str
    goal: Goal
    is_enabled: bool


class OfferDefinition(msgspec.Struct, frozen=True, array_like=True):
    """An offer as `decide` needs it; only those live or paused are in a definition."""

    offer_id: int
    key: str
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
    state: OfferState


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """All placements and offers, in order of their ids, and the names of segments in rules."""

    placements: list[PlacementDefinition]
    offers: list[OfferDefinition]
    segments: dict[int, str] = {}


class ArmRow(msgspec.Struct, frozen=True, array_like=True):
    """An arm as a snapshot's row keeps it."""

    placement_id: int
    offer_id: int
    alpha: float
    beta: float
    impressions: int


_encoder: Final = msgspec.msgpack.Encoder()
_definitions: Final = msgspec.msgpack.Decoder(Definition)
_arms: Final = msgspec.msgpack.Decoder(list[ArmRow])


def encode_definition(definition: Definition) -> bytes:
    """Write a definition; equal ones give equal bytes."""
    return _encoder.encode(definition)


def decode_definition(raw: bytes) -> Definition:
    """Read a definition back."""
    return _definitions.decode(raw)


def encode_arms(arms: Iterable[ArmRow]) -> bytes:
    """Write arms, in order of placement and offer."""
    return _encoder.encode(sorted(arms, key=lambda arm: (arm.placement_id, arm.offer_id)))


def decode_arms(raw: bytes) -> list[ArmRow]:
    """Read arms back."""
    return _arms.decode(raw)


class Verdicts(msgspec.Struct, frozen=True, array_like=True):
    """What can be said of one offer, said once: `decide` only picks.

    The log keeps which one was picked as its number here, so new ones come last and none may go.
    """

    passed: Verdict
    switched_off: Verdict
    paused: Verdict
    too_early: Verdict
    too_late: Verdict
    not_profiled: Verdict
    no_consent: Verdict
    capped: Verdict
    not_eligible: Verdict
    spent: Verdict


_NAMES: Final = Verdicts.__struct_fields__


class Candidate(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """An offer, compiled."""

    offer_id: int
    key: str
    content: dict[str, Any]
    is_live: bool
    is_open: bool
    """Whether it is live without a beginning or an end."""
    starts_at: datetime | None
    ends_at: datetime | None
    purpose: str
    cap_count: int | None
    cap_window: timedelta
    matches: Callable[[Subject, datetime], bool] | None
    """Whether its rule lets somebody see it; None when everybody may."""
    is_timed: bool
    """Whether the passing of time alone can change what is said of it, caps aside."""
    budget_count: int | None
    verdicts: Verdicts


class Judged(msgspec.Struct, frozen=True, eq=False):
    """What is said of all candidates of a placement to whoever has these facts."""

    verdicts: list[Verdict]
    eligible: tuple[int, ...]
    because: tuple[object, ...] = ()
    """What it was judged by."""


class CompiledDefinition(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A definition ready to decide with: compiled once, shared by many snapshots."""

    definition_id: int
    placements: Mapping[str, PlacementDefinition]
    candidates: Mapping[int, tuple[Candidate, ...]]
    """By placement."""
    needs: Needs
    judged: Mapping[int, dict[object, Judged]]
    """By placement, what was judged lately; see `judging`."""


class Place(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One placement with its candidates and what is known of each, in the same order."""

    placement: PlacementDefinition
    candidates: tuple[Candidate, ...]
    arms: tuple[Arm, ...]
    spent: frozenset[int]
    """The offers whose budget is used up."""
    is_steady: bool
    """Whether time alone changes nothing that is said of its candidates, caps aside."""
    capped: Mapping[str, Candidate]
    """By key, those with a cap."""
    judged: dict[object, Judged]
    policies: dict[str, Policy]
    """Made when first asked for."""

    def policy(self, name: str) -> Policy:
        """Return a policy for these arms; raise KeyError when there is none of that name."""
        made = self.policies.get(name)
        if made is None:
            made = self.policies[name] = load_policies()[name](self.arms)
        return made


class Model(msgspec.Struct, frozen=True, eq=False):
    """What a recommender has learnt, loaded."""

    model_id: int
    recommender: Recommender
    learnt: Any


class ProductContents(Protocol):
    """What to show of products."""

    def get(self, product_id: str, /) -> dict[str, Any]:
        """Return what to show of a product; empty when it is not known."""
        ...


class _NoProducts:
    def get(self, _product_id: str, /) -> dict[str, Any]:
        return {}


_NO_PRODUCTS: Final = _NoProducts()


class Snapshot(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """All that `decide` knows besides the person and the question."""

    snapshot_id: int
    made_at: datetime
    definition: CompiledDefinition
    places: Mapping[str, Place]
    """By the placement's key."""
    models: Mapping[str, Model]
    """By recommender."""
    products: ProductContents = _NO_PRODUCTS
    """What to show of a product. For display only: nothing is decided by it."""

    @property
    def needs(self) -> Needs:
        """What of a person is looked at."""
        return self.definition.needs


def compile_definition(definition_id: int, definition: Definition) -> CompiledDefinition:
    """Compile every rule; one that cannot be read any more lets nobody see its offer."""
    found: list[Mentions] = []
    by_placement: dict[int, list[Candidate]] = {}
    for offer in definition.offers:
        candidate = _compile_offer(offer, definition.segments, found)
        for placement_id in offer.placement_ids:
            by_placement.setdefault(placement_id, []).append(candidate)
    needs = join_needs(
        definition_id,
        found,
        purposes=frozenset(offer.purpose for offer in definition.offers if offer.purpose),
        caps={offer.key: offer.cap_days for offer in definition.offers if offer.cap_days},
        has_products=any(one.kind == "products" for one in definition.placements),
    )
    return CompiledDefinition(
        definition_id=definition_id,
        placements={placement.key: placement for placement in definition.placements},
        candidates={key: tuple(offers) for key, offers in by_placement.items()},
        needs=needs,
        judged={placement.placement_id: {} for placement in definition.placements},
    )


def make_snapshot(
    *,
    snapshot_id: int,
    made_at: datetime,
    definition: CompiledDefinition,
    arms: Sequence[ArmRow],
    models: Mapping[str, Model],
    products: ProductContents = _NO_PRODUCTS,
) -> Snapshot:
    """Put a snapshot together. An offer nobody has seen yet has the flat posterior Beta(1, 1)."""
    known = {(arm.placement_id, arm.offer_id): arm for arm in arms}
    shown: dict[int, int] = {}
    for arm in arms:
        shown[arm.offer_id] = shown.get(arm.offer_id, 0) + arm.impressions
    places = {}
    for key, placement in definition.placements.items():
        candidates = definition.candidates.get(placement.placement_id, ())
        places[key] = Place(
            placement=placement,
            candidates=candidates,
            arms=tuple(_arm(known, placement.placement_id, one.offer_id) for one in candidates),
            spent=frozenset(
                one.offer_id
                for one in candidates
                if one.budget_count is not None and shown.get(one.offer_id, 0) >= one.budget_count
            ),
            capped={one.key: one for one in candidates if one.cap_count is not None},
            is_steady=not any(one.is_timed for one in candidates),
            judged=definition.judged[placement.placement_id],
            policies={},
        )
    return Snapshot(
        snapshot_id=snapshot_id,
        made_at=made_at,
        definition=definition,
        places=places,
        models=models,
        products=products,
    )


def encode_verdicts(verdicts: Sequence[Verdict], candidates: Sequence[Candidate]) -> bytes:
    """Return a byte for each candidate: which of its verdicts was picked."""
    return bytes(
        next(code for code, name in enumerate(_NAMES) if getattr(one.verdicts, name) is verdict)
        for verdict, one in zip(verdicts, candidates, strict=False)
    )


def decode_verdicts(codes: bytes, candidates: Sequence[Candidate]) -> list[Verdict]:
    """Return the verdicts picked; none when the candidates are not known any more."""
    return [
        getattr(one.verdicts, _NAMES[code]) for code, one in zip(codes, candidates, strict=False)
    ]


def warm_up(snapshot: Snapshot, before: Snapshot) -> None:
    """Let the policies that were asked in the snapshot before prepare themselves.

    Whoever reads snapshots does it in a thread of its own, so that no customer waits for it.
    """
    for key, place in snapshot.places.items():
        used = before.places.get(key)
        if used is not None and used.policies and place.arms:
            with contextlib.suppress(Exception):  # a policy that fails is found out when it decides
                place.policy(place.placement.policy).probabilities(tuple(range(len(place.arms))))


def _arm(known: Mapping[tuple[int, int], ArmRow], placement_id: int, offer_id: int) -> Arm:
    row = known.get((placement_id, offer_id))
    return Arm(offer_id) if row is None else Arm(offer_id, row.alpha, row.beta, row.impressions)


def _compile_offer(
    offer: OfferDefinition, segments: Mapping[int, str], found: list[Mentions]
) -> Candidate:
    matches: Callable[[Subject, datetime], bool] | None = None
    words = ""
    is_timed = offer.starts_at is not None or offer.ends_at is not None
    if offer.rule is not None:
        try:
            rule = decode_rule(offer.rule)
            words = f"not for this customer; only for whoever {rule.describe(segments)}"
            found.append(mentions(rule))
            is_timed = is_timed or found[-1].is_timed
            matches = compile_rule(rule).matches
        except Invalid as error:
            # An operator that a plug-in brought can be gone.
            words, matches = f"its rule cannot be read: {error.message}", _nobody
    return Candidate(
        offer_id=offer.offer_id,
        key=offer.key,
        content={
            "headline": offer.headline,
            "body": offer.body,
            "image_url": offer.image_url,
            "action_label": offer.action_label,
            "action_url": offer.action_url,
        },
        is_live=offer.state == "live",
        is_open=offer.state == "live" and offer.starts_at is None and offer.ends_at is None,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        purpose=offer.purpose,
        cap_count=offer.cap_count,
        cap_window=timedelta(days=offer.cap_days or 0),
        matches=matches,
        is_timed=is_timed,
        budget_count=offer.budget_count,
        verdicts=_say(offer, words),
    )


def _nobody(_subject: Subject, _now: datetime) -> bool:
    return False


def _say(offer: OfferDefinition, rule_words: str) -> Verdicts:
    def stop(stage: Stage, reason: str) -> Verdict:
        return Verdict(item=offer.key, stage=stage, passed=False, reason=reason)

    starts = format_instant(offer.starts_at) if offer.starts_at else ""
    ends = format_instant(offer.ends_at) if offer.ends_at else ""
    return Verdicts(
        passed=Verdict(item=offer.key, stage="rank", passed=True, reason="may be shown"),
        switched_off=stop("lawful", "the placement is switched off"),
        paused=stop("lawful", "the offer is paused"),
        too_early=stop("lawful", f"the offer begins at {starts}"),
        too_late=stop("lawful", f"the offer ended at {ends}"),
        not_profiled=stop(
            "lawful", "the customer does not want to be profiled, and its rule would look at her"
        ),
        no_consent=stop("preference", f"no consent to “{offer.purpose}”"),
        capped=stop(
            "fatigue", f"seen {offer.cap_count} times in {offer.cap_days or 0:g} days, its cap"
        ),
        not_eligible=stop("eligibility", rule_words),
        spent=stop("budget", f"its budget of {offer.budget_count} impressions is used up"),
    )
