"""How good the chances to answer are: learnt from the first three quarters, asked of the rest."""

from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import IntArray, Refused
from amity.analysis.logic.learning.measures import group_by_probability, log_loss
from amity.analysis.logic.preferences.choosing import Messages, learn_hours

_LEARNT_SHARE: Final = 0.75
_FEWEST_JUDGED: Final = 50


def judge_hours(messages: Messages, second: IntArray, rng: np.random.Generator) -> dict[str, Any]:
    """Return what was said of later messages beside what came, or why that cannot be known.

    The split is by time, ``second`` of each message; customers who got nothing before it are left
    out. It says too whether customers' own hours told more than those of all.
    """
    order = np.argsort(second, kind="stable")
    cut = int(len(order) * _LEARNT_SHARE)
    first, later = messages.take(order[:cut]), messages.take(order[cut:])
    later = later.take(np.flatnonzero(np.isin(later.customer, first.customer)))
    try:
        learnt = learn_hours(first, rng)
    except Refused as error:
        return {"refused": f"before the last quarter there are only {error.message}"}
    if len(later) < _FEWEST_JUDGED or np.ptp(later.answered) == 0:
        return {"refused": f"{len(later):,} messages of the last quarter cannot judge anything"}
    said = learnt.chance(later.customer, later.hour)
    plain = learnt.chance(later.customer, later.hour, own=False)
    groups = group_by_probability(said, later.answered)
    expected, came = float(said.sum()), float(later.answered.sum())
    gain = log_loss(plain, later.answered) - log_loss(said, later.answered)
    return {
        "groups": msgspec.to_builtins(groups),
        "rows": len(later),
        "gain_of_own_hours": gain,
        "sentence": f"Of {len(later):,} later messages {expected:,.0f} were expected to be "
        f"answered, {came:,.0f} were; customers' own hours told "
        + ("more than those of all" if gain > 0 else "no more than those of all"),
    }
