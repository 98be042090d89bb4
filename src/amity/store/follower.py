"""The plug point of projections: a follower reads the activities in their order and keeps rows of
its own, each of which can be made again from the log.

One follower is one file in `store/followers/`. Its rows carry the `origin_id` of the activity they
come from, so a merge of profiles needs no work: who asks for a customer asks for the rows of all
profiles joined in her. When a merge is undone, or the projections are rebuilt, the rows are deleted
and made again; when a customer is erased, they are deleted.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final

from amity.infra.database import Connection
from amity.kernel.registry import Registry
from amity.store.contracts import Activity


class Follower(ABC):
    """What keeps one projection. An instance lives for one turn of one transaction."""

    name: ClassVar[str]
    """Its name among the consumers."""
    tables: ClassVar[tuple[str, ...]]
    """The tables it alone writes; each has a column `origin_id`."""
    samples: ClassVar[tuple[dict[str, Any], ...]] = ()
    """Events it makes rows of, as they come over the wire, which the conformance kit sends beside
    its own. `SAMPLE_PEOPLE` of the kit says who they may be of; times are set by the kit."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now

    @abstractmethod
    def apply(self, activities: Sequence[Activity]) -> None:
        """Write what these activities come to, in set-wise statements.

        They come in the order of their positions, each once, but those of a customer whose merge
        was undone come again after her rows were deleted. What happened late in the log may have
        happened early in time: the rows must not depend on the order.
        """

    def ring(self) -> int:
        """Do what the clock asks for, at most a batch of it; return how many things were done."""
        return 0


FOLLOWERS: Final[Registry[Follower]] = Registry(
    Follower,  # type: ignore[type-abstract]  # the registry holds its subclasses
    group="amity.followers",
)


@cache
def followers() -> Registry[Follower]:
    """Return all followers, found on first use."""
    from amity.store import followers as package  # noqa: PLC0415  # they import this module

    FOLLOWERS.discover(package)
    return FOLLOWERS
