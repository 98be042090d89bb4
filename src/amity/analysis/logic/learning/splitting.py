"""Which rows are learnt from, which choose among models, and which judge in the end.

By time where rows have one: the future is what a model is used on. The judging rows are looked
at once.
"""

from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused

LEARN_SHARE: Final = 0.70
CHOOSE_SHARE: Final = 0.15


class Split(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Places of the rows in three parts."""

    kind: Literal["time", "random"]
    learn: IntArray
    choose: IntArray
    judge: IntArray


def split_rows(label: FloatArray, seconds: FloatArray | None, rng: np.random.Generator) -> Split:
    """Split by time when it is known and varies, at random otherwise.

    Rows of one moment stay together.
    """
    if seconds is not None and np.ptp(seconds) > 0:
        first, second = np.quantile(
            seconds, [LEARN_SHARE, LEARN_SHARE + CHOOSE_SHARE], method="higher"
        )
        split = Split(
            kind="time",
            learn=np.flatnonzero(seconds < first),
            choose=np.flatnonzero((seconds >= first) & (seconds < second)),
            judge=np.flatnonzero(seconds >= second),
        )
    else:
        order = rng.permutation(len(label))
        cuts = [int(len(label) * share) for share in (LEARN_SHARE, LEARN_SHARE + CHOOSE_SHARE)]
        learn, choose, judge = np.split(order, cuts)
        split = Split(
            kind="random", learn=np.sort(learn), choose=np.sort(choose), judge=np.sort(judge)
        )
    return split


def refuse_one_kind(label: FloatArray, split: Split) -> None:
    """Raise Refused when a part of the rows has only one kind of label, or no row."""
    for name, part in (("learn", split.learn), ("choose", split.choose), ("judge", split.judge)):
        if not len(part) or np.ptp(label[part]) == 0:
            raise Refused(
                f"in the part of the {len(label):,} rows kept to {name} by, all or none did it: "
                "there is too little, or it happened at one time only"
            )
