"""Also bought: what stands beside a product in baskets more often than chance would put it."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from amity.personalization.contracts import Recommended
from amity.personalization.recommender import RECOMMENDERS, Baskets, IndexArray, Recommender

if TYPE_CHECKING:
    from amity.personalization.logic.recommending_kernel import Nearest, Neighbours

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


class Shelf(msgspec.Struct, frozen=True, eq=False):
    """What is kept in memory: products by place, places by product, neighbours by place."""

    items: list[str]
    places: dict[str, int]
    learnt: "Neighbours"
    rank: Callable[..., int]


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

        shape = (len(baskets.items), self._places)
        nearest = kernel.Nearest(np.full(shape, -1, np.int32), np.zeros(shape, np.float32))
        counts = np.bincount(baskets.basket, minlength=len(baskets.buyer))
        start = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
        kernel.find_neighbours(
            kernel.Rows(start, baskets.item),
            len(baskets.items),
            nearest,
            self._least,
            self._shrinkage,
            _THREADS,
        )
        return nearest

    def load(self, body: bytes) -> Shelf:
        from amity.personalization.logic import recommending_kernel as kernel  # noqa: PLC0415  # Numba

        learnt = msgspec.msgpack.decode(body, type=_Learnt)
        count = len(learnt.items)
        return Shelf(
            items=learnt.items,
            places={item: place for place, item in enumerate(learnt.items)},
            learnt=kernel.Neighbours(
                start=np.frombuffer(learnt.start, np.int32),
                neighbour=np.frombuffer(learnt.neighbour, np.int32),
                score=np.frombuffer(learnt.score, np.float32),
                floats=np.zeros((2, count), np.float32),
                whole=np.zeros((2, count), np.int32),
            ),
            rank=kernel.rank_neighbours,
        )

    def rank(
        self, model: Any, *, product_ids: Sequence[str], exclude: Collection[str], limit: int
    ) -> list[Recommended]:
        asked = _find(model, product_ids)
        if not len(asked) or limit < 1:
            return []
        found, score = np.empty(limit, np.int32), np.empty(limit, np.float32)
        unwanted = _find(model, exclude) if exclude else asked
        count = model.rank(model.learnt, asked, unwanted, found, score)
        items = model.items
        reasons = model.learnt.whole[0][found[:count]]
        return [
            Recommended(product_id=items[i], score=given, because=items[reason])
            for i, given, reason in zip(
                found[:count].tolist(), score[:count].tolist(), reasons.tolist(), strict=True
            )
        ]


def _find(shelf: Shelf, product_ids: Collection[str]) -> IndexArray:
    places = shelf.places
    # Once each: what lies twice in a basket is not liked twice as much.
    return np.array([places[p] for p in dict.fromkeys(product_ids) if p in places], np.int32)
