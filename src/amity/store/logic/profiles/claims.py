"""What an event says about traits (pure): the one reading that the fold and the claims share."""

from datetime import datetime
from typing import Any, Final, cast, get_args

import msgspec

from amity.store.contracts import SourceKind
from amity.store.contracts_claims import TRAIT_ASSERTED, How
from amity.store.logic.intake.decoding import MAX_TEXT
from amity.store.logic.intake.parsing import read_instant

_HOWS: Final = frozenset(get_args(How))
_NOT_TRAITS: Final = frozenset({"_sanitized"})
OBSERVED: Final[How] = "observed"
"""What `identify` calls and imports are taken for: a system told what it has on record."""


class Assertion(msgspec.Struct, frozen=True, gc=False):
    """What one event says of one trait; a value of None says that there is none."""

    trait: str
    value: Any
    how: How = OBSERVED
    confidence: float | None = None
    lawful_basis: str = ""
    expires_at: datetime | None = None
    provenance: str = ""


def list_assertions(
    kind: str, name: str, properties: dict[str, Any], source_kind: SourceKind
) -> list[Assertion]:
    """Return what an event says of traits: ``kind`` is its type, ``name`` its name in the timeline.

    An `identify` claims its traits. A track `Trait Asserted` claims `value` of `trait`, or each of
    its `traits`, with what is known about the claim; what cannot be read of that is left out. A
    browser's key is public, so nothing it says is verified.
    """
    if kind == "identify":
        return [
            Assertion(trait, value)
            for trait, value in properties.items()
            if trait not in _NOT_TRAITS
        ]
    if kind != "track" or name != TRAIT_ASSERTED:
        return []
    how = properties.get("how")
    how = cast("How", how) if isinstance(how, str) and how in _HOWS else OBSERVED
    if how == "verified" and source_kind == "browser":
        how = OBSERVED
    return [
        Assertion(
            trait=trait,
            value=value,
            how=how,
            confidence=_read_share(properties.get("confidence")),
            lawful_basis=_read_text(properties.get("lawful_basis")),
            expires_at=_read_moment(properties.get("expires_at")),
            provenance=_read_text(properties.get("provenance")),
        )
        for trait, value in _asserted(properties).items()
        if 0 < len(trait) <= MAX_TEXT and trait not in _NOT_TRAITS
    ]


def _asserted(properties: dict[str, Any]) -> dict[str, Any]:
    many = properties.get("traits")
    found = dict(many) if isinstance(many, dict) else {}
    trait = properties.get("trait")
    if isinstance(trait, str) and "value" in properties:
        found[trait] = properties["value"]
    return found


def _read_share(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def _read_text(value: Any) -> str:
    return " ".join(value.split())[:MAX_TEXT] if isinstance(value, str) else ""


def _read_moment(value: Any) -> datetime | None:
    return read_instant(value) if isinstance(value, str) else None
