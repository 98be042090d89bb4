"""Turning logits into probabilities that come true: as they are, along a curve, or by steps.

Platt (1999) fits a logistic curve to logits; Zadrozny and Elkan (2002) steps that never fall. Which
of them serves best is found on the rows kept to choose by, each half judged by what the other
half taught.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Final

import numpy as np

from amity.analysis.estimator import FloatArray
from amity.analysis.logic.learning.measures import log_loss

_STEPS: Final = 50
_FEWEST_FOR_STEPS: Final = 200
"""Positives below which steps follow chance."""


class Calibrator(ABC):
    """Turns logits into probabilities."""

    name: ClassVar[str]

    @abstractmethod
    def probability(self, logit: FloatArray) -> FloatArray:
        """Return probabilities, never falling where the logit rises."""


class AsItIs(Calibrator):
    """Takes the logit at its word."""

    name = "none"

    def probability(self, logit: FloatArray) -> FloatArray:
        return expit(logit)


class Curve(Calibrator):
    """Platt's logistic curve."""

    name = "platt"

    def __init__(self, slope: float, offset: float) -> None:
        self.slope = slope
        self.offset = offset

    @classmethod
    def fit(cls, logit: FloatArray, label: FloatArray) -> "Curve":
        """Fit with Platt's targets, which keep a curve finite where logits part the labels."""
        positives, negatives = float(label.sum()), float(len(label) - label.sum())
        target = np.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        design = np.column_stack([logit, np.ones(len(logit))])
        weights = np.array([1.0, 0.0])
        for _ in range(_STEPS):
            probability = expit(design @ weights)
            gradient = design.T @ (target - probability)
            spread = probability * (1 - probability)
            hessian = (design * spread[:, None]).T @ design + 1e-9 * np.eye(2)
            step = np.linalg.solve(hessian, gradient)
            weights = weights + step / max(1.0, float(np.abs(step).max()) / 2)
            if float(np.abs(step).max()) < 1e-10:
                break
        # A falling curve would say the ranking is wrong; then there is none to keep.
        return cls(max(0.0, float(weights[0])), float(weights[1]))

    def probability(self, logit: FloatArray) -> FloatArray:
        return expit(self.slope * logit + self.offset)


class Steps(Calibrator):
    """Isotonic regression: the closest steps that never fall."""

    name = "isotonic"

    def __init__(self, at: FloatArray, value: FloatArray) -> None:
        self.at = at
        self.value = value

    @classmethod
    def fit(cls, logit: FloatArray, label: FloatArray) -> "Steps":
        """Fit by pooling neighbours that fall."""
        from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415  # loads slowly

        # One of each label far out: no step may say that something is certain.
        margin = 1.0
        padded = np.concatenate([logit, [logit.min() - margin, logit.max() + margin]])
        labels = np.concatenate([label, [1.0, 0.0]])
        fitted = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(padded, labels)
        least = 1 / (len(label) + 2)
        return cls(np.array(fitted.X_thresholds_), np.clip(fitted.y_thresholds_, least, 1 - least))

    def probability(self, logit: FloatArray) -> FloatArray:
        return np.interp(logit, self.at, self.value)


def expit(values: FloatArray) -> FloatArray:
    """Return the logistic function, without overflow."""
    out: FloatArray = 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return out


def choose_calibrator(
    logit: FloatArray, label: FloatArray, rng: np.random.Generator
) -> tuple[Calibrator, dict[str, float]]:
    """Return what serves best on rows kept to choose by, and the log loss of each."""
    fits = {"none": lambda _logit, _label: AsItIs(), "platt": Curve.fit}
    if min(label.sum(), len(label) - label.sum()) >= _FEWEST_FOR_STEPS:
        fits["isotonic"] = Steps.fit
    half = rng.permutation(len(label)) % 2 == 0
    losses: dict[str, float] = {}
    for name, fit in fits.items():
        loss = 0.0
        for inside in (half, ~half):
            made = fit(logit[inside], label[inside])
            loss += log_loss(made.probability(logit[~inside]), label[~inside]) / 2
        losses[name] = loss
    best = min(losses, key=lambda name: losses[name])
    return fits[best](logit, label), losses
