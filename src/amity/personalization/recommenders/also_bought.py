"""Also bought: what stands beside a product in baskets more often than chance would put it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.personalization.contracts import Recommended
from amity.personalization.recommender import RECOMMENDERS, Baskets, IndexArray, Recommender

if TYPE_CHECKING:
    from amity.personalization.logic.recommending_kernel import Nearest, Room, Rows

PLACES: Final = 20
"""How many neighbours of a product are kept."""

LEAST: Final = 2
"""One basket can hold anything beside anything; two are the beginning of a habit."""

SHRINKAGE: Final = 5.0
"""How many baskets' worth of doubt a pair has to overcome."""

_THREADS: Final = 2


class _Learnt(msgspec.Struct, frozen=True):
    """What travels: products in order of id, and their neighbours in compressed rows."""

    items: list[str]
    start: bytes
    neighbour: bytes
    score: bytes


class Neighbours(msgspec.Struct, eq=False):
    """What is kept in memory, with the room `rank` works in."""

    items: list[str]
    places: dict[str, int]
    rows: "Rows"
    score: NDArray[np.float32]
    room: "Room"


@RECOMMENDERS.register("also_bought")
class AlsoBought(Recommender):
    """Item-to-item by the cosine of baskets, shrunk where few baskets speak.

    Source: Linden, Smith and York, "Amazon.com recommendations: item-to-item collaborative
    filtering", IEEE Internet Computing 7(1), 2003.
    """

    name = "also_bought"
    title = "Also bought"
    words = "Products that stand in the same baskets more often than chance would put them there."

    def __init__(
        self, *, places: int = PLACES, least: int = LEAST, shrinkage: float = SHRINKAGE
    ) -> None:
        self._places = places
        self._least = least
        self._shrinkage = shrinkage

    def learn(self, baskets: Baskets) -> bytes:
        found, score = self.find(baskets)
        kept = found >= 0
        start = np.concatenate(([0], np.cumsum(kept.sum(axis=1)))).astype(np.int32)
        return msgspec.msgpack.encode(
            _Learnt(baskets.items, start.tobytes(), found[kept].tobytes(), score[kept].tobytes())
        )

    def find(self, baskets: Baskets) -> "Nearest":
        """Return the nearest items of every item and their scores, a row an item."""
        from amity.personalization.logic import recommending_kernel as kernel  # noqa: PLC0415  # Numba

        count = len(baskets.items)
        shape = (count, self._places)
        nearest = kernel.Nearest(np.full(shape, -1, np.int32), np.zeros(shape, np.float32))
        order = np.argsort(baskets.item, kind="stable")
        kernel.find_neighbours(
            kernel.Rows(_starts(baskets.item[order], count), baskets.basket[order]),
            kernel.Rows(_starts(baskets.basket, len(baskets.buyer)), baskets.item),
            nearest,
            self._least,
            self._shrinkage,
            _THREADS,
        )
        return nearest

    def load(self, body: bytes) -> Neighbours:
        from amity.personalization.logic import recommending_kernel as kernel  # noqa: PLC0415  # Numba

        learnt = msgspec.msgpack.decode(body, type=_Learnt)
        floats = np.zeros((2, len(learnt.items)), np.float32)
        whole = np.zeros((2, len(learnt.items)), np.int32)
        return Neighbours(
            items=learnt.items,
            places={item: place for place, item in enumerate(learnt.items)},
            rows=kernel.Rows(
                np.frombuffer(learnt.start, np.int32), np.frombuffer(learnt.neighbour, np.int32)
            ),
            score=np.frombuffer(learnt.score, np.float32),
            room=kernel.Room(floats[0], floats[1], whole[0], whole[1]),
        )

    def rank(
        self, model: Any, *, product_ids: Sequence[str], exclude: Collection[str], limit: int
    ) -> list[Recommended]:
        from amity.personalization.logic import recommending_kernel as kernel  # noqa: PLC0415  # Numba

        asked = _find(model, product_ids)
        if not len(asked) or limit < 1:
            return []
        to = kernel.Nearest(np.full(limit, -1, np.int32), np.zeros(limit, np.float32))
        unwanted = _find(model, exclude)
        kernel.rank_neighbours(model.rows, model.score, asked, unwanted, model.room, to)
        items, because = model.items, model.room.because
        return [
            Recommended(product_id=items[i], score=score, because=items[because[i]])
            for i, score in zip(to.found.tolist(), to.score.tolist(), strict=True)
            if i >= 0
        ]


def _starts(sorted_rows: IndexArray, rows: int) -> IndexArray:
    counts = np.bincount(sorted_rows, minlength=rows)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)


def _find(model: Neighbours, product_ids: Collection[str]) -> IndexArray:
    places = model.places
    # Once each: what lies twice in a basket is not liked twice as much.
    return np.array([places[p] for p in dict.fromkeys(product_ids) if p in places], np.int32)
