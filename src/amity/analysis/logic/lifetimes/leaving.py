"""Checking probabilities of not buying, and of not renewing, against time they had not seen."""

from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import Estimator, FloatArray, Refused, Transactions
from amity.analysis.logic.calibration import MIN_SPAN_DAYS, TRAINING_SHARE, describe_miss
from amity.analysis.logic.learning.measures import measure
from amity.analysis.logic.lifetimes.waiting import chance_of_none
from amity.analysis.logic.transactions import count_between, summarise

_SURE: Final = 3.0
_LARGE: Final = 0.05


def check_silence(
    transactions: Transactions, *, until: int, estimator: Estimator
) -> dict[str, Any]:
    """Predict who buys nothing in the last quarter of the time, and compare with who did not."""
    first = int(transactions.day.min(initial=until))
    if until - first < MIN_SPAN_DAYS:
        return {
            "refused": f"a check against held-out time needs {MIN_SPAN_DAYS} days, "
            f"there are {until - first}"
        }
    split = first + int((until - first) * TRAINING_SHARE)
    histories = summarise(transactions, until=split)
    try:
        fit = estimator.fit(histories)
    except Refused as error:
        return {"refused": error.message}
    predicted = estimator.predict(fit, histories, horizon_days=until - split)
    none = chance_of_none(fit, histories, predicted.columns["p_alive"].value, until - split)
    number, _ = count_between(transactions, histories.customer_id, after=split, until=until)
    return judge(none, (number == 0).astype(np.float64), "customers who buy nothing") | {
        "horizon_days": until - split,
        "parameters": fit.parameters,
    }


def judge(probability: FloatArray, happened: FloatArray, things: str) -> dict[str, Any]:
    """Return how good probabilities were, by groups of alike ones; refused when all ended alike."""
    came = float(happened.sum())
    if came in (0.0, float(len(happened))):
        return {"refused": f"of {len(happened)} customers held out {came:.0f} did: no contrast"}
    quality: dict[str, Any] = msgspec.to_builtins(measure(probability, happened))
    return {
        "sentence": describe_miss(float(probability.sum()), came, things),
        "customers": len(happened),
        **quality,
    }


def describe_moved_share(calibration: dict[str, Any]) -> list[str]:
    """Say when clearly more or fewer did it in the held-out time than was predicted."""
    if calibration.get("refused") or not calibration.get("groups"):
        return []
    groups, size = calibration["groups"], calibration["customers"]
    said = sum(group["predicted"] * group["customers"] for group in groups) / size
    came = sum(group["actual"] * group["customers"] for group in groups) / size
    error = float(np.sqrt(came * (1 - came) / size))
    if abs(said - came) <= max(_SURE * error, _LARGE):
        return []
    return [
        f"the base rate moved: in the held-out time it was {came:.0%} of customers, where "
        f"{said:.0%} were predicted; a season, a campaign or a change may be the reason"
    ]
