"""Who is likely to do a thing: two models, the better calibrated and judged on rows held out.

What is judged is what is used: the model is not fitted again afterwards to rows it was judged on.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.learning.calibrating import Calibrator, choose_calibrator, expit
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.measures import (
    CalibrationGroup,
    Quality,
    log_loss,
    measure,
)
from amity.analysis.logic.learning.models import Model, Tried, fit_adding, fit_trees
from amity.analysis.logic.learning.splitting import Split, refuse_one_kind, split_rows
from amity.analysis.logic.learning.watching import Watch, warn_together, watch

FEWEST_ROWS: Final = 200
FEWEST_OF_EACH: Final = 50
REASONS: Final = 3
_FEWEST_TO_JUDGE: Final = 10
_STRENGTHS: Final = (0.01, 0.1, 1.0)
_LEAST_PART: Final = 0.05


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """How one model did: on the rows to choose by its log loss, on those held out the rest."""

    model: str
    calibration: str
    choosing_log_loss: float
    quality: Quality


class Learnt(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A model ready to be asked, and all there is to know about it."""

    model: Model
    calibrator: Calibrator
    chosen: Candidate
    other: Candidate
    split: Literal["time", "random"]
    rows: dict[str, int]
    """How many rows taught, chose and judged."""
    base_rate: float
    watch: Watch
    weight: dict[str, float]
    """How far each column moves the logit, on average over the rows held out."""
    warnings: list[str]

    @property
    def quality(self) -> Quality:
        """Return how good the chosen model is on rows held out."""
        return self.chosen.quality

    @property
    def groups(self) -> Sequence[CalibrationGroup]:
        """Return what came of rows held out, by what was said of them."""
        return self.chosen.quality.groups


class Speaker(Protocol):
    """What can be asked: a model, what makes probabilities of it, and how such came true."""

    @property
    def model(self) -> Model:
        """Return what says logits."""

    @property
    def calibrator(self) -> Calibrator:
        """Return what turns them into probabilities."""

    @property
    def groups(self) -> Sequence[CalibrationGroup]:
        """Return what came of rows held out, by what was said of them."""


