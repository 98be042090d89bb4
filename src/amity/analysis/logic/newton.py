"""Finding the top of a smooth likelihood of a few parameters, by Newton's method with care.

The likelihoods here have cheap exact second derivatives, so a handful of steps do, and the
curvature at the top (the observed information) comes for free.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray

Evaluation = tuple[float, FloatArray, FloatArray]
"""Value, gradient and matrix of second derivatives at one point."""

_MAX_STEPS: Final = 200
_MAX_LENGTH: Final = 2.0
_TOLERANCE: Final = 1e-13
_HALVINGS: Final = 40
_STALLED: Final = 1e-4
"""A step that cannot rise and promises less than this is lost in rounding: that is the top."""


class Optimum(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where the climb ended; ``bound`` marks the coordinates that stopped at an edge."""

    point: FloatArray
    value: float
    hessian: FloatArray
    bound: list[bool]
    iterations: int
    converged: bool

    def covariance(self) -> FloatArray | None:
        """Return the inverse of the observed information; None when it has none."""
        if not self.converged or any(self.bound):
            return None
        values, vectors = np.linalg.eigh(-self.hessian)
        if values[0] <= 1e-9 * values[-1]:
            return None
        inverse: FloatArray = (vectors / values) @ vectors.T
        return inverse


def describe_doubts(optimum: Optimum, names: Sequence[str]) -> list[str]:
    """Return, for people, which parameters the data do not determine; empty when all is well."""
    doubts = [
        f"{name} runs to the edge of what is sensible: the data do not determine it"
        for name, bound in zip(names, optimum.bound, strict=True)
        if bound
    ]
    covariance = optimum.covariance()
    if covariance is None:
        return doubts or ["the likelihood is flat at its top: the data do not determine every one"]
    return [
        f"{name} is hardly determined: its standard error is larger than itself"
        for name, variance in zip(names, np.diag(covariance), strict=True)
        if variance > 1
    ]


def dot(one: FloatArray, other: FloatArray) -> float:
    """Return the sum of products, without BLAS: its threads wait for each other on busy cores."""
    return float(np.einsum("i,i->", one, other))


def maximise(
    evaluate: Callable[[FloatArray], Evaluation],
    start: FloatArray,
    *,
    low: FloatArray,
    high: FloatArray,
) -> Optimum:
    """Climb from ``start`` to a maximum within the box from ``low`` to ``high``.

    Each step is Newton's with the curvature made negative in every direction, shortened until
    the value rises.  It ends when the next step promises less than the arithmetic can tell.
    """
    point = np.clip(start, low, high)
    value, gradient, hessian = evaluate(point)
    iterations = 0
    while True:
        iterations += 1
        held = ((point <= low) & (gradient < 0)) | ((point >= high) & (gradient > 0))
        step = _newton_step(gradient, hessian, held)
        promise = float(gradient @ (np.clip(point + step, low, high) - point)) / 2
        done = promise <= _TOLERANCE * max(1.0, abs(value))
        moved = _climb(evaluate, point, value, step, (low, high))
        if moved is not None:
            point, (value, gradient, hessian) = moved
        if done or moved is None or iterations == _MAX_STEPS:
            break
    bound = (point <= low) | (point >= high)
    return Optimum(
        point=point,
        value=float(value),
        hessian=hessian,
        bound=bound.tolist(),
        iterations=iterations,
        converged=promise <= (_STALLED if moved is None else 1e-8 * max(1.0, abs(value))),
    )


def _newton_step(gradient: FloatArray, hessian: FloatArray, held: NDArray[np.bool_]) -> FloatArray:
    """Return the step uphill, zero for coordinates held at an edge, never overlong."""
    free = np.flatnonzero(~held)
    step = np.zeros_like(gradient)
    if not len(free):
        return step
    values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
    curvature = np.maximum(np.abs(values), 1e-10 * max(1.0, float(np.abs(values).max())))
    step[free] = vectors @ ((vectors.T @ gradient[free]) / curvature)
    length = float(np.abs(step).max())
    return step if length <= _MAX_LENGTH else step * (_MAX_LENGTH / length)


def _climb(
    evaluate: Callable[[FloatArray], Evaluation],
    point: FloatArray,
    value: float,
    step: FloatArray,
    box: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, Evaluation] | None:
    """Return the first point along the step where the value is no lower, or None."""
    for _ in range(_HALVINGS):
        there = np.clip(point + step, *box)
        evaluation = evaluate(there)
        if np.isfinite(evaluation[0]) and evaluation[0] >= value:
            return there, evaluation
        step = step / 2
        if not np.any(point + step != point):
            break
    return None
