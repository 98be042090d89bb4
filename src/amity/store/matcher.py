"""The plug point of identity matchers: how one kind of column is compared between two records.

A matcher brings a value into the form it is compared in, says by which keys records with such
values are worth comparing at all, and grades how far two different values agree. It never says
what an agreement is worth: that is learnt from the data (`store/linkage/training.py`).

One matcher is one file in `store/matchers/`. It is pure and symmetric.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from functools import cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from amity.kernel.errors import NotFound
from amity.kernel.registry import Registry

Levels = NDArray[np.int8]


class Matcher(ABC):
    """What compares the values of one column.

    ``levels`` are the grades of agreement, worst first; the last is reserved for equal values.
    ``headings`` are what such columns are called, in small letters with single underscores.
    ``ways`` name the keys `keys` returns; the first is what blocking takes when nothing is said.
    ``layout`` is what `learn` found about how the values of a column are written.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    headings: ClassVar[tuple[str, ...]] = ()
    levels: ClassVar[tuple[str, ...]]
    ways: ClassVar[tuple[str, ...]] = ("whole",)
    can_block: ClassVar[bool] = True
    swaps: ClassVar[str] = ""
    """Two columns whose matchers share this word may have been filled in for each other."""
    refines: ClassVar[int] = 0
    """Above zero for parts of a place; a coarser part says little once a finer one agrees."""
    is_shared: ClassVar[bool] = False
    """Whether the people of one household, or of one company, have the same one."""
    samples: ClassVar[tuple[tuple[str, str, str], ...]]
    """Two raw values and the level they agree at, for the documentation and the kit."""

    def __init__(self, layout: str = "") -> None:
        self.layout = layout

    @classmethod
    def learn(cls, values: Collection[str]) -> str:
        """Return how these raw values are written, where that must be known to read one."""
        del values
        return ""

    @classmethod
    def fits(cls, value: str) -> bool:
        """Say whether a filled raw value can be one of these at all."""
        return bool(value.strip())

    @classmethod
    def is_unmistakable(cls, value: str) -> bool:
        """Say whether a raw value alone, without a heading, shows that it is one of these."""
        del value
        return False

    @abstractmethod
    def normalise(self, value: str) -> str:
        """Return the value as it is compared, or the empty text when it says nothing."""

    def normalise_all(self, values: Sequence[str]) -> list[str]:
        """Return what `normalise` makes of each value; overridden where all at once is quicker."""
        return [self.normalise(value) for value in values]

    def keys(self, value: str) -> tuple[str, ...]:
        """Return one key for each of ``ways`` from a normalised value; empty where it has none."""
        return (value,)

    @abstractmethod
    def compare(self, left: Sequence[str], right: Sequence[str]) -> Levels:
        """Grade pairs of normalised values, all filled and different: a place in ``levels``.

        Symmetric; the last level is for equal values, which are never asked about.
        """


MATCHERS: Final[Registry[Matcher]] = Registry(
    Matcher,  # type: ignore[type-abstract]  # the registry holds its subclasses
    group="amity.matchers",
)


@cache
def matchers() -> Registry[Matcher]:
    """Return all matchers, found on first use."""
    from amity.store import matchers as package  # noqa: PLC0415  # they import this module

    MATCHERS.discover(package)
    return MATCHERS


def find_matcher(name: str) -> type[Matcher]:
    """Return a matcher by its name; raise NotFound with the names there are."""
    if name not in matchers():
        known = ", ".join(sorted(matchers().names()))
        raise NotFound(f"there is no matcher {name!r}; there are: {known}")
    return matchers()[name]
