"""The regressions the learners of effects are made of: a sum with a penalty, and boosted trees."""

from typing import Final, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray
from amity.analysis.logic.learning.models import fill_unknown

Base = Literal["linear", "trees"]
_PENALTIES: Final = np.logspace(-2, 5, 15)


class Fitted(Protocol):
    """Anything that predicts numbers for rows of a matrix."""

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Return a number a row."""
        ...


class Matrices(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of every row, as each kind of regression wants it."""

    linear: FloatArray
    trees: FloatArray
    is_level: list[bool]
    """Of each column for the trees: whether it is a kind."""

    def of(self, base: Base) -> FloatArray:
        """Return the matrix for one kind of regression."""
        return self.linear if base == "linear" else self.trees


class Sum:
    """Ridge regression; the penalty with the best generalised cross-validation is taken.

    Golub, Heath and Wahba, Technometrics 21 (1979) 215-223.
    """

    def __init__(self, matrix: FloatArray, target: FloatArray) -> None:
        self.means: FloatArray = matrix.mean(axis=0)
        spread = matrix.std(axis=0)
        self.scales = np.where(spread > 1e-12, spread, np.inf)
        self.middle = float(target.mean())
        scaled = (matrix - self.means) / self.scales
        values, vectors = np.linalg.eigh(scaled.T @ scaled)
        values = np.maximum(values, 0.0)
        turned = vectors.T @ (scaled.T @ (target - self.middle))
        penalty = _best_penalty(values, turned, target - self.middle)
        self.weights: FloatArray = vectors @ (turned / (values + penalty))

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Return a number a row."""
        numbers: FloatArray = (matrix - self.means) / self.scales @ self.weights + self.middle
        return numbers


def _best_penalty(values: FloatArray, turned: FloatArray, target: FloatArray) -> float:
    total, rows = float(target @ target), len(target)
    best, best_score = float(_PENALTIES[-1]), np.inf
    for penalty in _PENALTIES.tolist():
        kept = 1 / (values + penalty)
        left = total - float(np.sum(turned**2 * kept * (2 - values * kept)))
        freedom = 1 + float(np.sum(values * kept))
        score = max(left, 0.0) / max(rows - freedom, 1.0) ** 2
        if score < best_score:
            best, best_score = penalty, score
    return best


def fit(
    base: Base,
    matrices: Matrices,
    target: FloatArray,
    rows: NDArray[np.bool_],
    *,
    seed: int,
) -> Fitted:
    """Fit one regression of ``target`` (one place a row of all) on the rows marked."""
    if base == "linear":
        return Sum(matrices.linear[rows], target[rows])
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  # loads slowly

    count = int(rows.sum())
    fitted: Fitted = HistGradientBoostingRegressor(
        max_iter=100,
        learning_rate=0.06,
        max_leaf_nodes=8,
        min_samples_leaf=max(20, min(200, count // 30)),
        l2_regularization=5.0,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=10,
        categorical_features=matrices.is_level,
        random_state=seed,
    ).fit(fill_unknown(matrices.trees[rows]), target[rows])
    return fitted
