"""What effects told beforehand are worth: the mean effect, whether they differ, whom to treat.

Everything is a mean of doubly robust scores of rows ranked by models that never saw them, so its
interval is a mean's, and no claim needs the models to be right.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

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
    percent = rank(said, effects.fold)
    gains = effects.score - cost
    return Verdict(
        mean_effect=mean_of(effects.score),
        learner=LEARNERS[best],
        learners=qualities,
        heterogeneity_p_value=min(1.0, chance * len(LEARNERS)),
        slope=slope,
        groups=_group(said, effects),
        curve=draw_curve(gains, percent),
        share=choose_share(gains, percent, rng),
    )


def mean_of(values: FloatArray) -> Estimate:
    """Return a mean with its interval."""
    middle = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(value=middle, low=middle - half, high=middle + half)


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
        qini=qini(effects.score - cost, percent),
    )


def qini(gains: FloatArray, percent: IntArray) -> Estimate:
    """Return the area between the gains curve and treating at random.

    Of each row's score the curve holds the share of the axis past its place, so the area is a
    mean too (Radcliffe 2007; with scores as in Yadlowsky et al. 2024).
    """
    past = 1 - (percent + 0.5) / PERCENT
    weighted = gains * (past - past.mean())
    return mean_of(weighted)


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
    return (
        Estimate(value=slope, low=slope - Z95 * error, high=slope + Z95 * error),
        chance,
    )


def _group(said: FloatArray, effects: Effects) -> list[EffectGroup]:
    fifth = rank(said, effects.fold) * _GROUPS // PERCENT
    groups = []
    for each, label in enumerate(_names()):
        inside = fifth == each
        found = mean_of(effects.score[inside])
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


def draw_curve(gains: FloatArray, percent: IntArray) -> list[QiniPoint]:
    """Return the gain per row of all when the best share is treated, every twentieth."""
    points = [QiniPoint(share=0.0, gain=0.0, low=0.0, high=0.0)]
    for upto in range(5, PERCENT + 1, 5):
        found = mean_of(gains * (percent < upto))
        points.append(
            QiniPoint(share=upto / PERCENT, gain=found.value, low=found.low, high=found.high)
        )
    return points


def choose_share(gains: FloatArray, percent: IntArray, rng: np.random.Generator) -> Share:
    """Return the share that gains most, and all those that may be the best.

    A share is among them when the most any other gains over it is no more than chance makes of
    such a most in 95 of 100 draws. Gains of different percents are independent, so their sums
    are drawn as normal.
    """
    rows = len(gains)
    sums = np.bincount(percent, weights=gains, minlength=PERCENT) / rows
    squares = np.bincount(percent, weights=gains**2, minlength=PERCENT)
    counts = np.maximum(np.bincount(percent, minlength=PERCENT), 1)
    spread = np.sqrt(np.maximum(squares - (sums * rows) ** 2 / counts, 0)) / rows
    curve = np.concatenate([[0.0], np.cumsum(sums)])
    noise = np.cumsum(rng.normal(size=(_DRAWS, PERCENT)) * spread, axis=1)
    noise = np.column_stack([np.zeros(_DRAWS), noise])
    # The most that any share gains over this one, by chance alone.
    by_chance = np.quantile(noise.max(axis=1)[:, None] - noise, 0.95, axis=0)
    possible = np.flatnonzero(curve.max() - curve <= by_chance)
    best = int(np.argmax(curve))
    chosen = percent < best
    return Share(
        share=best / PERCENT,
        low=float(possible.min(initial=best)) / PERCENT,
        high=float(possible.max(initial=best)) / PERCENT,
        gain=mean_of(gains * chosen),
        over_all=mean_of(-gains * ~chosen),
    )
