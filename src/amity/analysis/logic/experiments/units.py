"""One row a unit: who was drawn into which arm, and what came of each."""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused


class Units(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The units of an experiment, one a place."""

    arm: IntArray
    outcome: FloatArray
    before: FloatArray | None

    def __len__(self) -> int:
        return len(self.arm)


def gather(units: Units, unit_id: IntArray, repeats: str) -> Units:
    """Return one place a unit, its rows put together as ``repeats`` says.

    The value from before is the mean of the rows'. Raises Refused when a unit stands in two arms,
    or in several rows and nothing was said about that: rows of one unit are no independent draws.
    """
    ids, first, place = np.unique(unit_id, return_index=True, return_inverse=True)
    crossed = np.unique(place[units.arm != units.arm[first][place]])
    if len(crossed):
        raise Refused(
            f"{len(crossed):,} units stand in more than one arm: nobody can have been drawn twice"
        )
    if len(ids) == len(unit_id):
        return units
    if repeats == "refuse":
        raise Refused(
            f"{len(ids):,} units have {len(unit_id):,} rows, and rows of one unit are no "
            "independent draws: say with --repeated how to put them together "
            "(sum, mean, max or first)"
        )
    return Units(
        arm=units.arm[first],
        outcome=_PUT_TOGETHER[repeats](units.outcome, place, first),
        before=None if units.before is None else _known_mean(units.before, place, len(ids)),
    )


def _sum(values: FloatArray, place: IntArray, first: IntArray) -> FloatArray:
    sums: FloatArray = np.bincount(place, weights=values, minlength=len(first)).astype(np.float64)
    return sums


def _mean(values: FloatArray, place: IntArray, first: IntArray) -> FloatArray:
    return _sum(values, place, first) / np.bincount(place, minlength=len(first))


def _max(values: FloatArray, place: IntArray, first: IntArray) -> FloatArray:
    most = np.full(len(first), -np.inf)
    np.maximum.at(most, place, values)
    return most


def _first(values: FloatArray, place: IntArray, first: IntArray) -> FloatArray:
    return values[first]


def _known_mean(values: FloatArray, place: IntArray, size: int) -> FloatArray:
    known = ~np.isnan(values)
    counts = np.bincount(place[known], minlength=size)
    sums = np.bincount(place[known], values[known], size)
    means: FloatArray = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    return means


_PUT_TOGETHER: Final = {"sum": _sum, "mean": _mean, "max": _max, "first": _first}