class Told(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a model says of rows, in their order."""

    probability: FloatArray
    low: FloatArray
    """Wilson's interval of what came of held out rows with alike probabilities; also ``high``."""
    high: FloatArray
    decile: IntArray
    """10 for the tenth of these rows with the highest probabilities, 1 for the lowest."""


def refuse_too_little(label: FloatArray) -> None:
    """Raise Refused when so few rows, or so few of either kind, cannot teach anything."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        who = "nobody" if not positives else "everybody"
        raise Refused(f"of {len(label):,} rows {who} did it: there is no difference to learn from")
    if len(label) < FEWEST_ROWS:
        raise Refused(f"there are {len(label):,} rows, and it takes at least {FEWEST_ROWS}")
    fewer, which = min((positives, "did it"), (negatives, "did not"))
    if fewer < FEWEST_OF_EACH:
        raise Refused(f"only {fewer:,} {which}, and it takes at least {FEWEST_OF_EACH}")


def learn(
    columns: Sequence[Column],
    label: FloatArray,
    seconds: FloatArray | None,
    rng: np.random.Generator,
    *,
    split: Split | None = None,
) -> Learnt:
    """Learn from rows whose label (1 did it, 0 did not) is known.

    ``seconds`` is the time of each row; ``split`` says otherwise which rows teach. Raises Refused
    when there is too little, or when the best model cannot be told from guessing on the rows held
    out.
    """
    refuse_too_little(label)
    if not columns:
        raise Refused("no column is left to learn from")
    split = split or split_rows(label, seconds, rng)
    refuse_one_kind(label, split)
    tried = _fit_all(columns, label, split, rng)
    made = [_judge(each, columns, label, split, rng) for each in tried]
    best = min(range(len(made)), key=lambda place: made[place][0].choosing_log_loss)
    chosen, calibrator = made[best]
    model = tried[best].model
    _refuse_guessing(chosen.quality)
    watched = watch(columns, label, split)
    warnings = [
        *warn_together(chosen.quality.auc, watched.warnings),
        *_warn(tried[best], chosen, label, split),
    ]
    return Learnt(
        model=model,
        calibrator=calibrator,
        chosen=chosen,
        other=made[1 - best][0],
        split=split.kind,
        rows={name: len(getattr(split, name)) for name in ("learn", "choose", "judge")},
        base_rate=float(label.mean()),
        watch=watched,
        weight=_weigh(model, columns, split),
        warnings=[*watched.warnings, *warnings],
    )


def _fit_all(
    columns: Sequence[Column], label: FloatArray, split: Split, rng: np.random.Generator
) -> list[Tried]:
    """Fit the sum with the penalty that serves best, and the trees."""
    inside = [column.take(split.learn) for column in columns]
    choosing = [column.take(split.choose) for column in columns]
    taught, choice = label[split.learn], label[split.choose]
    found: list[tuple[float, Tried]] = []
    for strength in _STRENGTHS:
        tried = fit_adding(inside, taught, strength=strength)
        loss = log_loss(expit(tried.model.logit(choosing)), choice)
        found.append((loss, tried))
    _, adding = min(found, key=lambda each: each[0])
    trees = fit_trees(inside, taught, seed=int(rng.integers(2**31)))
    return [adding, trees]


def _judge(
    tried: Tried,
    columns: Sequence[Column],
    label: FloatArray,
    split: Split,
    rng: np.random.Generator,
) -> tuple[Candidate, Calibrator]:
    choosing = tried.model.logit([column.take(split.choose) for column in columns])
    calibrator, losses = choose_calibrator(choosing, label[split.choose], rng)
    judging = tried.model.logit([column.take(split.judge) for column in columns])
    candidate = Candidate(
        model=tried.model.name,
        calibration=calibrator.name,
        choosing_log_loss=losses[calibrator.name],
        quality=measure(calibrator.probability(judging), label[split.judge]),
    )
    return candidate, calibrator


def _refuse_guessing(quality: Quality) -> None:
    found = quality.auc
    if found.low <= 0.5:
        raise Refused(
            "on rows held out the best model cannot be told from guessing (AUC "
            f"{found.value:.2f}, 95 % interval {found.low:.2f} to {found.high:.2f}): these columns "
            "do not say who does it, or there are too few rows to see it"
        )


def _warn(tried: Tried, chosen: Candidate, label: FloatArray, split: Split) -> list[str]:
    warnings = list(tried.warnings)
    if split.kind == "random":
        warnings.append(
            "without a time (--time) the rows held out were drawn at random, which flatters: "
            "how it does later is not known, and neither is drift"
        )
    positives = min(chosen.quality.positives, chosen.quality.rows - chosen.quality.positives)
    if positives < _FEWEST_TO_JUDGE:
        warnings.append(f"only {positives} rows of the rarer kind judge it: the figures are rough")
    if chosen.quality.brier >= chosen.quality.brier_of_base_rate:
        warnings.append(
            "it ranks, but its probabilities are no closer than the base rate for everybody"
        )
    return warnings


def _weigh(model: Model, columns: Sequence[Column], split: Split) -> dict[str, float]:
    sample = split.judge[:2_000]
    parts = model.contributions([column.take(sample) for column in columns])
    weights = np.abs(parts).mean(axis=0)
    order = np.argsort(-weights, kind="stable")
    return {columns[place].name: float(weights[place]) for place in order.tolist()}


def tell(learnt: Speaker, columns: Sequence[Column]) -> Told:
    """Return probabilities of rows, with the interval of what came of alike ones held out."""
    probability = learnt.calibrator.probability(learnt.model.logit(columns))
    groups = learnt.groups
    place = np.searchsorted([group.up_to for group in groups[:-1]], probability, side="left")
    low = np.array([group.actual_low for group in groups])[place]
    high = np.array([group.actual_high for group in groups])[place]
    order = np.argsort(probability, kind="stable")
    decile = np.empty(len(probability), np.int64)
    decile[order] = np.arange(len(probability)) * 10 // max(1, len(probability)) + 1
    return Told(
        probability=probability,
        low=np.minimum(low, probability),
        high=np.maximum(high, probability),
        decile=decile,
    )


def list_reasons(learnt: Speaker, columns: Sequence[Column]) -> list[list[str]]:
    """Return for each row what moved its probability most, the strongest first.

    Each says the column, its value, and how far it moves the logit. What hardly moves it is left
    out, so a row may have none.
    """
    parts = learnt.model.contributions(columns)
    order = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :REASONS]
    reasons = []
    for row, best in enumerate(order.tolist()):
        reasons.append(
            [
                f"{columns[place].name} {columns[place].show(row)} ({parts[row, place]:+.2f})"
                for place in best
                if abs(parts[row, place]) >= _LEAST_PART
            ]
        )
    return reasons
