"""What fitting a lifetime model to purchase histories has in common, whichever the model."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from amity.analysis.estimator import Fit, FloatArray, Histories, Refused
from amity.analysis.logic.newton import Evaluation, Optimum, describe_doubts, maximise

MIN_CUSTOMERS: Final = 30
MIN_REPEATERS: Final = 10
FEW_REPEATERS: Final = 100
Z95: Final = 1.959963984540054


def refuse_thin(model: str, histories: Histories) -> int:
    """Return how many bought on more than one day; raise Refused when that is too few."""
    repeaters = int(np.count_nonzero(histories.frequency))
    if len(histories) < MIN_CUSTOMERS:
        raise Refused(f"{model} needs {MIN_CUSTOMERS} customers, there are {len(histories)}")
    if repeaters < MIN_REPEATERS:
        raise Refused(
            f"{model} needs {MIN_REPEATERS} customers who bought on more than one day, "
            f"there are {repeaters} of {len(histories)}"
        )
    return repeaters


def climb_best(
    model: str,
    evaluate: Callable[[FloatArray], Evaluation],
    starts: Sequence[Sequence[float]],
    *,
    scale: FloatArray,
) -> Optimum:
    """Return the first start's maximum that converged; raise Refused when none does.

    ``scale`` is added to the logarithms of the parameters, so that a model's starts and edges
    (1e-5 to 1e4) do not depend on the unit of time.
    """
    low, high = np.log(1e-5) + scale, np.log(1e4) + scale
    for start in starts:
        optimum = maximise(evaluate, np.array(start) + scale, low=low, high=high)
        if optimum.converged and np.isfinite(optimum.value):
            return optimum
    raise Refused(f"the likelihood of {model} has no maximum that could be found on these data")


def as_fit(
    optimum: Optimum,
    *,
    estimator: str,
    unit_days: float,
    names: Sequence[str],
    customers: int,
    details: dict[str, Any],
) -> Fit:
    """Return the fit that an optimum in the logarithms of the parameters stands for."""
    natural, covariance = np.exp(optimum.point), optimum.covariance()
    errors = {}
    if covariance is not None:
        spread = np.sqrt(np.diag(covariance)) * natural
        errors = dict(zip(names, spread.tolist(), strict=True))
    return Fit(
        estimator=estimator,
        unit_days=unit_days,
        parameters=dict(zip(names, natural.tolist(), strict=True)),
        customers=customers,
        standard_errors=errors,
        covariance=[] if covariance is None else covariance.tolist(),
        log_likelihood=optimum.value,
        iterations=optimum.iterations,
        warnings=describe_doubts(optimum, names),
        details=details,
    )


def parameter_intervals(fits: Iterable[Fit]) -> dict[str, tuple[float, float]]:
    """Return the 95 % intervals of the parameters that the data determine."""
    found = {}
    for fit in fits:
        if not fit.covariance:
            continue
        halves = Z95 * np.sqrt(np.diag(np.array(fit.covariance)))
        for (name, value), half in zip(fit.parameters.items(), halves.tolist(), strict=True):
            found[name] = (value * float(np.exp(-half)), value * float(np.exp(half)))
    return found


def variance_along(slopes: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the variance along each column of ``slopes``, never below zero."""
    variance: FloatArray = np.maximum((slopes * (covariance @ slopes)).sum(axis=0), 0.0)
    return variance
