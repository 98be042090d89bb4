"""Refreshing models: read the warehouse, learn, score, keep, each model in its own transaction."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts import ModelRun
from amity.analysis.contracts_models import Model, ModelState
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.learning.definitions import (
    archive_model,
    find_model,
    list_models,
    list_segment_members,
)
from amity.analysis.logic.learning.following import (
    days_back,
    find_exported,
    follow_again,
    told_rows,
)
from amity.analysis.logic.learning.moments import Facts, History, Moments, label_of
from amity.analysis.logic.learning.predicting import (
    Predicted,
    predict,
    report_of,
)
from amity.analysis.logic.learning.warehouse_history import ORDER_EVENT, read_history
from amity.analysis.logic.scores import get_latest_run
from amity.analysis.logic.scoring.keeping import replace_scores
from amity.analysis.logic.scoring.reliability import Due, remember, settle, stop_following
from amity.analysis.logic.working.doing import Doing
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound

_SQL: Final = queries.load("amity.analysis")
_LOCK: Final = "amity.analysis.scores"
_STEPS: Final = 3


def list_states() -> list[ModelState]:
    """Return the models with their latest runs."""
    return [ModelState(model=model, run=_find_run(model)) for model in list_models()]


def get_state(key: str) -> ModelState:
    """Return a model with its latest run; raise NotFound."""
    with transaction("readonly") as connection:
        model = find_model(connection, key)
    return ModelState(model=model, run=_find_run(model))


def retire_model(*, key: str, now: datetime) -> None:
    """Archive a model and take its scores away."""
    with transaction() as connection:
        model = find_model(connection, key)
        archive_model(connection, key, now)
        replace_scores(connection, names=[model.score], rows=[])
        stop_following(connection, score=model.score)


def _find_run(model: Model) -> ModelRun | None:
    try:
        return get_latest_run(estimator=model.score)
    except NotFound:
        return None


def refresh_model(model: Model, now: datetime, doing: Doing) -> ModelRun:
    """Learn a model anew and replace its scores; a refusal is kept as its run.

    What a refused model scored before stays, with the time it was computed.
    """
    doing.tell(0, _STEPS, "reading what customers did")
    with transaction() as connection:
        exported = find_exported(connection)
    history, members = _read(model, now, doing)
    doing.tell(1, _STEPS, f"learning, and trying it on the last {model.horizon_days} days")
    outcome = history.orders if model.event == ORDER_EVENT else history.events[model.event]
    try:
        found = _predict(model, history, outcome, members, now)
    except Refused as error:
        with transaction() as connection:
            _settle(connection, model, outcome, now)
            return _record(connection, model, now, customers=0, report={"refused": error.message})
    doing.tell(2, _STEPS, "writing down the scores")
    with transaction() as connection, doing.over(connection):
        connection.execute(_SQL["scores_lock"], [_LOCK])
        _settle(connection, model, outcome, now)
        alive = connection.execute(_SQL["model_alive"], [found.customer.tolist()]).fetchall()
        known = {row[0] for row in alive}
        run = _record(connection, model, now, customers=len(known), report=report_of(found))
        told = told_rows(model.score, found.customer, found.told, found.reasons, run.model_run_id)
        rows = (row for row in told if row[0] in known)
        replace_scores(connection, names=[model.score], rows=rows)
        _remember(connection, model, found, run, known)
        follow_again(connection, after=exported)
    return run


def _settle(connection: Connection, model: Model, outcome: Facts, now: datetime) -> None:
    """Compare what was said when it was due with who did it.

    Not known of who is no customer any more, nor of a time further back than is read.
    """
    read_since = now - timedelta(days=days_back(model))

    def observe(due: Due) -> FloatArray:
        if due.predicted_at < read_since:
            return np.full(len(due.profile_id), np.nan)
        rows = connection.execute(_SQL["model_alive"], [due.profile_id.tolist()])
        alive = np.isin(due.profile_id, [row[0] for row in rows])
        second = np.full(len(due.profile_id), int(due.predicted_at.timestamp()))
        horizon = int((due.due_at - due.predicted_at).total_seconds())
        did = label_of(outcome, Moments(customer=due.profile_id, second=second), horizon)
        came: FloatArray = np.where(alive, did, np.nan)
        return came

    settle(connection, score=model.score, now=now, observe=observe)


def _remember(
    connection: Connection, model: Model, found: Predicted, run: ModelRun, known: set[int]
) -> None:
    there = np.isin(found.customer, list(known))
    remember(
        connection,
        score=model.score,
        model_run_id=run.model_run_id,
        now=run.computed_at,
        horizon_days=model.horizon_days,
        profile_id=found.customer[there],
        expected=found.told.probability[there],
    )


def _read(model: Model, now: datetime, doing: Doing) -> tuple[History, IntArray | None]:
    """Return the facts a model learns from, and whom it scores; None for everybody active."""
    members: IntArray | None = None
    if model.segment_id is not None:
        with transaction("readonly") as connection:
            members = np.array(list_segment_members(connection, model.segment_id), np.int64)
    return read_history(
        event=model.event,
        traits=model.traits,
        during=(now - timedelta(days=days_back(model)), now),
        currency=settings().currency,
        is_first=model.is_first,
        ended=doing.is_ended,
    ), members


def _predict(
    model: Model, history: History, outcome: Facts, members: IntArray | None, now: datetime
) -> Predicted:
    if not len(outcome):
        raise Refused(f"in {days_back(model)} days nobody did {model.event!r}: is it called so?")
    return predict(
        history,
        outcome,
        horizon_days=model.horizon_days,
        now_second=int(now.timestamp()),
        members=members,
        # Seeded by the model: the same history always teaches the same.
        rng=np.random.default_rng(model.model_id),
        is_first=model.is_first,
    )


def _record(
    connection: Connection, model: Model, now: datetime, *, customers: int, report: dict[str, Any]
) -> ModelRun:
    report = {"definition": msgspec.to_builtins(model), **report}
    parameters = {"horizon_days": float(model.horizon_days)}
    row = connection.execute(
        _SQL["scores_record"],
        [
            model.score,
            now,
            customers,
            msgspec.json.encode(parameters).decode(),
            msgspec.json.encode(report).decode(),
        ],
    ).fetchone()
    assert row is not None
    return ModelRun(
        model_run_id=row[0],
        estimator=model.score,
        computed_at=now,
        customers=customers,
        parameters=parameters,
        report=report,
    )
