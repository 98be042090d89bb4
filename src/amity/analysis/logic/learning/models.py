"""Two models of who does a thing: one that adds up, one of boosted trees.

Both learn from the same columns and say a logit. What each feature added to one customer's logit
can be told: for the model that adds up, its part of the sum, less that of the average customer;
for trees, how far the logit moves when that feature alone is put to its usual value.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.learning.columns import Column

MOST_LEVELS: Final = 30
MOST_TREES: Final = 300
_LEAST_ROWS_OF_LEVEL: Final = 10
_FAR: Final = 6.0
_FEWEST_KNOWN: Final = 10
_SMALL: Final = 50_000
"""Below so many rows threads wait for each other longer than they work."""


class Encoding(NamedTuple):
    """How one column is turned into numbers, as learnt from the rows to learn from."""

    name: str
    kind: str
    usual: float
    """The median, or the place of the commonest level."""
    scale: float
    levels: dict[str, int]
    """Those common enough to be told apart; others share one place."""


def learn_encoding(column: Column) -> Encoding:
    """Return how a column is to be turned into numbers."""
    if column.kind == "number":
        known = column.values[~np.isnan(column.values)]
        scale = float(known.std()) if len(known) else 0.0
        usual = float(np.median(known)) if len(known) else 0.0
        return Encoding(column.name, "number", usual, scale or 1.0, {})
    counts = np.bincount(column.values.astype(np.int64), minlength=len(column.levels))
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    common = [place for place in order.tolist() if counts[place] >= _LEAST_ROWS_OF_LEVEL]
    levels = {column.levels[place]: rank for rank, place in enumerate(common)}
    return Encoding(column.name, "level", 0.0, 1.0, levels)


def encode(column: Column, encoding: Encoding) -> FloatArray:
    """Return a column as numbers: scaled, or the place of its level (the last for all others)."""
    if encoding.kind == "number":
        scaled: FloatArray = (column.values - encoding.usual) / encoding.scale
        return np.clip(scaled, -1e9, 1e9)
    others = len(encoding.levels)
    places = np.array([encoding.levels.get(level, others) for level in column.levels], np.float64)
    return places[column.values.astype(np.int64)]


class Model(ABC):
    """Says a logit for rows of columns."""

    name: ClassVar[str]

    def __init__(self, encodings: list[Encoding]) -> None:
        self.encodings = encodings

    @abstractmethod
    def logit(self, columns: Sequence[Column]) -> FloatArray:
        """Return the logit of every row."""

    @abstractmethod
    def contributions(self, columns: Sequence[Column]) -> FloatArray:
        """Return what each column (across) adds to the logit of each row (down)."""


class AddingModel(Model):
    """Logistic regression with a penalty on the squares of its coefficients (L2)."""

    name = "logistic_regression"

    def __init__(
        self,
        encodings: list[Encoding],
        coefficients: FloatArray,
        intercept: float,
        means: FloatArray,
    ) -> None:
        super().__init__(encodings)
        self.coefficients = coefficients
        self.intercept = intercept
        self.means = means

    def logit(self, columns: Sequence[Column]) -> FloatArray:
        design, _ = spread(columns, self.encodings)
        logits: FloatArray = design @ self.coefficients + self.intercept
        return logits

    def contributions(self, columns: Sequence[Column]) -> FloatArray:
        design, owner = spread(columns, self.encodings)
        parts = (design - self.means) * self.coefficients
        out = np.zeros((len(design), len(columns)))
        for place in range(len(columns)):
            out[:, place] = parts[:, owner == place].sum(axis=1)
        return out


class TreesModel(Model):
    """Gradient boosting of small trees over binned values."""

    name = "boosted_trees"

    def __init__(self, encodings: list[Encoding], fitted: Any) -> None:
        super().__init__(encodings)
        self.fitted = fitted

    def logit(self, columns: Sequence[Column]) -> FloatArray:
        return self._logit(stack(columns, self.encodings))

    def _logit(self, matrix: FloatArray) -> FloatArray:
        with few_threads(len(matrix)):
            logits: FloatArray = self.fitted.decision_function(matrix)
        return logits

    def contributions(self, columns: Sequence[Column]) -> FloatArray:
        matrix = stack(columns, self.encodings)
        whole = self._logit(matrix)
        out = np.zeros(matrix.shape)
        for place in range(matrix.shape[1]):
            # The usual value is 0 in both encodings: the median, the commonest level.
            kept = matrix[:, place].copy()
            matrix[:, place] = 0.0
            out[:, place] = whole - self._logit(matrix)
            matrix[:, place] = kept
        return out


class Tried(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fitted model, and what was odd about fitting it."""

    model: Model
    warnings: list[str]


