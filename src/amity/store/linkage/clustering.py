"""From links to clusters: connected components, and chains broken where they contradict.

Two records far apart on a chain of good links may contradict each other. Components in which
that is so are put together anew, the best links first, and two parts are joined only when the
pairs between them speak for it on average. With one-to-one, a record of one file takes at most
one of the other, the best.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.store.linkage.blocking import pairs_in_runs
from amity.store.linkage.model import Bits, Rows

_LARGEST: Final = 200  # components above this are judged by the pairs that were looked at
_STRONGEST: Final = 20.0  # one pair's bits count up to this, so that none outvotes all others


class Clusters(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Which cluster each row is in (the lowest row of it), and how many chains were broken."""

    label: Rows
    split: int


def components(size: int, left: Rows, right: Rows) -> Rows:
    """Return for each row the lowest row it is connected with."""
    # What decides loads the store's door, and SciPy is heavy.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max(initial=0) + 1, size, np.int64)
    np.minimum.at(lowest, label, np.arange(size))
    return lowest[label]


def best_only(left: Rows, right: Rows, bits: Bits) -> NDArray[np.bool_]:
    """Say which links are kept when every record takes one partner: the best link first."""
    taken: set[int] = set()
    kept = np.zeros(len(left), bool)
    for place in np.lexsort((right, left, -bits)).tolist():
        one, other = int(left[place]), int(right[place])
        if one not in taken and other not in taken:
            kept[place] = True
            taken.update((one, other))
    return kept


def find_clusters(
    size: int,
    links: tuple[Rows, Rows],
    known: tuple[Rows, Rows, Bits],
    score: Callable[[Rows, Rows], Bits],
) -> Clusters:
    """Return the clusters the links make, contradicting chains broken.

    ``known`` are all pairs that were scored; ``score`` is asked for the others inside a component.
    """
    label = components(size, *links)
    suspects = _find_suspects(label, links, known, score)
    if not suspects:
        return Clusters(label=label, split=0)
    label = label.copy()
    split = 0
    for rows, pairs in suspects:
        parts = _agglomerate(rows, pairs)
        split += len(parts) > 1
        for part in parts:
            label[part] = min(part)
    return Clusters(label=label, split=split)


Pair = tuple[int, int, float]


def _find_suspects(
    label: Rows,
    links: tuple[Rows, Rows],
    known: tuple[Rows, Rows, Bits],
    score: Callable[[Rows, Rows], Bits],
) -> list[tuple[list[int], list[Pair]]]:
    """Return the components, with their scored pairs, that hold a pair more likely strangers."""
    sizes = np.bincount(label, minlength=len(label))
    held = np.bincount(label[links[0]], minlength=len(label))
    open_ = (sizes > 2) & (held < sizes * (sizes - 1) // 2)
    rows = np.flatnonzero(open_[label])
    if not len(rows):
        return []
    rows = rows[np.argsort(label[rows], kind="stable")]
    small = rows[sizes[label[rows]] <= _LARGEST]
    left, right = pairs_in_runs(small, label[small])
    bits = score(left, right)
    inside = open_[label[known[0]]] & (label[known[0]] == label[known[1]])
    inside &= sizes[label[known[0]]] > _LARGEST
    left = np.concatenate([left, known[0][inside]])
    right = np.concatenate([right, known[1][inside]])
    bits = np.clip(np.concatenate([bits, known[2][inside]]), -_STRONGEST, _STRONGEST)
    doubtful = np.zeros(len(label), bool)
    doubtful[label[left[bits < 0]]] = True
    members: dict[int, list[int]] = {}
    for row in rows[doubtful[label[rows]]].tolist():
        members.setdefault(int(label[row]), []).append(row)
    pairs: dict[int, list[Pair]] = {name: [] for name in members}
    kept = doubtful[label[left]]
    for pair in zip(left[kept].tolist(), right[kept].tolist(), bits[kept].tolist(), strict=True):
        pairs[int(label[pair[0]])].append(pair)
    return [(members[name], found) for name, found in sorted(pairs.items())]


def _agglomerate(rows: Sequence[int], pairs: Sequence[Pair]) -> list[list[int]]:
    """Join the two parts that the pairs between them speak for most, as long as any do."""
    parts = {row: [row] for row in rows}
    between: dict[int, dict[int, tuple[float, int]]] = {row: {} for row in rows}
    for one, other, weight in pairs:
        between[one][other] = between[other][one] = (weight, 1)
    while True:
        best = max(
            (
                (total / count, -one, -other)
                for one, others in between.items()
                for other, (total, count) in others.items()
                if one < other
            ),
            default=(0.0, 0, 0),
        )
        if best[0] <= 0:
            return [sorted(part) for part in parts.values()]
        _join(parts, between, -best[1], -best[2])


def _join(
    parts: dict[int, list[int]],
    between: dict[int, dict[int, tuple[float, int]]],
    one: int,
    other: int,
) -> None:
    parts[one] += parts.pop(other)
    for third, (total, count) in between.pop(other).items():
        del between[third][other]
        if third == one:
            continue
        mine = between[one].get(third, (0.0, 0))
        between[one][third] = between[third][one] = (mine[0] + total, mine[1] + count)
