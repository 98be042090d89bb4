"""Learning m, u and the prior from the records alone (Fellegi & Sunter 1969; Winkler 1988).

u comes from pairs drawn at random, for equal values from how often each value stands in the table.
m comes by expectation-maximisation over the agreement patterns of the pairs that one blocking key
brought, leaving out the fields of that key, which agree there by construction; the estimates of
several keys are put together. Both are counts over patterns, so the number of pairs costs nothing.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.store.linkage.blocking import Candidates
from amity.store.linkage.comparing import Patterns, count_levels, grade_pairs
from amity.store.linkage.model import Bits, Grades, Rows
from amity.store.linkage.table import Column, Table

_RANDOM_PAIRS: Final = 200_000
_ALL_PAIRS_UP_TO: Final = 300_000
_TURNS: Final = 300
_STEADY: Final = 1e-7
_WEIGHT_OF_START: Final = 2.0
_TOP: Final = 0.85


class Estimate(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What expectation-maximisation found in one set of pairs."""

    m: list[Bits]
    matches: float
    share: float


def start_m(levels: int, exact: int) -> Bits:
    """Return where m starts: mostly equal, the lower the grade the rarer."""
    m = np.array([0.5 ** abs(level - exact) for level in range(levels)])
    m[exact] = 0
    result: Bits = m / max(m.sum(), 1e-12) * (1 - _TOP)
    result[exact] = _TOP
    return result


def agreement_rate(column: Column, side: Rows | None) -> float:
    """Return how often two records that both have a value have the same one."""
    return rate_of_codes(column.codes, side)[0]


def rate_of_codes(codes: Rows, side: Rows | None) -> tuple[float, float]:
    """Return (share of pairs that agree, number of pairs) among the filled ones."""
    if side is None:
        counts = np.bincount(codes)[1:].astype(np.float64)
        agree, filled = (counts * (counts - 1)).sum() / 2, counts.sum()
        pairs = filled * (filled - 1) / 2
    else:
        size = int(codes.max(initial=0)) + 1
        one = np.bincount(codes[side == 0], minlength=size)[1:].astype(np.float64)
        other = np.bincount(codes[side == 1], minlength=size)[1:].astype(np.float64)
        agree, pairs = (one * other).sum(), one.sum() * other.sum()
    return float(agree / pairs) if pairs else 0.0, float(pairs)


