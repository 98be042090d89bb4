"""Models of what customers will do: what crosses the analysis engine's door."""

from datetime import datetime

import msgspec

from amity.analysis.contracts import ModelRun


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted, how far ahead, and of whom."""

    model_id: int
    key: str
    name: str
    event: str
    horizon_days: int
    segment_id: int | None
    """Whose members are scored; None: everybody active in the last year."""
    traits: list[str]
    created_by: str
    created_at: datetime

    @property
    def score(self) -> str:
        """Return what its scores are called, in rules and on screens."""
        return f"propensity:{self.key}"


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """A model and its latest run, whose number and time are the model's version."""

    model: Model
    run: ModelRun | None
