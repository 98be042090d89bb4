"""What effects told beforehand are worth: the mean effect, whether they differ, whom to treat.

Everything is a mean of doubly robust scores of rows ranked by models that never saw them, so its
interval is a mean's, and no claim needs the models to be right. One thing a plain mean's interval
leaves out: the models of one fold have learnt from the others, so where what they say is noise the
folds' areas go together (`apart_variance`).
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.uplift.learners import FOLDS, LEARNERS, Effects
from amity.kernel.estimate import Estimate

Z95: Final = 1.959963984540054
PERCENT: Final = 100
_DRAWS: Final = 1_000
_GROUPS: Final = 5


class EffectGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A fifth of the rows by the effect said of them, and the effect they had."""

    label: str
    customers: int
    predicted: float
    actual: float
    actual_low: float
    actual_high: float


class QiniPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is gained per row of all when a share of them is treated, the best first."""

    share: float
    gain: float
    low: float
    high: float


class LearnerQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How one learner does on rows it never saw."""

    learner: str
    loss: float
    """Mean squared distance from the scores; only differences between learners mean something."""
    qini: Estimate
    """Area between the curve and treating at random, in units of the outcome."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Which share of the rows to treat, and what that gains."""

    share: float
    low: float
    high: float
    """Every share from ``low`` to ``high`` may be the best: the data do not tell them apart."""
    gain: Estimate
    """Per row of all, over treating nobody; at the share that looks best, so a little flattered."""
    over_all: Estimate
    """The same, over treating everybody."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be said of a trial."""

    mean_effect: Estimate
    learner: str
    learners: list[LearnerQuality]
    heterogeneity_p_value: float
    """How often chance makes effects look so different; corrected for the choice of three."""
    slope: Estimate
    """By how much effects differ when the learner says they differ by one; 1 is exact, 0 noise."""
    groups: list[EffectGroup]
    curve: list[QiniPoint]
    share: Share


def judge(effects: Effects, cost: float, rng: np.random.Generator) -> Verdict:
    """Return what the effects are worth; ``cost`` is what treating one row costs, in outcome."""
    qualities = [_judge_one(name, effects, cost) for name in LEARNERS]
    best = min(range(len(LEARNERS)), key=lambda place: qualities[place].loss)
    said = effects.said[LEARNERS[best]]
    slope, chance = measure_slope(said, effects)
    percent, noise = rank(said, effects.fold), noise_of(slope)
    gains = effects.score - cost
    return Verdict(
        mean_effect=mean_of(effects.score),
        learner=LEARNERS[best],
        learners=qualities,
        heterogeneity_p_value=min(1.0, chance * len(LEARNERS)),
        slope=slope,
        groups=_group(said, effects, noise),
        curve=draw_curve(gains, percent, noise),
        share=choose_share(gains, percent, rng, noise),
    )


def mean_of(values: FloatArray) -> Estimate:
    """Return a mean with its interval."""
    middle = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(value=middle, low=middle - half, high=middle + half)


def noise_of(slope: Estimate) -> float:
    """Return the share of noise in what is said: none where effects differ as much as said."""
    return 1 - min(max(slope.value, 0.0), 1.0)


def apart_variance(gains: FloatArray, percent: IntArray, weights: FloatArray) -> float:
    """Return what noise alone adds to the variance of a weighted mean, for folds go together.

    Models of fold f lean the way the errors of fold g do, and the models of g the way those of f
    do: the pair counts in both folds' areas. Of five folds whose models say nothing but noise the
    variance of the summed area is twice that of its parts; of other means as far as their weights
    go with the area's.
    """
    lean = _past(percent)
    spread = float(lean @ lean)
    part = float(weights @ lean) / spread if spread > 0 else 0.0
    return part**2 * float((gains * lean).var(ddof=1)) / len(gains)


def _past(percent: IntArray) -> FloatArray:
    """Return of each row the share of the axis past its place, less the mean."""
    past = 1 - (percent + 0.5) / PERCENT
    centred: FloatArray = past - past.mean()
    return centred


def _widen(found: Estimate, variance: float) -> Estimate:
    half = math.hypot((found.high - found.low) / 2, Z95 * math.sqrt(variance))
    return Estimate(value=found.value, low=found.value - half, high=found.value + half)


def rank(said: FloatArray, fold: IntArray) -> IntArray:
    """Return each row's percent, 0 for the highest effect, among those told by the same models."""
    percent = np.empty(len(said), np.int64)
    for each in range(FOLDS):
        rows = np.flatnonzero(fold == each)
        order = rows[np.argsort(-said[rows], kind="stable")]
        percent[order] = np.arange(len(rows)) * PERCENT // len(rows)
    return percent


def _judge_one(name: str, effects: Effects, cost: float) -> LearnerQuality:
    said = effects.said[name]  # type: ignore[index]  # names are those of the learners
    percent = rank(said, effects.fold)
    return LearnerQuality(
        learner=name,
        loss=float(np.mean((effects.score - said) ** 2)),
        qini=qini(effects.score - cost, percent, noise_of(measure_slope(said, effects)[0])),
    )


