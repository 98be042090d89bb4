"""How good the chances to answer are: learnt from the first three quarters, asked of the rest."""

from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.learning.measures import group_by_probability, log_loss
from amity.analysis.logic.preferences.choosing import Messages, learn_hours

LEARNT_SHARE: Final = 0.75
_FEWEST_JUDGED: Final = 50


def judge_hours(messages: Messages, second: IntArray, rng: np.random.Generator) -> dict[str, Any]:
    """Return what was said of later messages beside what came, or why that cannot be known.

    The split is by time, ``second`` of each message; customers who got nothing before it are left
    out. It says too whether customers' own hours told more than those of all.
    """
    order = np.argsort(second, kind="stable")
    cut = int(len(order) * LEARNT_SHARE)
    first, later = messages.take(order[:cut]), messages.take(order[cut:])
    later = later.take(np.flatnonzero(np.isin(later.customer, first.customer)))
    try:
        learnt = learn_hours(first, rng)
    except Refused as error:
        return {"refused": f"before the last quarter there are only {error.message}"}
    return judge(
        learnt.chance(later.customer, later.hour),
        learnt.chance(later.customer, later.hour, own=False),
        later.answered,
        what="hours",
    )


def judge(
    said: FloatArray, plain: FloatArray, answered: FloatArray, *, what: str
) -> dict[str, Any]:
    """Return what was said of messages beside what came; ``plain`` is said without own leanings."""
    if len(answered) < _FEWEST_JUDGED or np.ptp(answered) == 0:
        return {"refused": f"{len(answered):,} messages of the last quarter cannot judge anything"}
    groups = group_by_probability(said, answered)
    expected, came = float(said.sum()), float(answered.sum())
    gain = log_loss(plain, answered) - log_loss(said, answered)
    return {
        "groups": msgspec.to_builtins(groups),
        "rows": len(answered),
        f"gain_of_own_{what}": gain,
        "sentence": f"Of {len(answered):,} later messages {expected:,.0f} were expected to be "
        f"answered, {came:,.0f} were; customers' own {what} told "
        + ("more than those of all" if gain > 0 else "no more than those of all"),
    }
