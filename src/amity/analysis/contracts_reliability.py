"""What estimators say of themselves: their cards, and how far their predictions came true."""

from datetime import datetime

import msgspec

from amity.analysis.contracts_estimates import ModelCard


class EstimatorWords(msgspec.Struct, frozen=True, kw_only=True):
    """An estimator of the registry, for people."""

    name: str
    version: int
    card: ModelCard


class ReliabilityGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Customers with alike predictions: what was predicted of them on average, and what came."""

    place: int
    customers: int
    expected: float
    observed: float
    low: float
    """95 % confidence interval of what customers alike do."""
    high: float


class PredictionRound(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions made at one time, by one run of a model; totals over those looked at."""

    predicted_at: datetime
    due_at: datetime
    model_run_id: int
    customers: int
    expected: float
    observed: float | None
    """None until the time is over; those of whom it could not be known are left out of both."""


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """How far the predictions of one score came true."""

    score: str
    horizon_days: int
    is_share: bool
    """Whether what came is yes or no of each, so that the averages are shares."""
    groups: list[ReliabilityGroup]
    """Of the rounds whose time is over; empty while there are none."""
    rounds: list[PredictionRound]
    """The latest first."""
    sentence: str
    drift: str = ""
    """Whether the latest rounds missed otherwise than those before; empty with fewer than two."""
    has_drifted: bool = False
    """Whether by more than chance gives (95 %)."""
