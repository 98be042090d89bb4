"""Seeing more clearly with what was known before an experiment began (CUPED).

Deng, Xu, Kohavi and Walker, Improving the sensitivity of online controlled experiments by
utilizing pre-experiment data, WSDM 2013.
"""

import numpy as np

from amity.analysis.contracts_learning import Adjustment
from amity.analysis.estimator import FloatArray, IntArray


def adjust(
    outcome: FloatArray, before: FloatArray, arm: IntArray, column: str
) -> tuple[FloatArray, Adjustment]:
    """Return the outcome less what ``before`` explains of it, with the same mean overall.

    The slope is the one within arms, so that it holds nothing of the effect. Units without a
    value from before are told apart by a mark, which is adjusted for too.
    """
    known = ~np.isnan(before)
    middle = float(before[known].mean()) if known.any() else 0.0
    columns = [np.where(known, before, middle)]
    if not known.all() and known.any():
        columns.append(known.astype(np.float64))
    design = np.column_stack(columns)
    inside = _within(design, arm)
    target = _within(outcome[:, None], arm)[:, 0]
    slopes = np.linalg.lstsq(inside, target, rcond=None)[0]
    explained = (design - design.mean(axis=0)) @ slopes
    left = target - inside @ slopes
    spread = float(target @ target)
    return outcome - explained, Adjustment(
        column=column,
        variance_removed=1 - float(left @ left) / spread if spread > 0 else 0.0,
        known=int(known.sum()),
        slope=float(slopes[0]),
    )


def _within(values: FloatArray, arm: IntArray) -> FloatArray:
    """Return values less the mean of their arm."""
    out = np.array(values)
    for each in np.unique(arm):
        inside = arm == each
        out[inside] -= out[inside].mean(axis=0)
    return out
