"""The plug point of estimates over the store: scores of all customers, made each night.

One class in one module of `store_estimates/` adds scores. It says what it reads of the warehouse
as Ibis expressions, and makes scores of the rows in pure Python; whoever runs it reads, keeps the
scores with their run, and later asks what came of those that are followed.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import ModelCard
from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, FloatArray, IntArray
from amity.analysis.logic.scoring.reliability import Due
from amity.analysis.report import Asked
from amity.kernel.registry import Registry

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

Rows = Mapping[str, "pa.Table"]


class Known(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an estimator is given beside the rows."""

    asked: Asked
    """The time looked at, up to and with today, the present moment and the home currency."""
    time_zone: str
    """The shop's; this and the next are the settings of these names."""
    referred_by: str
    scores: Mapping[str, tuple[IntArray, FloatArray]]
    """Scores it `needs`, by name: customers, sorted, and what each has."""


class Scored(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One score: of whom, and what. The labels of the column say why, or what it stands for."""

    customer_id: IntArray
    """Sorted, each once."""
    column: Column
    """An end of a range may be NaN where a customer has none."""


class Followed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is predicted of some customers for a time to come, to be compared with what comes."""

    customer_id: IntArray
    expected: FloatArray


class StoreEstimated(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an estimator makes of the store."""

    scores: Mapping[str, Scored]
    parameters: dict[str, float]
    report: dict[str, Any]
    """`sentence` (what came of it), `facts` (what it rests on: words and numbers), `warnings`,
    `calibration` (`groups` and `sentence`, or `refused`: why there is none)."""
    followed: Mapping[str, Followed] = {}


class StoreEstimator(ABC):
    """Makes scores of what the warehouse knows. No state: two made alike answer alike."""

    name: ClassVar[str]
    """The name of its runs."""
    version: ClassVar[int] = 1
    """Raised when the same rows would give other scores; kept with every run."""
    card: ClassVar[ModelCard]
    scores: ClassVar[tuple[ScoreWords, ...]]
    tables: ClassVar[frozenset[str]]
    """The warehouse's tables it reads."""
    follows: ClassVar[Mapping[str, int]] = {}
    """Scores that time proves right or wrong, each with its days ahead."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Other scores it is given."""
    facts: ClassVar[frozenset[str]] = frozenset()
    """What it is given with the question of what the company entered, as a report `needs` it."""
    days: ClassVar[int] = 365
    """How far back it looks."""

    @abstractmethod
    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        """Return what is to be read, by name: plain Ibis, one row a customer where it can be."""

    @abstractmethod
    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        """Make scores; raise Refused when the rows cannot carry them."""

    def observe(self, rows: Rows, known: Known, score: str, due: Due) -> FloatArray:
        """Say what came of each of ``due``, NaN where it cannot be known; of `follows` only."""
        raise NotImplementedError(f"{self.name} follows {score} and does not say what came")


def pick(ids: IntArray, values: FloatArray, wanted: IntArray) -> FloatArray:
    """Return the values of the customers wanted, NaN of who is not among ``ids`` (sorted)."""
    if not len(ids):
        return np.full(len(wanted), np.nan)
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    found: FloatArray = np.where(ids[place] == wanted, values[place], np.nan)
    return found


STORE_ESTIMATES: Final[Registry[StoreEstimator]] = Registry(
    StoreEstimator,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.store_estimates",
)


@cache
def load_store_estimates() -> Registry[StoreEstimator]:
    """Return the registry with every module of the folder and of installed packages in it."""
    from amity.analysis import store_estimates  # noqa: PLC0415  # its modules import this one

    STORE_ESTIMATES.discover(store_estimates)
    return STORE_ESTIMATES