def fit_adding(columns: Sequence[Column], label: FloatArray, *, strength: float) -> Tried:
    """Fit logistic regression; ``strength`` is the inverse of the penalty (C)."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  # loads slowly
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  # loads slowly

    encodings = [learn_encoding(column) for column in columns]
    design, _ = spread(columns, encodings)
    with warnings.catch_warnings(record=True) as caught, few_threads(len(design)):
        warnings.simplefilter("always", ConvergenceWarning)
        fitted = LogisticRegression(C=strength, max_iter=500).fit(design, label)
    doubts = ["logistic regression did not settle"] if caught else []
    model = AddingModel(
        encodings, fitted.coef_[0], float(fitted.intercept_[0]), design.mean(axis=0)
    )
    return Tried(model=model, warnings=doubts)


def fit_trees(
    columns: Sequence[Column], label: FloatArray, *, seed: int, rounds: int = MOST_TREES
) -> Tried:
    """Fit boosted trees, as many as rows of the learning part held back ask for."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  # loads slowly

    encodings = [learn_encoding(column) for column in columns]
    with few_threads(len(label)):
        fitted = HistGradientBoostingClassifier(
            max_iter=rounds,
            learning_rate=0.06,
            max_leaf_nodes=15,
            min_samples_leaf=max(10, min(100, len(label) // 100)),
            l2_regularization=1.0,
            early_stopping=True,
            validation_fraction=0.15,
            n_iter_no_change=15,
            categorical_features=[each.kind == "level" for each in encodings],
            random_state=seed,
        ).fit(fill_unknown(stack(columns, encodings)), label)
    return Tried(model=TreesModel(encodings, fitted), warnings=[])


def stack(columns: Sequence[Column], encodings: list[Encoding]) -> FloatArray:
    """Return a matrix for trees: a column each, NaN where missing."""
    return np.column_stack(
        [encode(column, each) for column, each in zip(columns, encodings, strict=True)]
    )


def fill_unknown(matrix: FloatArray) -> FloatArray:
    """Return a matrix for trees to learn from, with nothing but zeros where hardly any is known.

    Trees cannot cut a column of which nothing is known, in all rows or in those held back.
    """
    known = np.count_nonzero(~np.isnan(matrix), axis=0)
    return np.where(known < _FEWEST_KNOWN, 0.0, matrix)


def spread(columns: Sequence[Column], encodings: list[Encoding]) -> tuple[FloatArray, IntArray]:
    """Return a matrix for a model that adds up, and which column each of its columns is of.

    A missing number stands at the median and is marked; far values are drawn in, so that one row
    cannot bend the line.
    """
    parts: list[FloatArray] = []
    owner: list[int] = []
    for place, (column, encoding) in enumerate(zip(columns, encodings, strict=True)):
        values = encode(column, encoding)
        if encoding.kind == "number":
            missing = np.isnan(values)
            own = [np.clip(np.where(missing, 0.0, values), -_FAR, _FAR), missing * 1.0]
        else:
            own = [(values == level) * 1.0 for level in range(len(encoding.levels) + 1)]
        parts += own
        owner += [place] * len(own)
    return np.column_stack(parts), np.array(owner)


def few_threads(rows: int) -> Any:
    """Return what holds the libraries to one thread while there are few rows."""
    return _threads().limit(limits=1 if rows < _SMALL else None)


@cache
def _threads() -> Any:
    import sklearn.ensemble  # noqa: F401, PLC0415  # loads slowly; its libraries must be there
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415  # comes with scikit-learn

    return ThreadpoolController()
