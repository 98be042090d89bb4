"""Satisfaction from a survey that not everybody answers.

Those who answer are not those who were asked. What is known of both, answering or not, says how
likely each was to answer and what such customers say; put together (doubly robust: Robins,
Rotnitzky and Zhao 1994) that gives the figure all who were asked would have given, as far as what
is known tells them apart.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.learning.calibrating import expit
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.measures import (
    CalibrationGroup,
    auc_interval,
    group_by_probability,
)
from amity.analysis.logic.learning.models import fit_adding
from amity.analysis.logic.uplift.judging import Z95, mean_of
from amity.analysis.logic.uplift.learners import draw_folds
from amity.analysis.logic.uplift.reading import make_matrices
from amity.analysis.logic.uplift.regressions import Sum
from amity.kernel.estimate import Estimate
from amity.kernel.lift import wilson

Measure = Literal["nps", "csat", "ces"]
RANGES: Final[dict[Measure, tuple[float, float]]] = {
    "nps": (0.0, 10.0),
    "csat": (1.0, 5.0),
    "ces": (1.0, 7.0),
}
"""What may be answered."""
ENDS: Final[dict[Measure, tuple[float, float]]] = {
    "nps": (-1.0, 1.0),
    "csat": (0.0, 1.0),
    "ces": (1.0, 7.0),
}
"""What an answer may count."""

FEWEST: Final = 30
FOLDS: Final = 5
LEAST_CHANCE: Final = 0.02
_STRENGTH: Final = 0.1
_CERTAIN: Final = 1e-9


class Satisfaction(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What those who answered say, and what all who were asked would say."""

    asked: int
    answered: int
    plain: Estimate
    corrected: Estimate | None
    """None when everybody answered, or nothing is known of those who did not."""
    answering_auc: Estimate | None
    """How well what is known tells who answers; 0.5 is not at all."""
    effective: float
    """The answers are worth as many as this, once weighted."""
    chance: FloatArray
    """Of each who was asked, how likely they were to answer."""
    groups: list[CalibrationGroup]
    warnings: list[str]


def values_of(answers: FloatArray, measure: Measure) -> FloatArray:
    """Return what each answer counts; NaN stays. Raise Refused for answers out of range.

    NPS: 1 for 9 and 10, -1 for 0 to 6, else 0. CSAT: 1 for 4 and 5, else 0. CES: the answer.
    """
    low, high = RANGES[measure]
    known = answers[~np.isnan(answers)]
    if np.any((known < low) | (known > high)):
        odd = float(known[(known < low) | (known > high)][0])
        raise Refused(f"an answer is {odd:g}, and {measure.upper()} goes from {low:g} to {high:g}")
    if measure == "nps":
        return np.where(np.isnan(answers), np.nan, (answers > 8) * 1.0 - (answers < 7))
    if measure == "csat":
        return np.where(np.isnan(answers), np.nan, (answers > 3) * 1.0)
    return answers


def estimate_satisfaction(
    values: FloatArray,
    columns: Sequence[Column],
    rng: np.random.Generator,
    *,
    measure: Measure,
) -> Satisfaction:
    """Return the mean of ``values`` (NaN: did not answer), plain and corrected.

    Raises Refused with fewer than 30 answers.
    """
    answered = ~np.isnan(values)
    count = int(answered.sum())
    if count < FEWEST:
        raise Refused(f"{count:,} answers, and it takes at least {FEWEST}")
    ends = ENDS[measure]
    plain = (
        _share(values[answered])
        if measure == "csat"
        else _doubt(mean_of(values[answered]), count, ends)
    )
    why_not = _why_uncorrected(answered, columns)
    if why_not:
        return Satisfaction(
            asked=len(values),
            answered=count,
            plain=plain,
            corrected=None,
            answering_auc=None,
            effective=float(count),
            chance=np.full(len(values), count / len(values)),
            groups=[],
            warnings=[why_not],
        )
    chance, scores = _score(values, columns, rng)
    weights = 1 / chance[answered]
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    return Satisfaction(
        asked=len(values),
        answered=count,
        plain=plain,
        corrected=_doubt(mean_of(scores), effective, ends),
        answering_auc=auc_interval(chance, answered * 1.0),
        effective=effective,
        chance=chance,
        groups=group_by_probability(chance, answered * 1.0),
        warnings=_warn(chance, answered, effective),
    )


def _share(values: FloatArray) -> Estimate:
    low, high = wilson(float(values.sum()), len(values))
    return Estimate(value=float(values.mean()), low=low, high=high)


def _why_uncorrected(answered: np.ndarray, columns: Sequence[Column]) -> str:
    silent = int((~answered).sum())
    if not silent:
        return (
            "every row has an answer: those who were asked and did not answer are missing, so "
            "nothing could be corrected for who answers"
        )
    if silent < FEWEST:
        return f"only {silent:,} did not answer, too few to correct for"
    if not columns:
        return "nothing is known of those who did not answer, so nothing could be corrected"
    return ""


def _score(
    values: FloatArray, columns: Sequence[Column], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the chance of each to answer, and doubly robust scores, by models of other rows."""
    answered = (~np.isnan(values)) * 1.0
    matrix = make_matrices(columns).linear
    fold = draw_folds(answered, FOLDS, rng)
    chance, told = np.empty(len(values)), np.empty(len(values))
    for each in range(FOLDS):
        inside, outside = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        model = fit_adding(
            [column.take(inside) for column in columns], answered[inside], strength=_STRENGTH
        ).model
        chance[outside] = expit(model.logit([column.take(outside) for column in columns]))
        taught = inside[answered[inside] == 1]
        told[outside] = Sum(matrix[taught], values[taught]).predict(matrix[outside])
    chance = np.maximum(chance, LEAST_CHANCE)
    left = np.where(answered == 1, np.nan_to_num(values) - told, 0.0)
    return chance, told + left / chance


def _doubt(found: Estimate, answers: float, ends: tuple[float, float]) -> Estimate:
    """Return the estimate within what answers can count, and never as if it were certain.

    When all said the same, as many as Wilson's interval leaves may say the farthest from it.
    """
    low, high = found.low, found.high
    if high - low < _CERTAIN:
        share = Z95**2 / (answers + Z95**2)
        low, high = low - share * (found.value - ends[0]), high + share * (ends[1] - found.value)
    return Estimate(
        value=min(max(found.value, ends[0]), ends[1]),
        low=min(max(low, ends[0]), ends[1]),
        high=min(max(high, ends[0]), ends[1]),
    )


def _warn(chance: FloatArray, answered: np.ndarray, effective: float) -> list[str]:
    warnings = []
    rate = float(answered.mean())
    if rate < 0.1:
        warnings.append(
            f"only {rate:.1%} answered: what is known can correct for a part of that at best"
        )
    rare = float(np.mean(chance <= LEAST_CHANCE))
    if rare:
        warnings.append(
            f"{rare:.1%} of those asked hardly ever answer (chance below {LEAST_CHANCE:.0%}); what "
            "they would say is told by the others alone"
        )
    if effective < FEWEST or effective < 0.3 * answered.sum() or math.isnan(effective):
        warnings.append(
            f"once weighted, {int(answered.sum()):,} answers are worth {effective:,.0f}: a few "
            "speak for many"
        )
    return warnings
