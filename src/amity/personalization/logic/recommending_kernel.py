"""The inner loops of "also bought", compiled by Numba: who stands beside whom in baskets.

Kept apart so that only who learns or ranks loads Numba. The product of the item-by-basket matrix
with its transpose is formed row by row (Gustavson, "Two fast algorithms for sparse matrices",
ACM TOMS 4(3), 1978), each row is cut to its best places at once, and nothing larger than one row
is ever kept.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from amity.personalization.recommender import IndexArray

FloatArray = Any  # of float32; Numba's own arrays have no types


class Rows(NamedTuple):
    """A matrix of zeros and ones in compressed rows."""

    start: IndexArray
    place: IndexArray


class Nearest(NamedTuple):
    """A row of places and scores for each item, the best first; -1 is an empty place."""

    found: IndexArray
    score: FloatArray


class Neighbours(NamedTuple):
    """What was learnt, in compressed rows, and the room ranking works in.

    ``sums`` and ``best`` are one row of ``floats`` each, ``because`` and ``met`` of ``whole``; all
    have one place an item, and ``sums`` is all zero before and after.
    """

    start: IndexArray
    neighbour: IndexArray
    score: FloatArray
    floats: FloatArray
    whole: Any


@numba.njit(cache=True, nogil=True, parallel=True)
def find_neighbours(
    baskets: Rows, count: int, nearest: Nearest, least: int, shrinkage: float, threads: int
) -> None:
    """Fill ``nearest``, whose places are all empty, for ``count`` items from baskets' items.

    The score is the cosine of the two items' baskets, n_ij / sqrt(n_i n_j), times
    n_ij / (n_ij + shrinkage); pairs seen together less than ``least`` times do not count. Costs
    as many steps as there are pairs: the sum of squared basket sizes.
    """
    items = _turn(baskets, count)
    length = np.empty(count, np.float32)
    for i in range(count):
        length[i] = np.sqrt(np.float32(items.start[i + 1] - items.start[i]))
    for thread in numba.prange(threads):
        together = np.zeros(count, np.int32)
        met = np.empty(count, np.int32)
        for i in range(thread, count, threads):
            many = _count_together(items, baskets, i, together, met)
            together[i] = 0
            _keep_nearest(
                nearest.found[i],
                nearest.score[i],
                met[:many],
                together,
                length,
                (least, shrinkage, i),
            )


@numba.njit(cache=True, nogil=True)
def _turn(baskets: Rows, count: int) -> Rows:
    """Return items' baskets from baskets' items, each row in order."""
    start = np.zeros(count + 1, np.int32)
    for i in baskets.place:
        start[i + 1] += 1
    for i in range(count):
        start[i + 1] += start[i]
    place = np.empty(len(baskets.place), np.int32)
    free = start[:-1].copy()
    for basket in range(len(baskets.start) - 1):
        for q in range(baskets.start[basket], baskets.start[basket + 1]):
            i = baskets.place[q]
            place[free[i]] = basket
            free[i] += 1
    return Rows(start, place)


@numba.njit(cache=True, nogil=True)
def _keep_nearest(
    found: IndexArray,
    score: FloatArray,
    met: IndexArray,
    together: IndexArray,
    length: FloatArray,
    how: tuple[int, float, int],
) -> None:
    """Fill one item's row from the counts, which are zero again afterwards."""
    least, shrinkage, i = how
    size = 0
    for j in met:
        both = together[j]
        together[j] = 0
        if both >= least and both > 0:
            value = np.float32(both) / (length[i] * length[j])
            if shrinkage > 0:
                value *= np.float32(both / (both + shrinkage))
            if size < len(found) or value >= score[size - 1]:
                size = _insert(found, score, size, j, value)


@numba.njit(cache=True, nogil=True)
def _count_together(
    items: Rows, baskets: Rows, i: int, together: IndexArray, met: IndexArray
) -> int:
    """Count how often each item lies in a basket with ``i``; list in ``met`` those that do."""
    many = 0
    for p in range(items.start[i], items.start[i + 1]):
        basket = items.place[p]
        for q in range(baskets.start[basket], baskets.start[basket + 1]):
            j = baskets.place[q]
            if together[j] == 0:
                met[many] = j
                many += 1
            together[j] += 1
    return many


@numba.njit(cache=True, nogil=True)
def _insert(found: IndexArray, score: FloatArray, size: int, j: int, value: float) -> int:
    """Put an item where it belongs in a sorted row, the worst falling off; return the new size.

    Equal scores go by the lower item.
    """
    place = min(size, len(found) - 1)
    if size == len(found) and (
        value < score[place] or (value == score[place] and j > found[place])
    ):
        return size
    while place > 0 and (
        score[place - 1] < value or (score[place - 1] == value and found[place - 1] > j)
    ):
        score[place] = score[place - 1]
        found[place] = found[place - 1]
        place -= 1
    score[place] = value
    found[place] = j
    return min(size + 1, len(found))


@numba.njit(cache=True)  # holds the GIL, so that one room serves all threads
def rank_neighbours(
    learnt: Neighbours,
    asked: IndexArray,
    unwanted: IndexArray,
    found: IndexArray,
    score: FloatArray,
) -> int:
    """Put into ``found`` the items whose scores beside the asked ones sum highest; return how many.

    ``learnt.whole[0]`` then holds, for those, the asked item that gave most of it.
    """
    sums, best, because, met = learnt.floats[0], learnt.floats[1], learnt.whole[0], learnt.whole[1]
    many = 0
    for i in asked:
        for p in range(learnt.start[i], learnt.start[i + 1]):
            j = learnt.neighbour[p]
            given = learnt.score[p]
            if sums[j] == 0:
                met[many] = j
                many += 1
                best[j] = 0
            sums[j] += given
            if given > best[j]:
                best[j] = given
                because[j] = i
    for i in asked:
        sums[i] = 0
    for i in unwanted:
        sums[i] = 0
    size = 0
    for m in range(many):
        j = met[m]
        if sums[j] > 0:
            size = _insert(found, score, size, j, sums[j])
            sums[j] = 0
    return size
