"""For whom a treatment works: T-, X- and DR-learners, each told of rows it never saw.

T: the difference of two models of the outcome, one an arm. X: what each unit of one arm would
have done by the other arm's model, learnt again (Künzel, Sekhon, Bickel and Yu, PNAS 116, 2019).
DR: doubly robust scores, learnt (Kennedy, Electronic Journal of Statistics 17, 2023).
"""

from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.learning.models import few_threads
from amity.analysis.logic.uplift.regressions import Base, Fitted, Matrices, fit

LearnerName = Literal["t", "x", "dr"]
LEARNERS: Final[tuple[LearnerName, ...]] = ("t", "x", "dr")
FOLDS: Final = 5
_Mask = NDArray[np.bool_]


class Trial(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What was tried: who was treated, what came, and the chance each had to be treated."""

    matrices: Matrices
    treated: FloatArray
    outcome: FloatArray
    chance: FloatArray

    def __len__(self) -> int:
        return len(self.outcome)


class Effects(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What each learner says of every row, and an unbiased noisy score of every row's effect."""

    fold: IntArray
    said: dict[LearnerName, FloatArray]
    score: FloatArray
    """Doubly robust: its mean over any rows chosen without their outcomes is their mean effect."""
    base: Base


def learn_effects(trial: Trial, rng: np.random.Generator, base: Base | None = None) -> Effects:
    """Learn from four fifths of the rows and tell the fifth, five times.

    Without ``base``, the regression that tells outcomes of rows left out better is taken.
    """
    fold = draw_folds(trial.treated, FOLDS, rng)
    seed = int(rng.integers(2**31))
    if base == "linear":
        return _learn(trial, fold, base, seed)
    with few_threads(len(trial)):
        return _learn(trial, fold, base or _choose_base(trial, fold, seed), seed)


def _learn(trial: Trial, fold: IntArray, chosen: Base, seed: int) -> Effects:
    said: dict[LearnerName, FloatArray] = {name: np.empty(len(trial)) for name in LEARNERS}
    score = np.empty(len(trial))
    for each in range(FOLDS):
        inside, outside = fold != each, fold == each
        models = _fit_arms(trial, inside, chosen, seed)
        for name, effect in _learn_fold(trial, inside, outside, models, chosen, seed).items():
            said[name][outside] = effect
        score[outside] = _scores(trial, outside, models, chosen)
    return Effects(fold=fold, said=said, score=score, base=chosen)


def draw_folds(treated: FloatArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Return folds with the same share of treated in each.

    With other shares, what is learnt outside a fold leans against what is in it.
    """
    fold = np.empty(len(treated), np.int64)
    for arm in (0, 1):
        rows = np.flatnonzero(treated == arm)
        fold[rng.permutation(rows)] = np.arange(len(rows)) % folds
    return fold


def _choose_base(trial: Trial, fold: IntArray, seed: int) -> Base:
    loss: dict[Base, float] = {}
    half = fold % 2 == 0
    kinds: tuple[Base, ...] = ("linear", "trees")
    for base in kinds:
        loss[base] = 0.0
        for inside in (half, ~half):
            models = _fit_arms(trial, inside, base, seed)
            matrix = trial.matrices.of(base)[~inside]
            told = np.where(
                trial.treated[~inside] == 1, models[1].predict(matrix), models[0].predict(matrix)
            )
            loss[base] += float(np.sum((trial.outcome[~inside] - told) ** 2))
    return "trees" if loss["trees"] < loss["linear"] else "linear"


def _fit_arms(trial: Trial, rows: _Mask, base: Base, seed: int) -> tuple[Fitted, Fitted]:
    """Return models of the outcome: of those not treated, of those treated."""
    untreated, treated = (
        fit(base, trial.matrices, trial.outcome, rows & (trial.treated == arm), seed=seed)
        for arm in (0, 1)
    )
    return untreated, treated


def _learn_fold(
    trial: Trial,
    inside: _Mask,
    outside: _Mask,
    models: tuple[Fitted, Fitted],
    base: Base,
    seed: int,
) -> dict[LearnerName, FloatArray]:
    matrix = trial.matrices.of(base)
    there = matrix[outside]
    without, treated = (model.predict(there) for model in models)
    chance = trial.chance[outside]
    # X: each arm's own outcomes against what the other arm's model says of them.
    gap = np.where(
        trial.treated == 1,
        trial.outcome - models[0].predict(matrix),
        models[1].predict(matrix) - trial.outcome,
    )
    of_untreated, of_treated = (
        fit(base, trial.matrices, gap, inside & (trial.treated == arm), seed=seed) for arm in (0, 1)
    )
    crossed = chance * of_untreated.predict(there) + (1 - chance) * of_treated.predict(there)
    robust = fit(base, trial.matrices, _inner_scores(trial, inside, base, seed), inside, seed=seed)
    return {"t": treated - without, "x": crossed, "dr": robust.predict(there)}


def _inner_scores(trial: Trial, inside: _Mask, base: Base, seed: int) -> FloatArray:
    """Return scores of the rows inside, each by models of the other half of them."""
    scores = np.zeros(len(trial))
    turn = np.zeros(len(trial), np.bool_)
    for arm in (0, 1):
        turn[np.flatnonzero(inside & (trial.treated == arm))[::2]] = True
    for half in (turn, ~turn):
        models = _fit_arms(trial, inside & half, base, seed)
        rest = inside & ~half
        scores[rest] = _scores(trial, rest, models, base)
    return scores


def _scores(trial: Trial, rows: _Mask, models: tuple[Fitted, Fitted], base: Base) -> FloatArray:
    """Return doubly robust scores (Robins, Rotnitzky and Zhao 1994) of rows, by these models."""
    matrix, outcome = trial.matrices.of(base)[rows], trial.outcome[rows]
    treated, chance = trial.treated[rows], trial.chance[rows]
    without, with_it = (model.predict(matrix) for model in models)
    told: FloatArray = (
        with_it
        - without
        + treated * (outcome - with_it) / chance
        - (1 - treated) * (outcome - without) / (1 - chance)
    )
    return told
