"""Popularity: what most customers bought lately. It needs to know nothing of who asks."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from amity.personalization.contracts import Recommended
from amity.personalization.recommender import RECOMMENDERS, Baskets, Recommender

DAYS: Final = 90
"""How far back a purchase counts in full; older ones only tell equally liked products apart."""

KEPT: Final = 500


class _Learnt(msgspec.Struct, frozen=True):
    items: list[str]
    scores: list[float]


@RECOMMENDERS.register("popularity")
class Popularity(Recommender):
    """Products by the number of different customers who bought them."""

    name = "popularity"
    title = "Popular"
    words = f"What most different customers bought in the last {DAYS} days."

    def learn(self, baskets: Baskets) -> bytes:
        count = len(baskets.items)
        lately = baskets.age_days[baskets.basket] <= DAYS
        recent = _buyers(baskets, lately, count)
        ever = _buyers(baskets, np.ones(len(lately), np.bool_), count)
        # Of those liked equally lately the one liked longer; then by id, for the same answer.
        order = np.lexsort((np.array(baskets.items), -ever, -recent))[:KEPT]
        customers = max(len(np.unique(baskets.buyer)), 1)
        scores = [float(recent[i]) / customers for i in order]
        return msgspec.msgpack.encode(_Learnt([baskets.items[i] for i in order], scores))

    def load(self, body: bytes) -> list[Recommended]:
        learnt = msgspec.msgpack.decode(body, type=_Learnt)
        return [
            Recommended(product_id=item, score=score, because="")
            for item, score in zip(learnt.items, learnt.scores, strict=True)
        ]

    def rank(
        self, model: Any, *, product_ids: Sequence[str], exclude: Collection[str], limit: int
    ) -> list[Recommended]:
        unwanted = {*product_ids, *exclude}
        found: list[Recommended] = []
        for one in model:
            if len(found) >= limit:
                break
            if one.product_id not in unwanted:
                found.append(one)
        return found


def _buyers(baskets: Baskets, counted: Any, count: int) -> Any:
    """Return how many different customers bought each item in the counted places."""
    item, buyer = baskets.item[counted], baskets.buyer[baskets.basket[counted]]
    _, place = np.unique(buyer, return_inverse=True)
    distinct = np.unique(place * max(count, 1) + item)
    return np.bincount(distinct % max(count, 1), minlength=count)
