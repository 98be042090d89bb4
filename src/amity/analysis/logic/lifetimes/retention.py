"""sBG fitted to contracts, and checked against renewals it had not seen."""

from functools import partial
from typing import Any, Final

import numpy as np

from amity.analysis.estimator import Fit, FloatArray, IntArray, Refused
from amity.analysis.logic.calibration import describe_miss
from amity.analysis.logic.lifetimes import renewals
from amity.analysis.logic.lifetimes.fitting import MIN_CUSTOMERS, as_fit, climb_best
from amity.kernel.lift import wilson

MIN_LEFT: Final = 10
MIN_DECISIONS: Final = 2
_STARTS: Final = ((0.0, 0.0), (-1.0, 1.0), (1.0, 3.0))
_MIN_AT_RISK: Final = 10


def fit_contracts(renewed: IntArray, left: IntArray, weight: FloatArray) -> Fit:
    """Fit sBG; raise Refused when customers, or those who left, are too few."""
    customers, gone = int(weight.sum()), int(weight @ left)
    if customers < MIN_CUSTOMERS:
        raise Refused(f"sBG needs {MIN_CUSTOMERS} contracts, there are {customers}")
    if gone < MIN_LEFT:
        raise Refused(f"sBG needs {MIN_LEFT} contracts that ended, there are {gone}")
    decisions = int((renewed + left).max())
    if decisions < MIN_DECISIONS:
        raise Refused(
            f"sBG needs contracts seen for {MIN_DECISIONS} periods, the longest lasts {decisions}: "
            "from one period nobody can tell how alike customers are"
        )
    optimum = climb_best(
        "sBG",
        partial(renewals.evaluate, renewals.group(renewed, left, weight)),
        _STARTS,
        scale=np.zeros(2),
    )
    return as_fit(
        optimum,
        estimator="sbg",
        unit_days=1.0,
        names=renewals.NAMES,
        customers=customers,
        details={"left": gone, "longest": decisions},
    )


def natural_of(fit: Fit) -> FloatArray:
    """Return the parameters of a fit in their order."""
    return np.array([fit.parameters[name] for name in renewals.NAMES])


def tabulate(
    renewed: IntArray, left: IntArray, weight: FloatArray
) -> list[tuple[int, float, float]]:
    """Return of every renewal its number, how many could make it, and how many did.

    A contract still running after so many renewals was asked about each of them and no other.
    """
    longest = int((renewed + left).max(initial=0))
    made = np.bincount(renewed, weight, longest + 1)
    ended = np.bincount(renewed[left == 1], weight[left == 1], longest + 1)
    # Whoever renewed at least n times made the n-th; whoever ended after n - 1 was asked too.
    reached = np.cumsum(made[::-1])[::-1]
    return [
        (number, float(reached[number] + ended[number - 1]), float(reached[number]))
        for number in range(1, longest + 1)
    ]


def check_contracts(renewed: IntArray, left: IntArray, weight: FloatArray) -> dict[str, Any]:
    """Fit to the renewals of the first half of all periods and compare the later ones.

    As in the paper: what is known of seven years is projected over the years after.
    """
    longest = int((renewed + left).max(initial=0))
    split = max(MIN_DECISIONS, (longest + 1) // 2)
    if longest <= split:
        return {"refused": f"{longest} periods are too few to hold some out"}
    early = np.minimum(renewed, split)
    # An end after the split had not happened yet.
    gone = np.where(renewed < split, left, 0)
    try:
        fit = fit_contracts(early, gone, weight)
    except Refused as error:
        return {"refused": error.message}
    natural, groups = natural_of(fit), []
    predicted_sum = came_sum = 0.0
    for number, asked, made in tabulate(renewed, left, weight):
        if number <= split or asked < _MIN_AT_RISK:
            continue
        rate = float(renewals.stays(natural, np.array([number - 1.0]), 1)[0])
        low, high = wilson(made, asked)
        predicted_sum, came_sum = predicted_sum + rate * asked, came_sum + made
        groups.append(
            {
                "label": f"renewal {number}",
                "customers": int(asked),
                "predicted": rate,
                "actual": made / asked,
                "actual_low": low,
                "actual_high": high,
            }
        )
    if not groups:
        return {"refused": f"fewer than {_MIN_AT_RISK} contracts reached the periods held out"}
    return {
        "sentence": describe_miss(predicted_sum, came_sum, "renewals"),
        "trained_until_period": split,
        "parameters": fit.parameters,
        "groups": groups,
    }


def describe_curve(
    natural: FloatArray, table: list[tuple[int, float, float]], ahead: int
) -> list[dict[str, float | int | None]]:
    """Return of each period the share still there and the retention rate, modelled and seen."""
    last = len(table) + ahead
    shares = renewals.survival(natural, np.arange(last + 1))
    rows: list[dict[str, float | int | None]] = []
    seen: float | None = 1.0
    for number in range(1, last + 1):
        asked, made = table[number - 1][1:] if number <= len(table) else (0.0, 0.0)
        rate = made / asked if asked else None
        seen = None if seen is None or rate is None else seen * rate
        rows.append(
            {
                "renewal": number,
                "survival": float(shares[number]),
                "retention_rate": float(shares[number] / shares[number - 1]),
                "seen_survival": seen,
                "seen_retention_rate": rate,
                "customers": int(asked),
            }
        )
    return rows


def describe_cohorts(begun: IntArray, renewed: IntArray, left: IntArray) -> list[str]:
    """Say when contracts begun later are renewed at the first time clearly otherwise."""
    asked = (renewed >= 1) | (left == 1)
    middle = int(np.median(begun[asked])) if asked.any() else 0
    parts = []
    for late in (False, True):
        some = asked & ((begun > middle) == late)
        parts.append((int((renewed[some] >= 1).sum()), int(some.sum())))
    (made, of), (made_late, of_late) = parts
    if min(of, of_late) < 50:
        return []
    one, other = made / of, made_late / of_late
    error = float(np.sqrt(one * (1 - one) / of + other * (1 - other) / of_late))
    if abs(one - other) <= max(3 * error, 0.05):
        return []
    return [
        f"drift across time: {other:.0%} of the later half of contracts were renewed the first "
        f"time, {one:.0%} of the earlier half; one set of parameters for both is an average"
    ]
