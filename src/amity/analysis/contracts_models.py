"""Models of what customers will do: what crosses the analysis engine's door."""

from datetime import datetime

import msgspec

from amity.analysis.contracts import ModelRun
from amity.analysis.contracts_estimates import ModelCard


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
    is_first: bool = False
    """Whether it is about the first time only: of those who have never done it."""

    @property
    def score(self) -> str:
        """Return what its scores are called, in rules and on screens."""
        return f"propensity:{self.key}"


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """A model and its latest run, whose number and time are the model's version."""

    model: Model
    run: ModelRun | None


class ScoreWords(msgspec.Struct, frozen=True, kw_only=True):
    """A score, for people."""

    name: str
    title: str
    meaning: str


class StoreEstimateState(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate over the store and its latest run, which may say why it was refused."""

    name: str
    version: int
    card: ModelCard
    scores: tuple[ScoreWords, ...]
    run: ModelRun | None
