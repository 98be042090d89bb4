"""Runs and removals in words, for the retention screens."""

from typing import Final

import msgspec

from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import Removal, RetentionRule, RetentionRun

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_STEP: Final = 1024.0
BASES: Final[dict[LawfulBasis, str]] = {
    "consent": "consent",
    "soft_opt_in": "soft opt-in",
    "legitimate_interest": "legitimate interest",
    "contract": "contract",
    "legal_obligation": "legal obligation",
}
"""Lawful bases in a word, for tables."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with what its last run did."""

    rule: RetentionRule
    last: RetentionRun | None
    removed: str


def size_words(size: float) -> str:
    """Return a size as people say it."""
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:,.0f} {_UNITS[unit]}" if unit < 2 else f"{size:,.1f} {_UNITS[unit]}"


def removal_words(removal: Removal, *, is_capped: bool = False) -> str:
    """Return what went, or would go, in a few words."""
    counts = [(removal.rows, "row"), (removal.files, "file")]
    parts = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
    if not parts:
        return "nothing"
    more = "more than " if is_capped else ""
    size = f" ({size_words(removal.size_bytes)})" if removal.size_bytes else ""
    return more + " and ".join(parts) + size
