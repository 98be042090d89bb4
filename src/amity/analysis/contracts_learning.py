"""What learning from rows and experiments answers: all of it crosses the analysis engine's door."""

from typing import Literal

import msgspec

from amity.kernel.estimate import Estimate


class ArmReading(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of an experiment: its size, and the mean of the outcome over all its units."""

    arm: str
    units: int
    share: float
    declared_share: float | None
    outcome: Estimate | None
    """A rate with Wilson's interval, or a mean with Student's; None when nothing varies."""
    total: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One arm against the control."""

    arm: str
    against: str
    difference: Estimate | None
    relative: Estimate | None
    """Difference over the control's outcome, by Fieller; None while that may be zero."""
    p_value: float | None
    is_significant: bool | None
    smallest_effect: float | None
    """The difference that eight of ten such experiments would have found."""
    verdict: str
    refused: str = ""


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What is known from before the experiment, used to see more clearly (CUPED)."""

    column: str
    variance_removed: float
    known: int
    """Units with a value from before."""
    slope: float


class ExperimentReading(msgspec.Struct, frozen=True, kw_only=True):
    """The read-out of an experiment."""

    outcome: Literal["binary", "continuous"]
    control: str
    level: float
    """Of every interval: 0.95, more when several arms are compared with one control."""
    units: int
    arms: list[ArmReading]
    sizes_p_value: float | None
    """How often chance gives sizes so far from the declared shares; None when none are declared."""
    comparisons: list[Comparison]
    adjustment: Adjustment | None
    unadjusted: list[Comparison]
    """The same without what was known before; empty when there is no adjustment."""
    verdict: str
