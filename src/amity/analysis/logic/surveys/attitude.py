"""What those who were not asked, or did not answer, would say: a sum of what is known of them.

Only where earlier answers, taken by time, tell later ones better than their mean does; else nothing
is said of the silent.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.measures import Z95, tenths
from amity.analysis.logic.learning.models import learn_encoding, spread
from amity.analysis.logic.uplift.regressions import Sum

FEWEST: Final = 100
_LEARNT_SHARE: Final = 0.75
_INSIDE: Final = (0.1, 0.9)
_LEAST_SKILL: Final = 0.01


class Attitude(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What each customer would answer, with the range in which four of five such answers lie."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    parts: FloatArray
    """What each column (across) adds to or takes from the mean, of each customer (down)."""
    skill: float
    """Share of the spread of later answers that was told (R² held out)."""
    calibration: dict[str, Any]


def predict_attitude(
    asked: Sequence[Column],
    answers: FloatArray,
    second: FloatArray,
    everyone: Sequence[Column],
    *,
    limits: tuple[float, float],
) -> Attitude:
    """Learn from answers and what was known then; say what ``everyone`` would answer.

    ``second`` is the time of each answer. Raises Refused with fewer than 100 answers, or when
    later answers were not told better than by the mean of earlier ones.
    """
    if len(answers) < FEWEST:
        raise Refused(f"{len(answers):,} answers, and to tell others' it takes {FEWEST}")
    encodings = [learn_encoding(column) for column in asked]
    known, owner = spread(asked, encodings)
    order = np.argsort(second, kind="stable")
    cut = int(len(order) * _LEARNT_SHARE)
    first, later = order[:cut], order[cut:]
    said = np.clip(Sum(known[first], answers[first]).predict(known[later]), *limits)
    left = answers[later] - said
    skill = 1 - float(np.mean(left**2)) / float(
        np.mean((answers[later] - answers[first].mean()) ** 2) or 1
    )
    if skill < _LEAST_SKILL:
        raise Refused(
            f"what is known of those who answered does not tell what they say (R² {skill:.2f} on "
            f"{len(later):,} later answers)"
        )
    model = Sum(known, answers)
    there, _ = spread(everyone, encodings)
    value = np.clip(model.predict(there), *limits)
    low, high = np.quantile(left, _INSIDE).tolist()
    return Attitude(
        value=value,
        low=np.minimum(np.clip(value + low, *limits), value),
        high=np.maximum(np.clip(value + high, *limits), value),
        parts=_parts(model, there, owner, len(asked)),
        skill=skill,
        calibration=_compare(said, answers[later]),
    )


def _parts(model: Sum, matrix: FloatArray, owner: np.ndarray, columns: int) -> FloatArray:
    each = (matrix - model.means) / model.scales * model.weights
    return np.column_stack([each[:, owner == place].sum(axis=1) for place in range(columns)])


def _compare(said: FloatArray, came: FloatArray) -> dict[str, Any]:
    group = tenths(said)
    groups = []
    for place in np.unique(group).tolist():
        inside = group == place
        some = came[inside]
        mean = float(some.mean())
        half = Z95 * float(some.std(ddof=1)) / float(np.sqrt(len(some))) if len(some) > 1 else 0.0
        groups.append(
            {
                "label": f"{said[inside].min():.1f} to {said[inside].max():.1f}",
                "customers": len(some),
                "predicted": float(said[inside].mean()),
                "actual": mean,
                "actual_low": mean - half,
                "actual_high": mean + half,
            }
        )
    return {
        "groups": groups,
        "sentence": f"Later answers were expected to be {said.mean():.2f} on average and were "
        f"{came.mean():.2f}",
    }
