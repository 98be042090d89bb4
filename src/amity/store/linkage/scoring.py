"""What the agreement of a pair is worth: the weights of its grades, and of the values it agrees on.

The weight of a grade is log2(m/u). Agreeing on a rare value says more than on a common one
(Winkler's adjustment by frequency), and a coarse part of a place says little where a finer part
agrees already, since the two are not independent among strangers either.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.store.linkage.comparing import Patterns, find_patterns, grade_pairs
from amity.store.linkage.model import Bits, Comparison, Grades, Model, Rows
from amity.store.linkage.table import Table
from amity.store.linkage.training import rate_of_codes

_MOST_BITS: Final = 10.0
_FEWEST_STRANGERS: Final = 0.2
_FEWEST_HOUSEHOLDS: Final = 0.02
_TURNS: Final = 100
_ENDLESS: Final = 500.0


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
        """Return the weight of each pair in bits, without the prior: in the first row what people
        have for themselves, in the second what a household shares."""
        bits, is_counted = weigh_patterns(self.model.comparisons, patterns.grades)
        result = np.zeros((2, len(left)))
        for place, (column, rarity) in enumerate(
            zip(self.table.columns, self._rarity, strict=True)
        ):
            row = result[int(column.matcher.is_shared)]
            row += bits[place][patterns.of_pair]
            equal = np.flatnonzero(is_counted[place][patterns.of_pair])
            row[equal] += rarity[column.codes[left[equal]]]
        return result

    def weights(self, left: Rows, right: Rows, patterns: Patterns, places: Rows) -> Bits:
        """Return what each field says of these pairs, a row a field; ``places`` are theirs in the
        patterns."""
        bits, is_counted = weigh_patterns(self.model.comparisons, patterns.grades)
        of_pair = patterns.of_pair[places]
        result = bits[:, of_pair]
        for row, (column, rarity) in enumerate(zip(self.table.columns, self._rarity, strict=True)):
            equal = np.flatnonzero(is_counted[row][of_pair])
            result[row, equal] += rarity[column.codes[left[equal]]]
        return result

    def score(self, left: Rows, right: Rows) -> Bits:
        """Return the log2 odds that each pair is one person, the prior included."""
        evidence = self.evidence(left, right, self.grade(left, right))
        return odds_of(evidence, self.model.prior, self.model.household)


def odds_of(evidence: Bits, prior: float, household: float) -> Bits:
    """Return the log2 odds of one person against two, of one household or strangers."""
    one, home, strangers = _classes(evidence, prior, household)
    odds: Bits = one - np.logaddexp2(home, strangers)
    return odds


def household_odds_of(evidence: Bits, prior: float, household: float) -> Bits:
    """Return the log2 odds of two people of one household against all else."""
    one, home, strangers = _classes(evidence, prior, household)
    odds: Bits = home - np.logaddexp2(one, strangers)
    return odds


def _classes(evidence: Bits, prior: float, household: float) -> tuple[Bits, Bits, float]:
    own, shared = evidence
    home = shared + (np.log2(household) if household else -np.inf)
    return own + shared + np.log2(prior), home, float(np.log2(1 - prior - household))


def weights_of(comparison: Comparison) -> Bits:
    """Return log2(m/u) grade by grade."""
    result: Bits = np.log2(np.asarray(comparison.m)) - np.log2(np.asarray(comparison.u))
    return result


def weigh_patterns(
    comparisons: Sequence[Comparison], grades: Grades
) -> tuple[Bits, NDArray[np.bool_]]:
    """Return the bits of each field of each pattern, and where the rarity of the value counts."""
    bits = np.zeros(grades.shape)
    exact = (
        np.stack([row == _exact(one) for row, one in zip(grades, comparisons, strict=True)])
        if len(comparisons)
        else np.zeros((0, grades.shape[1]), bool)
    )
    counted = exact.copy()
    places = {one.field.name: place for place, one in enumerate(comparisons)}
    for place, one in enumerate(comparisons):
        bits[place] = np.append(0.0, weights_of(one))[grades[place] + 1]
        less = np.zeros(grades.shape[1])
        for finer, share in one.given.items():
            both = exact[place] & exact[places[finer]]
            less[both] = np.maximum(less[both], np.log2(share / one.u[_exact(one)]))
            counted[place] &= ~both
        bits[place] -= less
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


def find_priors(evidence: Bits, all_pairs: int, *, has_households: bool) -> tuple[float, float]:
    """Return the shares of all pairs that are one person, and two of one household, such that
    scoring with them gives them back.

    Pairs that were not looked at count as strangers. Where there are next to no households
    beside the matches, there are taken to be none: a badly typed record is the likelier story.
    """
    total = max(1.0, float(all_pairs))
    least, most = 1 / max(2.0, total), 0.4
    own, shared = evidence
    prior = float(np.clip((own + shared > 10).sum() / total, least, most))
    household = prior if has_households else 0.0
    # As odds and not as bits, so that a turn is a few multiplications a pair.
    one = np.exp2(np.clip(own + shared, -_ENDLESS, _ENDLESS))
    home = np.exp2(np.clip(shared, -_ENDLESS, _ENDLESS))
    for _ in range(_TURNS):
        ones, homes = prior * one, household * home
        likelihood = ones + homes + (1 - prior - household)
        fresh = float(np.clip((ones / likelihood).sum() / total, least, most))
        if has_households:
            household = float(np.clip((homes / likelihood).sum() / total, least / 100, most))
        moved, prior = abs(fresh - prior), fresh
        if moved <= 1e-6 * prior:
            break
    return prior, household if household > _FEWEST_HOUSEHOLDS * prior else 0.0


class Overlap(msgspec.Struct, frozen=True):
    """Of a part of a place and a finer one: how many pairs have both filled, and the shares of
    them that agree on the finer one, and on both."""

    place: int
    finer: int
    pairs: float
    rate: float
    joint: float


def find_overlaps(table: Table) -> tuple[Overlap, ...]:
    """Return how parts of places go together in the table, each with each finer one."""
    result = []
    for place, column in enumerate(table.columns):
        for other, finer in enumerate(table.columns):
            if not 0 < column.matcher.refines < finer.matcher.refines:
                continue
            filled = np.where(column.codes > 0, finer.codes, 0)
            rate, pairs = rate_of_codes(filled, table.side)
            # Only where the finer one is not a single record's can two agree on both.
            rows = np.flatnonzero((filled > 0) & (finer.counts > 1)[filled])
            both = filled[rows] * len(column.values) + column.codes[rows]
            agree = _count_agreeing(both, None if table.side is None else table.side[rows])
            joint = agree / pairs if pairs else 0.0
            result.append(Overlap(place, other, pairs, rate, joint))
    return tuple(result)


def _count_agreeing(codes: Rows, side: Rows | None) -> float:
    """Return how many pairs have the same number, of numbers as large as they like."""
    if side is None:
        counts = np.unique(codes, return_counts=True)[1]
        return float((counts * (counts - 1)).sum() // 2)
    one, ones = np.unique(codes[side == 0], return_counts=True)
    other, others = np.unique(codes[side == 1], return_counts=True)
    _, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return float((ones[here] * others[there]).sum())


def given_finer(
    table: Table,
    overlaps: Sequence[Overlap],
    m_exact: Sequence[float],
    u_exact: Sequence[float],
    matches: float,
) -> list[dict[str, float]]:
    """Return for each part of a place how often strangers agree on it who agree on a finer part.

    The pairs of one person are taken out; left out where hardly any stranger agrees on the finer.
    """
    result: list[dict[str, float]] = [{} for _ in table.columns]
    for one in overlaps:
        strangers = one.rate * one.pairs - matches * m_exact[one.finer]
        if strangers <= _FEWEST_STRANGERS * one.rate * one.pairs:
            continue
        agree = one.joint * one.pairs - matches * m_exact[one.finer] * m_exact[one.place]
        usual = u_exact[one.place]
        share = float(np.clip(agree / strangers, usual, m_exact[one.place]))
        if share > usual:
            result[one.place][table.columns[one.finer].field.name] = share
    return result
