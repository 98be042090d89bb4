"""What to be told before believing a model: leaks, drift, a base rate that moved.

Leakage is knowledge that came only with the answer. It cannot be seen for sure, but a single
column that all but tells the answer is hardly ever a fact from before.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.measures import auc
from amity.analysis.logic.learning.splitting import Split
from amity.kernel.estimate import Estimate

IMPLAUSIBLE_AUC: Final = 0.95
_IMPLAUSIBLE_OF_TWO: Final = 0.85
"""The same for a column that knows two values only: such a fact that tells as much is nearly always
the answer by another name, even where some rows of it are wrong."""
_STANDS_OUT_AUC: Final = 0.85
_STANDS_OUT: Final = 2.5
"""How many times as far apart as any other a column holds the two kinds, to be suspected sooner: a
noisy copy of the answer stands out so, while facts from before tell much the same of a customer."""
MOVED: Final = 0.25
"""Population stability index above which a column is said to have moved (Siddiqi 2006)."""
_BINS: Final = 10
_TWO: Final = 2
_SHOWN: Final = 5
_PRIOR: Final = 5.0
_SURE: Final = 3.29
"""Standard errors that chance passes once in a thousand times."""
_NORMAL: Final = NormalDist()
_ANY_BY_CHANCE: Final = 0.01
"""How often chance alone may make any of the columns look moved."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, by column, and the warnings that come of it."""

    auc_alone: dict[str, float]
    """How well each column alone tells the answer, 0.5 or more, on rows it was not read off."""
    drift: dict[str, float]
    """Population stability index between the first rows and the last; empty without time."""
    warnings: list[str]


def watch(columns: Sequence[Column], label: FloatArray, split: Split) -> Watch:
    """Look for leaks in all rows, and for drift between the first and the last."""
    alone = {column.name: auc_of_one(column, label) for column in columns}
    limits = {column.name: _implausible(column) for column in columns}
    warnings = [
        f"leakage suspected: {name!r} alone tells the answer (AUC {value:.3f}). Was it known "
        "before? If not, leave it out with --ignore"
        for name, value in alone.items()
        if value >= limits[name]
    ]
    warnings += _suspect_blanks(columns, label, alone)
    warnings += _suspect_one_that_stands_out(alone, limits)
    drift: dict[str, float] = {}
    if split.kind == "time":
        drift = {column.name: drift_of(column, split.learn, split.judge) for column in columns}
        sizes = len(split.learn), len(split.judge)
        warnings += warn_drift(drift, "in the last rows than in the first", sizes)
        warnings += _warn_base_rate(label[split.learn], label[split.judge])
    return Watch(auc_alone=alone, drift=drift, warnings=warnings)


def warn_together(found: Estimate, told: Sequence[str]) -> list[str]:
    """Say when all columns together tell the answer, unless one of them was named already."""
    if found.low < IMPLAUSIBLE_AUC or any(each.startswith("leakage") for each in told):
        return []
    return [
        f"leakage suspected: the columns together tell the answer on rows held out (AUC "
        f"{found.value:.3f}), which what was known before hardly ever does; look at those with the "
        "largest weight"
    ]


def _suspect_one_that_stands_out(
    alone: Mapping[str, float], limits: Mapping[str, float]
) -> list[str]:
    """Say when one column tells the answer far better than any other, if not named already.

    An AUC is compared as the distance between two bells of one width that have it.
    """
    if len(alone) < _TWO:
        return []
    name, *others = sorted(alone, key=lambda name: -alone[name])
    apart, next_apart = (_NORMAL.inv_cdf(min(alone[each], 0.999999)) for each in (name, others[0]))
    if alone[name] < _STANDS_OUT_AUC or alone[name] >= limits[name]:
        return []
    if apart < _STANDS_OUT * next_apart:
        return []
    return [
        f"leakage suspected: {name!r} alone tells the answer far better (AUC {alone[name]:.3f}) "
        f"than any other column ({alone[others[0]]:.3f}), as a copy of it would. Was it known "
        "before? If not, leave it out with --ignore"
    ]


def _implausible(column: Column) -> float:
    """Return the AUC from which a column alone is suspected."""
    known = column.values[~np.isnan(column.values)]
    if column.kind == "level":
        said = np.array([bool(level) for level in column.levels])
        known = known[said[known.astype(np.int64)]]
    return _IMPLAUSIBLE_OF_TWO if len(np.unique(known)) <= _TWO else IMPLAUSIBLE_AUC