def draw_pairs(table: Table, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return pairs of records drawn at random, or all of them when they are few."""
    if table.side is None:
        first = second = np.arange(len(table))
    else:
        first, second = np.flatnonzero(table.side == 0), np.flatnonzero(table.side == 1)
    if len(first) * len(second) <= _ALL_PAIRS_UP_TO:
        left, right = (side.ravel() for side in np.meshgrid(first, second, indexing="ij"))
    else:
        left, right = rng.choice(first, _RANDOM_PAIRS), rng.choice(second, _RANDOM_PAIRS)
    kept = left < right
    return left[kept], right[kept]


def estimate_u(table: Table, rng: np.random.Generator) -> list[Bits]:
    """Return how often two records at random have each grade, field by field, never zero."""
    grades = grade_pairs(table, *draw_pairs(table, rng))
    result = []
    for place, (column, count) in enumerate(
        zip(table.columns, count_levels(table.columns), strict=True)
    ):
        seen = grades[place][grades[place] >= 0]
        exact = len(column.matcher.levels) - 1
        times = np.bincount(seen, minlength=count).astype(np.float64)
        share: Bits = (times + 0.5) / (len(seen) + 0.5 * count)
        share[exact] = max(agreement_rate(column, table.side), 1 / max(1, table.all_pairs))
        others = np.arange(count) != exact
        share[others] *= (1 - share[exact]) / share[others].sum()
        result.append(share)
    return result


def without_matches(u: Sequence[Bits], m: Sequence[Bits], prior: float, floor: float) -> list[Bits]:
    """Return u with the pairs of one person, which random pairs hold as well, taken out."""
    result = []
    for some, theirs in zip(u, m, strict=True):
        least = np.minimum(some, np.maximum(floor, some * 0.001))
        share: Bits = np.maximum((some - prior * theirs) / (1 - prior), least)
        result.append(share / share.sum())
    return result


def maximise(
    grades: Grades,
    counts: NDArray[np.float64],
    u: Sequence[Bits],
    *,
    start: Sequence[Bits],
    shared: Sequence[bool] = (),
) -> Estimate:
    """Find m and the share of matches that make these patterns most likely, u being known.

    ``grades`` has a row for each of the fields of ``u`` and a column for each pattern, seen
    ``counts`` times. The start counts as much as two pairs, so that no m becomes zero. Where some
    fields are shared by households and some are not, pairs may also be two people of one: they
    agree as one person does on the former and as strangers do on the latter.
    """
    is_shared = np.array(list(shared) or [False] * len(u), bool)
    has_households = is_shared.any() and not is_shared.all()
    shares = np.array([0.3, 0.1 * has_households, 0.0])
    shares[2] = 1 - shares.sum()
    # One column for each grade of each field, 1 where a pattern has it: then a turn is two
    # products of matrices, whatever the number of fields.
    sizes = [len(table) for table in u]
    of_field = np.repeat(np.arange(len(u)), sizes)
    has_grade = _spread(grades, sizes)
    logs_of_strangers = np.log(np.concatenate(u))
    strangers, begin = has_grade @ logs_of_strangers, np.concatenate(start)
    is_common = is_shared[of_field]
    m, matches = begin, np.zeros(grades.shape[1])
    for _ in range(_TURNS):
        logs = np.log(m)
        mixed = np.where(is_common, logs, logs_of_strangers)
        belief = _beliefs([has_grade @ logs, has_grade @ mixed, strangers], shares) * counts
        matches = belief[0]
        seen = np.where(is_common, (matches + belief[1]) @ has_grade, matches @ has_grade)
        filled = np.bincount(of_field, seen)[of_field] + _WEIGHT_OF_START
        fresh = (seen + _WEIGHT_OF_START * begin) / filled
        moved = float(np.abs(fresh - m).max(initial=0))
        m, shares = fresh, belief.sum(1) / counts.sum()
        if moved < _STEADY:
            break
    tables = np.split(m, np.cumsum(sizes)[:-1])
    return Estimate(m=tables, matches=float(matches.sum()), share=float(shares[0]))


def _spread(grades: Grades, sizes: Sequence[int]) -> Bits:
    """Return a row for each pattern with 1 in the column of each grade it has."""
    result = np.zeros((grades.shape[1], sum(sizes)))
    first = 0
    for row, size in zip(grades, sizes, strict=True):
        filled = np.flatnonzero(row >= 0)
        result[filled, first + row[filled]] = 1
        first += size
    return result


def _beliefs(likelihoods: Sequence[Bits], shares: Bits) -> Bits:
    """Return how likely each pattern is of each class, a row a class."""
    with np.errstate(divide="ignore"):
        weights = np.stack(likelihoods) + np.log(shares)[:, None]
    weights = np.exp(weights - weights.max(0))
    result: Bits = weights / weights.sum(0)
    return result


def estimate_m(
    table: Table, candidates: Candidates, patterns: Patterns, u: Sequence[Bits]
) -> tuple[list[Bits], list[float]]:
    """Return m field by field, and from how many matches each was learnt (0: it was not)."""
    names = [column.field.name for column in table.columns]
    starts = [
        start_m(count, len(column.matcher.levels) - 1)
        for column, count in zip(table.columns, count_levels(table.columns), strict=True)
    ]
    sums, weights = [np.zeros(len(start)) for start in starts], [0.0] * len(names)
    for number, use in enumerate(candidates.uses):
        inside = {part.field for part in use.parts}
        fields = [place for place, name in enumerate(names) if name not in inside]
        brought = (candidates.keys >> number) & 1
        counts = np.bincount(patterns.of_pair, brought, minlength=patterns.grades.shape[1]).astype(
            np.float64
        )
        seen = counts > 0
        if not fields or not seen.any():
            continue
        found = maximise(
            patterns.grades[fields][:, seen],
            counts[seen],
            [u[place] for place in fields],
            start=[starts[place] for place in fields],
            shared=[table.columns[place].matcher.is_shared for place in fields],
        )
        for place, m in zip(fields, found.m, strict=True):
            sums[place] += m * found.matches
            weights[place] += found.matches
    learnt = [
        some / weight if weight >= 1 else start
        for some, weight, start in zip(sums, weights, starts, strict=True)
    ]
    return learnt, weights
