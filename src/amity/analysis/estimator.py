"""The plug point of estimators: what they are given, what they give back, what they promise.

Everything is columnar: one NumPy array a fact, one place a customer, so that a million customers
cost a few array operations.  An estimator never changes what it is given.
"""

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.contracts_estimates import ModelCard
from amity.kernel.errors import AmityError
from amity.kernel.registry import Registry

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Refused(AmityError):
    """The data cannot carry what is asked of them; the message says why, for people."""

    kind = "invalid"
    code = "data_cannot_carry"


class Transactions(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Purchases, one a place, in any order.

    ``day`` counts days since 1970-01-01 (UTC).  ``amount`` is in minor units, of which
    ``minor_per_unit`` make one unit of the currency; None when no amounts are known.
    """

    customer_id: IntArray
    day: IntArray
    amount: IntArray | None = None
    minor_per_unit: int = 100


class Histories(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of each customer on one day, sorted by ``customer_id``.

    The purchases of one day count as one.  ``frequency`` is the number of purchases after the
    first, ``recency_days`` the days from the first to the last, ``age_days`` from the first to
    the day of observation.  ``spend`` is the average amount of the purchases after the first,
    zero without any, and ``total`` the amount of all; both in units of the currency, and NaN
    when no amounts are known.
    """

    customer_id: IntArray
    frequency: IntArray
    recency_days: IntArray
    age_days: IntArray
    spend: FloatArray
    total: FloatArray

    def __len__(self) -> int:
        return len(self.customer_id)

    @property
    def has_amounts(self) -> bool:
        """Say whether the amounts are known."""
        return bool(len(self)) and not bool(np.isnan(self.total).any())

    def take(self, places: IntArray | NDArray[np.bool_]) -> "Histories":
        """Return the customers at some places, in that order."""
        return Histories(
            **{field: getattr(self, field)[places] for field in self.__struct_fields__}
        )


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an estimator can do and what it needs."""

    predicts: tuple[str, ...]
    needs_amounts: bool
    uses_horizon: bool
    has_intervals: bool


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What an estimator has learnt; enough to predict from, without the data it came from.

    ``covariance`` is that of the logarithms of the parameters, in their order, from the observed
    information; empty when the likelihood does not determine them, and then ``warnings`` says so.
    """

    estimator: str
    unit_days: float
    parameters: dict[str, float]
    customers: int
    standard_errors: dict[str, float] = {}
    covariance: list[list[float]] = []
    log_likelihood: float | None = None
    iterations: int = 0
    warnings: list[str] = []
    details: dict[str, Any] = {}


class Column(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One prediction for every customer; ``low`` and ``high`` where an interval is justified."""

    value: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    labels: list[str] | None = None


class Predictions(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The columns an estimator predicts, in the order of the histories it was given."""

    customer_id: IntArray
    columns: dict[str, Column]


class Estimator(ABC):
    """Turns purchase histories into predictions.

    ``unit_days`` is the unit of time of its parameters, 7 for weeks.  Predictions do not depend
    on it.  Two estimators made alike behave alike: no state, no randomness that is not seeded.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised when the same histories would give other numbers; kept with every run."""
    card: ClassVar[ModelCard]
    capabilities: ClassVar[Capabilities]

    def __init__(self, *, unit_days: float = 1.0) -> None:
        self.unit_days = unit_days

    @abstractmethod
    def fit(self, histories: Histories) -> Fit:
        """Learn from all customers; raise Refused when they cannot carry it."""

    @abstractmethod
    def predict(self, fit: Fit, histories: Histories, *, horizon_days: float) -> Predictions:
        """Predict each customer on its own: one gets what it would get among many."""


ESTIMATORS: Final[Registry[Estimator]] = Registry(
    Estimator,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.estimators",
)


@cache
def load_estimators() -> Registry[Estimator]:
    """Return the registry with every estimator of the folder and of installed packages in it."""
    from amity.analysis import estimators  # noqa: PLC0415  # its modules import this one

    ESTIMATORS.discover(estimators)
    return ESTIMATORS