def auc_of_one(column: Column, label: FloatArray) -> float:
    """Return how well one column tells the answer, in either direction.

    Numbers by their order, with and without those missing; kinds by the share that did it among
    the other half of the rows.
    """
    if column.kind == "number":
        known = ~np.isnan(column.values)
        # Whether it is known at all is told apart from what it says.
        by_presence = _either_way(known * 1.0, label)
        if len(np.unique(label[known])) < 2:
            return by_presence
        return max(by_presence, _either_way(column.values[known], label[known]))
    score = np.empty(len(label))
    codes = column.values.astype(np.int64)
    even = np.arange(len(label)) % 2 == 0
    for inside in (even, ~even):
        base = label[~inside].mean()
        count = np.bincount(codes[~inside], minlength=len(column.levels))
        did = np.bincount(codes[~inside], label[~inside], len(column.levels))
        score[inside] = ((did + _PRIOR * base) / (count + _PRIOR))[codes[inside]]
    return _either_way(score, label)


def _either_way(score: FloatArray, label: FloatArray) -> float:
    if np.ptp(label) == 0 or np.ptp(score) == 0:
        return 0.5
    value = auc(score, label)
    return max(value, 1 - value)


def _suspect_blanks(
    columns: Sequence[Column], label: FloatArray, alone: dict[str, float]
) -> list[str]:
    """Say of columns that are filled in for nearly only those who did, or nearly only others."""
    warnings = []
    for column in columns:
        blank = (
            np.isnan(column.values)
            if column.kind == "number"
            else np.array([not level for level in column.levels])[column.values.astype(np.int64)]
        )
        told = _either_way(blank * 1.0, label)
        if told >= 0.9 and alone[column.name] < IMPLAUSIBLE_AUC:
            warnings.append(
                f"leakage suspected: whether {column.name!r} is filled in tells the answer "
                f"(AUC {told:.3f})"
            )
    return warnings


def warn_drift(drift: Mapping[str, float], where: str, sizes: tuple[int, int]) -> list[str]:
    """Say in one sentence which columns moved, the farthest first; nothing when none did.

    ``sizes`` is of how many rows each: of few rows chance alone makes the index large.
    """
    least = max(MOVED, _by_chance(sizes, len(drift)))
    moved = sorted((name for name in drift if drift[name] > least), key=lambda name: -drift[name])
    if not moved:
        return []
    shown = ", ".join(f"{name!r} (PSI {drift[name]:.2f})" for name in moved[:_SHOWN])
    more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return [f"drift: {shown}{more}: spread otherwise {where}"]


def _by_chance(sizes: tuple[int, int], columns: int) -> float:
    """Return the index that chance gives any of some columns once in a hundred times.

    Where nothing moved it is chi squared over the bins, times the sum of 1 / size (Yurdakul and
    Naranjo, Statistical properties of the population stability index, Journal of Risk Model
    Validation 14, 2020).
    """
    from scipy.special import chdtri  # noqa: PLC0415  # loads slowly

    if not columns or not min(sizes):
        return 0.0
    return float(chdtri(_BINS, _ANY_BY_CHANCE / columns)) * sum(1 / size for size in sizes)


def drift_of(column: Column, first: IntArray, last: IntArray) -> float:
    """Return the population stability index of a column between two sets of rows."""
    bins = _bin(column, first)
    size = int(bins.max()) + 1
    before, after = (
        (np.bincount(bins[rows], minlength=size) + 0.5) / (len(rows) + 0.5 * size)
        for rows in (first, last)
    )
    return float(np.sum((after - before) * np.log(after / before)))


def _bin(column: Column, first: IntArray) -> IntArray:
    """Return tenths of the first rows' numbers, or the commonest kinds; missing is one more."""
    if column.kind == "level":
        codes = column.values.astype(np.int64)
        counts = np.bincount(codes[first], minlength=len(column.levels))
        rank = np.empty(len(counts), np.int64)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        return np.minimum(rank, _BINS)[codes]
    known = column.values[first][~np.isnan(column.values[first])]
    cuts = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, cuts)) if len(known) else np.zeros(0)
    bins = np.searchsorted(edges, column.values, side="left") + 1
    return np.where(np.isnan(column.values), 0, bins).astype(np.int64)


def _warn_base_rate(first: FloatArray, last: FloatArray) -> list[str]:
    before, after = float(first.mean()), float(last.mean())
    pooled = (first.sum() + last.sum()) / (len(first) + len(last))
    error = math.sqrt(pooled * (1 - pooled) * (1 / len(first) + 1 / len(last)))
    if error == 0 or abs(after - before) < _SURE * error:
        return []
    return [
        f"the base rate moved: {before:.1%} did it in the first part of the time, {after:.1%} in "
        "the last, more than chance gives; probabilities learnt from the first are off by as much"
    ]
