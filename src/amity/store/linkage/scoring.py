"""What the agreement of a pair is worth: the weights of its grades, and of the values it agrees on.

The weight of a grade is log2(m/u). Agreeing on a rare value says more than on a common one
(Winkler's adjustment by frequency), and a coarse part of a place says little where a finer part
agrees already, since the two are not independent among strangers either.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from amity.store.linkage.comparing import Patterns, find_patterns, grade_pairs
from amity.store.linkage.model import Bits, Comparison, Grades, Model, Rows
from amity.store.linkage.table import Table
from amity.store.linkage.training import rate_of_codes

_MOST_BITS: Final = 10.0
_FEWEST_STRANGERS: Final = 0.2
_TURNS: Final = 100


class Scorer:
    """Scores pairs of one table by one model; ``prior`` may be left out while it is sought."""

    def __init__(self, model: Model, table: Table) -> None:
        self.model = model
        self.table = table
        self.levels = [len(comparison.levels) for comparison in model.comparisons]
        self._rarity = [
            _rarity(column.counts, comparison.chance)
            for column, comparison in zip(table.columns, model.comparisons, strict=True)
        ]

    def grade(self, left: Rows, right: Rows) -> Patterns:
        """Return how these pairs agree."""
        return find_patterns(grade_pairs(self.table, left, right), self.levels)

    def evidence(self, left: Rows, right: Rows, patterns: Patterns) -> Bits:
        """Return the weight of each pair in bits, without the prior."""
        bits, is_counted = weigh_patterns(self.model.comparisons, patterns.grades)
        result: Bits = bits[patterns.of_pair]
        for place, rarity in enumerate(self._rarity):
            equal = np.flatnonzero(is_counted[place][patterns.of_pair])
            result[equal] += rarity[self.table.columns[place].codes[left[equal]]]
        return result

    def score(self, left: Rows, right: Rows) -> Bits:
        """Return the log2 odds that each pair is one person, the prior included."""
        found: Bits = self.evidence(left, right, self.grade(left, right))
        return found + prior_bits(self.model.prior)


def prior_bits(prior: float) -> float:
    """Return the log2 odds of a probability."""
    return float(np.log2(prior) - np.log2(1 - prior))


def weights_of(comparison: Comparison) -> Bits:
    """Return log2(m/u) grade by grade."""
    result: Bits = np.log2(np.asarray(comparison.m)) - np.log2(np.asarray(comparison.u))
    return result


def weigh_patterns(
    comparisons: Sequence[Comparison], grades: Grades
) -> tuple[Bits, NDArray[np.bool_]]:
    """Return the bits of each pattern, and on which fields the rarity of the value is to count."""
    bits = np.zeros(grades.shape[1])
    exact = (
        np.stack([row == _exact(one) for row, one in zip(grades, comparisons, strict=True)])
        if len(comparisons)
        else np.zeros((0, grades.shape[1]), bool)
    )
    counted = exact.copy()
    places = {one.field.name: place for place, one in enumerate(comparisons)}
    for place, one in enumerate(comparisons):
        bits += np.append(0.0, weights_of(one))[grades[place] + 1]
        less = np.zeros(grades.shape[1])
        for finer, share in one.given.items():
            both = exact[place] & exact[places[finer]]
            less[both] = np.maximum(less[both], np.log2(share / one.u[_exact(one)]))
            counted[place] &= ~both
        bits -= less
    return bits, counted


def _exact(comparison: Comparison) -> int:
    return len(comparison.levels) - 1 - bool(comparison.exchanged_with)


def _rarity(counts: Rows, chance: float) -> Bits:
    """Return for each value how many bits more or fewer agreeing on it is worth than on average."""
    filled = max(2.0, float(counts[1:].sum()))
    others = np.maximum(counts - 1, 1) / (filled - 1)
    bits: Bits = np.log2(max(chance, 1 / filled**2)) - np.log2(others)
    bits[0] = 0
    return np.clip(bits, -_MOST_BITS, _MOST_BITS)


def find_prior(evidence: Bits, all_pairs: int) -> float:
    """Return the share of all pairs that are one person, such that scoring with it gives it back.

    Pairs that were not looked at count as strangers.
    """
    least = 1 / max(2.0, float(all_pairs))
    prior = min(0.5, max(least, float((evidence > 10).sum()) / max(1, all_pairs)))
    for _ in range(_TURNS):
        odds = np.exp2(-np.clip(evidence + prior_bits(prior), -500, 500))
        fresh = min(0.5, max(least, float((1 / (1 + odds)).sum()) / max(1, all_pairs)))
        if abs(fresh - prior) <= 1e-6 * prior:
            break
        prior = fresh
    return prior


def given_finer(
    table: Table, m_exact: Sequence[float], u_exact: Sequence[float], matches: float
) -> list[dict[str, float]]:
    """Return for each part of a place how often strangers agree on it who agree on a finer part.

    Counted over the table, the pairs of one person taken out; left out where hardly any stranger
    agrees on the finer part.
    """
    result: list[dict[str, float]] = []
    for place, column in enumerate(table.columns):
        given: dict[str, float] = {}
        for other, finer in enumerate(table.columns):
            if not 0 < column.matcher.refines < finer.matcher.refines:
                continue
            filled = np.where(column.codes > 0, finer.codes, 0)
            both = np.where(filled > 0, filled * len(column.values) + column.codes, 0)
            both = np.unique(np.append(0, both), return_inverse=True)[1][1:]
            rate, pairs = rate_of_codes(filled, table.side)
            joint, _ = rate_of_codes(both, table.side)
            strangers = rate * pairs - matches * m_exact[other]
            if strangers > _FEWEST_STRANGERS * rate * pairs:
                agree = joint * pairs - matches * m_exact[other] * m_exact[place]
                given[finer.field.name] = float(
                    np.clip(agree / strangers, u_exact[place], m_exact[place])
                )
        result.append({name: share for name, share in given.items() if share > u_exact[place]})
    return result
