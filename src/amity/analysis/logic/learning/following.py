"""Models kept between two nights, and what they say of who did something since."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts_models import Model
from amity.analysis.estimator import IntArray
from amity.analysis.logic.learning.definitions import list_models_of
from amity.analysis.logic.learning.kept import KeptModel, ask_kept
from amity.analysis.logic.learning.moments import History
from amity.analysis.logic.learning.predicting import (
    ACTIVE_DAYS,
    MOST_MOMENTS,
    still_to_do,
    who_now,
)
from amity.analysis.logic.learning.propensity import Told
from amity.analysis.logic.learning.store_history import read_recent_history
from amity.analysis.logic.learning.warehouse_history import ORDER_EVENT
from amity.analysis.logic.scoring.keeping import ScoreRow, renew_scores
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection
from amity.store import api as store

_SQL: Final = queries.load("amity.analysis")
_IDENTIFY: Final = "Identify"
CONSUMER: Final = "scores"


class FollowedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model, what is kept of its latest run, and that run."""

    model: Model
    kept: KeptModel
    model_run_id: int

    @property
    def names(self) -> frozenset[str]:
        """Return the names of activities that may change what it says of somebody."""
        told = {_IDENTIFY} if self.model.traits else set()
        return frozenset({*self.kept.events, self.model.event, ORDER_EVENT, *told})


def days_back(model: Model) -> int:
    """Return how many days of history a model looks at."""
    return ACTIVE_DAYS + MOST_MOMENTS * model.horizon_days


def find_followed(connection: Connection) -> list[FollowedModel]:
    """Return the models whose latest run that was not refused left a model that is kept."""
    found = []
    for model in list_models_of(connection):
        row = connection.execute(_SQL["model_kept"], [model.score]).fetchone()
        if row is not None and row[1] is not None:
            kept = msgspec.convert(row[1], KeptModel)
            found.append(FollowedModel(model=model, kept=kept, model_run_id=row[0]))
    return found


def renew_model(
    connection: Connection, followed: FollowedModel, profile_ids: Sequence[int], now: datetime
) -> int:
    """Score these customers anew by a kept model; how many of their scores changed.

    Who is not to be scored any more (out of the segment, did it for the first time) loses it.
    """
    model, kept = followed.model, followed.kept
    since = now - timedelta(days=days_back(model))
    history = read_recent_history(
        connection,
        profile_ids=profile_ids,
        events=kept.events,
        traits=model.traits,
        since=since,
        until=now,
        currency=settings().currency,
        first_of=model.event if model.is_first else None,
    )
    second = int(now.timestamp())
    customers = _who(connection, model, history, profile_ids, second)
    told, reasons = ask_kept(kept, history, customers, second)
    return renew_scores(
        connection,
        profile_ids=profile_ids,
        names=[model.score],
        rows=list(told_rows(model.score, customers, told, reasons, followed.model_run_id)),
        now=now,
    )


def _who(
    connection: Connection,
    model: Model,
    history: History,
    profile_ids: Sequence[int],
    second: int,
) -> IntArray:
    members: IntArray | None = None
    if model.segment_id is not None:
        rows = connection.execute(
            _SQL["model_members_of"], [model.segment_id, list(profile_ids)]
        ).fetchall()
        members = np.array([row[0] for row in rows], np.int64)
    everyone = np.unique(np.array(profile_ids, np.int64))
    moments = who_now(history, everyone, members, second)
    if not model.is_first:
        return moments.customer
    outcome = history.orders if model.event == ORDER_EVENT else history.events[model.event]
    return still_to_do(history, moments, outcome).customer


def told_rows(
    score: str, customers: IntArray, told: Told, reasons: list[list[str]], run_id: int
) -> Iterator[ScoreRow]:
    """Return a score a customer; its label is its reasons, the strongest first."""
    for customer, value, low, high, why in zip(
        customers.tolist(),
        told.probability.tolist(),
        told.low.tolist(),
        told.high.tolist(),
        reasons,
        strict=True,
    ):
        yield customer, score, value, "; ".join(why), low, high, run_id


def find_exported(connection: Connection) -> int:
    """Return up to where the warehouse has the activities."""
    row = connection.execute(_SQL["model_events_exported"]).fetchone()
    return int(row[0]) if row else 0


def follow_again(connection: Connection, *, after: int) -> None:
    """Have whoever did something after a position scored anew.

    A model is learnt from the warehouse, which is a while behind, and takes its time: what came
    since is taken up by those who follow it. The caller holds the lock of scores.
    """
    store.rewind_consumer(connection=connection, name=CONSUMER, position=after)
