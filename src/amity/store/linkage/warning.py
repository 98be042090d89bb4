"""What a linkage warns of: little to learn from, a column that tells nothing, a blurred border."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from amity.store.linkage.model import Linkage, probability_of
from amity.store.linkage.scoring import weights_of

_FEW_MATCHES: Final = 50
_FEW_BITS: Final = 1.0
_MOSTLY_EMPTY: Final = 0.2
_BLURRED: Final = 0.1


def find_warnings(linkage: Linkage, learnt: Sequence[float]) -> tuple[str, ...]:
    """Return what whoever uses the result should know, in sentences."""
    return (*_about_pairs(linkage), *_about_columns(linkage, learnt))


def _about_pairs(linkage: Linkage) -> Iterator[str]:
    chance = probability_of(linkage.bits)
    expected = float(chance.sum())
    if expected < _FEW_MATCHES:
        yield (
            f"Only about {expected:.0f} pairs of the {len(chance):,} looked at seem to be one and"
            " the same: the weights are learnt from little, check them."
        )
    doubtful = int(np.count_nonzero((chance > 0.1) & (chance < 0.9)))
    if expected and doubtful > _BLURRED * expected:
        pairs = "pair is" if doubtful == 1 else "pairs are"
        yield (
            f"{doubtful:,} {pairs} neither clearly one nor clearly two (probability between 0.1"
            f" and 0.9), against about {expected:,.0f} matches: look at them before relying on it."
        )
    for use in linkage.keys:
        share = use.passed_over / max(1, len(linkage.cluster))
        if share > 0.05:
            name = " + ".join(part.field for part in use.parts)
            yield (
                f"Blocking key {name}: {use.passed_over:,} records share a value with more than"
                f" {linkage.model.max_block} and were not looked for by it."
            )


def _about_columns(linkage: Linkage, learnt: Sequence[float]) -> Iterator[str]:
    for comparison, matches in zip(linkage.model.comparisons, learnt, strict=True):
        name = comparison.field.name
        if matches < 1:
            yield (
                f"Column {name!r}: nothing to learn its weights from, because every blocking key"
                " contains it; they are typical values."
            )
        if linkage.filled[name] < _MOSTLY_EMPTY:
            yield f"Column {name!r} is empty in {1 - linkage.filled[name]:.0%} of the records."
        if float(np.abs(weights_of(comparison)).max()) < _FEW_BITS:
            yield f"Column {name!r} hardly tells records apart: no agreement is worth a bit."