def qini(gains: FloatArray, percent: IntArray, noise: float = 0.0) -> Estimate:
    """Return the area between the gains curve and treating at random.

    Of each row's score the curve holds the share of the axis past its place, so the area is a
    mean too (Radcliffe 2007; with scores as in Yadlowsky et al. 2024).
    """
    lean = _past(percent)
    return _widen(mean_of(gains * lean), noise * apart_variance(gains, percent, lean))


def measure_slope(said: FloatArray, effects: Effects) -> tuple[Estimate, float]:
    """Return the slope of scores on the effects said, and the chance of one so far above zero.

    Chernozhukov, Demirer, Duflo and Fernández-Val (2018), best linear predictor; the standard
    error allows for unequal spread. Effects are taken within folds, whose models differ.
    """
    centred = np.array(said)
    for each in range(FOLDS):
        rows = effects.fold == each
        centred[rows] -= centred[rows].mean()
    spread = float(centred @ centred)
    if spread < 1e-18:
        return Estimate(value=0.0, low=0.0, high=0.0), 1.0
    score = effects.score - effects.score.mean()
    slope = float(centred @ score) / spread
    left = score - slope * centred
    error = math.sqrt(float(np.sum((centred * left) ** 2))) / spread
    chance = 0.5 * math.erfc(slope / error / math.sqrt(2)) if error > 0 else 1.0
    found = Estimate(value=slope, low=slope - Z95 * error, high=slope + Z95 * error)
    return _widen(found, noise_of(found) * error**2), chance


def _group(said: FloatArray, effects: Effects, noise: float) -> list[EffectGroup]:
    percent = rank(said, effects.fold)
    fifth = percent * _GROUPS // PERCENT
    groups = []
    for each, label in enumerate(_names()):
        inside = fifth == each
        apart = apart_variance(effects.score, percent, inside / float(inside.mean()))
        found = _widen(mean_of(effects.score[inside]), noise * apart)
        groups.append(
            EffectGroup(
                label=label,
                customers=int(inside.sum()),
                predicted=float(said[inside].mean()),
                actual=found.value,
                actual_low=found.low,
                actual_high=found.high,
            )
        )
    return groups


def _names() -> Sequence[str]:
    return ("highest fifth", "second fifth", "third fifth", "fourth fifth", "lowest fifth")


def draw_curve(gains: FloatArray, percent: IntArray, noise: float) -> list[QiniPoint]:
    """Return the gain per row of all when the best share is treated, every twentieth."""
    points = [QiniPoint(share=0.0, gain=0.0, low=0.0, high=0.0)]
    for upto in range(5, PERCENT + 1, 5):
        found = _mean_of_chosen(gains, percent, percent < upto, noise)
        points.append(
            QiniPoint(share=upto / PERCENT, gain=found.value, low=found.low, high=found.high)
        )
    return points


def _mean_of_chosen(
    gains: FloatArray, percent: IntArray, chosen: NDArray[np.bool_], noise: float
) -> Estimate:
    apart = apart_variance(gains, percent, chosen.astype(np.float64))
    return _widen(mean_of(gains * chosen), noise * apart)


def choose_share(
    gains: FloatArray, percent: IntArray, rng: np.random.Generator, noise: float
) -> Share:
    """Return the share that gains most, and all those that may be the best.

    A share is among them when the most any other gains over it is no more than chance makes of
    such a most in 95 of 100 draws. Gains of different percents are drawn as normal and
    independent, beside what the folds have in common.
    """
    rows = len(gains)
    sums = np.bincount(percent, weights=gains, minlength=PERCENT) / rows
    squares = np.bincount(percent, weights=gains**2, minlength=PERCENT)
    counts = np.maximum(np.bincount(percent, minlength=PERCENT), 1)
    spread = np.sqrt(np.maximum(squares - (sums * rows) ** 2 / counts, 0)) / rows
    curve = np.concatenate([[0.0], np.cumsum(sums)])
    drawn = np.cumsum(rng.normal(size=(_DRAWS, PERCENT)) * spread, axis=1)
    drawn = np.column_stack([np.zeros(_DRAWS), drawn])
    drawn += rng.normal(size=(_DRAWS, 1)) * _common(gains, percent, noise)
    # The most that any share gains over this one, by chance alone.
    by_chance = np.quantile(drawn.max(axis=1)[:, None] - drawn, 0.95, axis=0)
    possible = np.flatnonzero(curve.max() - curve <= by_chance)
    best = int(np.argmax(curve))
    chosen = percent < best
    return Share(
        share=best / PERCENT,
        low=float(possible.min(initial=best)) / PERCENT,
        high=float(possible.max(initial=best)) / PERCENT,
        gain=_mean_of_chosen(gains, percent, chosen, noise),
        over_all=_mean_of_chosen(-gains, percent, ~chosen, noise),
    )


def _common(gains: FloatArray, percent: IntArray, noise: float) -> FloatArray:
    """Return the error that the folds have in common in the gain of each share, 0 to 1."""
    found = [
        math.sqrt(noise * apart_variance(gains, percent, (percent < upto).astype(np.float64)))
        for upto in range(PERCENT + 1)
    ]
    return np.array(found)
