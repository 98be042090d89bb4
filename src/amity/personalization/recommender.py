"""The plug point of recommenders: what they learn from, and what they say goes with what."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.kernel.registry import Registry
from amity.personalization.contracts import Recommended

IndexArray = NDArray[np.int32]


class Baskets(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Who bought what together, one place a product in a basket, sorted by basket.

    ``basket`` and ``item`` count from 0; each pair is there once. ``items`` names the products,
    ``buyer`` the customer of each basket, ``age_days`` says how long ago each basket was.
    """

    items: list[str]
    basket: IndexArray
    item: IndexArray
    buyer: NDArray[np.int64]
    age_days: NDArray[np.float64]


class Recommender(ABC):
    """Says which products go with some products.

    Learning happens in the worker; what it learns travels as bytes, so that every process ranks
    alike. Ranking names only products it has learnt of, never one of ``product_ids`` or
    ``exclude``, the best first, equal ones in order of their ids; the same question gets the same
    answer.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    words: ClassVar[str]

    @abstractmethod
    def learn(self, baskets: Baskets) -> bytes:
        """Learn from all baskets; without any it learns nothing, which is no error."""

    @abstractmethod
    def load(self, body: bytes) -> Any:
        """Return what `learn` gave as it is kept in memory, for `rank`."""

    @abstractmethod
    def rank(
        self, model: Any, *, product_ids: Sequence[str], exclude: Collection[str], limit: int
    ) -> list[Recommended]:
        """Return at most ``limit`` products that go with ``product_ids``; unknown ones say nothing.

        May be fewer, and none.
        """


RECOMMENDERS: Final[Registry[Recommender]] = Registry(
    Recommender,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.recommenders",
)


@cache
def load_recommenders() -> Registry[Recommender]:
    """Return the registry with every recommender of the folder and of installed packages in it."""
    from amity.personalization import recommenders  # noqa: PLC0415  # its modules import this one

    RECOMMENDERS.discover(recommenders)
    return RECOMMENDERS
