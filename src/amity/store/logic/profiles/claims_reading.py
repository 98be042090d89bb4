"""What is claimed of a customer: every claim with its standing, and what she told herself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts import Profile
from amity.store.contracts_claims import (
    TRAIT_ASSERTED,
    Claim,
    How,
    Memory,
    Standing,
    SurvivorshipRule,
    TraitTruth,
)
from amity.store.logic.intake.appending import SystemEvent, record_events
from amity.store.logic.intake.decoding import MAX_TEXT
from amity.store.logic.profiles.reading import find_root, load_profiles
from amity.store.logic.profiles.survivorship import Rules
from amity.store.logic.profiles.survivorship_rules import read_rules

_SQL: Final = queries.load("amity.store")


class _Row(msgspec.Struct, frozen=True):
    """One row of the claims."""

    trait: str
    source_id: int
    how: How
    value: Any
    claimed_at: datetime
    last_confirmed_at: datetime
    recorded_at: datetime
    event_id: int
    confidence: float | None
    lawful_basis: str
    expires_at: datetime | None
    provenance: str
    origin_id: int


def list_claims(*, profile_id: int, now: datetime) -> list[TraitTruth]:
    """Return all claims about a customer's traits, by trait; raise NotFound.

    The losers are there too, with why they are not shown. What was told a moment ago may be
    missing: the claims are kept by a follower of their own.
    """
    with transaction() as connection:
        root = find_root(connection, profile_id)
        profile = load_profiles(connection=connection, profile_ids=[root])[0]
        rules, rows = read_rules(connection), _read(connection, root)
    traits: dict[str, list[_Row]] = {trait: [] for trait in profile.traits}
    for row in rows:
        traits.setdefault(row.trait, []).append(row)
    return [_judge(trait, traits[trait], profile, rules, now=now) for trait in sorted(traits)]


def _read(connection: Connection, root: int) -> list[_Row]:
    found = connection.execute(_SQL["list_claims"], {"profile_id": root}).fetchall()
    return [_Row(*row) for row in found]


def _judge(
    trait: str, rows: Sequence[_Row], profile: Profile, rules: Rules, *, now: datetime
) -> TraitTruth:
    latest: dict[tuple[int, str], _Row] = {}
    for row in rows:
        key = (row.source_id, row.how)
        latest[key] = max(latest.get(key, row), row, key=_age)
    origin = profile.trait_origins.get(trait)
    shown = (origin.source_id, origin.event_id) if origin else None
    joined = _join_origins(rows)
    claims = [
        _claim(row, latest[row.source_id, row.how], shown, now)
        for row in joined
        if row.value is not None
    ]
    claims.sort(key=lambda claim: (claim.standing != "shown", -claim.last_confirmed_at.timestamp()))
    rule = rules.find(trait)
    return TraitTruth(trait=trait, value=profile.traits.get(trait), rule=rule, claims=claims)


def _join_origins(rows: Sequence[_Row]) -> list[_Row]:
    """Join what profiles that are one now were told alike."""
    joined: dict[tuple[int, str, bytes], _Row] = {}
    for row in rows:
        key = (row.source_id, row.how, msgspec.json.encode(row.value, order="deterministic"))
        held = joined.get(key, row)
        joined[key] = msgspec.structs.replace(
            max(held, row, key=_age),
            claimed_at=min(held.claimed_at, row.claimed_at),
            recorded_at=min(held.recorded_at, row.recorded_at),
        )
    return list(joined.values())


def _claim(row: _Row, latest: _Row, shown: tuple[int, int] | None, now: datetime) -> Claim:
    standing: Standing = "outranked"
    retracted_at = None
    if shown == (row.source_id, row.event_id):
        standing = "shown"
    elif _age(latest) > _age(row):
        standing = "superseded" if latest.value is not None else "retracted"
        retracted_at = latest.last_confirmed_at if latest.value is None else None
    elif row.expires_at is not None and row.expires_at <= now:
        standing = "expired"
    fields = {name: getattr(row, name) for name in _Row.__struct_fields__}
    return Claim(**fields, standing=standing, retracted_at=retracted_at)


def _age(row: _Row) -> tuple[datetime, int]:
    return row.last_confirmed_at, row.event_id


def list_memory(*, profile_id: int) -> list[Memory]:
    """Return what a customer told about herself and has not taken back, by trait; raise NotFound.

    Of each trait what she said last, whoever heard it.
    """
    with transaction() as connection:
        rows = _read(connection, find_root(connection, profile_id))
    told: dict[str, _Row] = {}
    for row in rows:
        if row.how == "stated":
            told[row.trait] = max(told.get(row.trait, row), row, key=_age)
    return [
        Memory(
            trait=trait,
            value=told[trait].value,
            at=told[trait].last_confirmed_at,
            source_id=told[trait].source_id,
            provenance=told[trait].provenance,
        )
        for trait in sorted(told)
        if told[trait].value is not None
    ]


def list_unknown(*, profile_id: int, fields: Sequence[str]) -> list[str]:
    """Return those of some traits that nothing is known of yet: the only ones a form may ask for.

    What she told and what is shown from elsewhere both count as known, and so does what she took
    back herself: that is not asked again either.
    """
    with transaction() as connection:
        root = find_root(connection, profile_id)
        profile = load_profiles(connection=connection, profile_ids=[root])[0]
        stated = {row.trait for row in _read(connection, root) if row.how == "stated"}
    known = profile.traits.keys() | stated
    return [field for field in fields if field not in known]


def remember(*, profile_id: int, told: dict[str, Any], provenance: str, now: datetime) -> None:
    """Keep what a customer told about herself: her own claims, by trait; None takes one back.

    ``provenance`` says where: such as "preference centre". Recorded as an event; the fold takes
    it in within moments. Raises NotFound, and Invalid for a name that cannot be a trait's.
    """
    if not all(0 < len(trait) <= MAX_TEXT for trait in told):
        raise Invalid("a trait has a name", code="bad_trait")
    if not told:
        return
    properties = {"traits": told, "how": "stated", "provenance": provenance}
    with transaction() as connection:
        event = SystemEvent(
            profile_id=find_root(connection, profile_id),
            name=TRAIT_ASSERTED,
            properties=properties,
            message_id=str(uuid4()),
        )
        record_events(connection=connection, events=[event], now=now)


def find_memory(*, profile_id: int, fields: Sequence[str]) -> tuple[list[Memory], list[str]] | None:
    """Return what a customer told, and which of some traits may be asked for; None when unknown."""
    try:
        memory = list_memory(profile_id=profile_id)
        return memory, list_unknown(profile_id=profile_id, fields=fields)
    except NotFound:
        return None


def rule_words(rule: SurvivorshipRule, sources: dict[int, str]) -> str:
    """Return a rule in words; ``sources`` are their names by id."""
    order = ", then ".join(sources.get(each, f"source {each}") for each in rule.sources)
    return _WORDS[rule.kind].format(order=order)


_WORDS: Final = {
    "latest": "the latest claim is shown, whoever's it is",
    "most_trusted_source": "the most trusted source is shown: {order}, then all others",
    "highest_confidence": "the surest claim is shown, of equals the latest",
    "stated_over_inferred": (
        "what was checked comes first, then what they said, then what was recorded, and last what "
        "was worked out"
    ),
    "longest_known": "the source that spoke of it first is shown",
    "greatest": "the greatest number is shown",
    "least": "the least number is shown",
}
