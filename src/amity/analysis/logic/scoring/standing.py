"""Running the estimates over the store: read the warehouse, estimate, keep, compare with before.

Each has its own transaction for what it writes. What the rows cannot carry is refused: the run says
why, and there are no such scores until they can.
"""

import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts import ModelRun
from amity.analysis.contracts_models import StoreEstimateState
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.reporting.entering import read_facts
from amity.analysis.logic.scores import LOCK, get_latest_run
from amity.analysis.logic.scoring.keeping import ScoreRow, replace_scores
from amity.analysis.logic.scoring.reliability import remember, settle
from amity.analysis.logic.working.doing import Doing
from amity.analysis.report import Asked
from amity.analysis.store_estimate import (
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
    load_store_estimates,
)
from amity.infra import queries
from amity.infra.columns import fetch_columns
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import NotFound, Unavailable

if TYPE_CHECKING:
    import ibis

_SQL: Final = queries.load("amity.analysis")
_SECONDS: Final = 300.0


def list_estimates() -> list[StoreEstimateState]:
    """Return the estimates over the store by title, each with its latest run."""
    kinds = sorted(load_store_estimates(), key=lambda kind: kind.card.title)
    return [_state(kind) for kind in kinds]


def get_estimate(name: str) -> StoreEstimateState:
    """Return an estimate over the store with its latest run; raise NotFound."""
    return _state(_find(name))


def list_runs(name: str | None) -> list[ModelRun]:
    """Return the latest runs of the estimates over the store, or of one."""
    states = list_estimates() if name is None else [get_estimate(name)]
    return [state.run for state in states if state.run is not None]


def find_run_of(score: str) -> ModelRun | None:
    """Return the latest run that makes a score; None before one, and for other scores."""
    for kind in load_store_estimates():
        if any(words.name == score for words in kind.scores):
            return _state(kind).run
    return None


def refresh_estimates(*, now: datetime, name: str | None = None, doing: Doing) -> list[ModelRun]:
    """Make the scores of every estimate over the store anew, or of one.

    Raises NotFound for an unknown name, Unavailable without a warehouse.
    """
    from amity.infra.warehouse_reading import tables  # noqa: PLC0415  # loads slowly

    kinds = list(load_store_estimates()) if name is None else [_find(name)]
    there = tables()
    if not frozenset().union(*(kind.tables for kind in kinds)) <= set(there):
        raise Unavailable(
            "these scores are made of the warehouse, and nothing was exported to it yet: start "
            "the worker, or run `amity warehouse export`"
        )
    runs = []
    for step, kind in enumerate(kinds):
        doing.tell(step, len(kinds), kind.card.title)
        runs.append(_refresh(kind, there, now, doing))
    return runs


def _find(name: str) -> type[StoreEstimator]:
    if name not in load_store_estimates():
        known = ", ".join(sorted(load_store_estimates().names()))
        raise NotFound(f"there is no estimate {name!r}; there are {known}", code="no_estimate")
    return load_store_estimates()[name]


def _state(kind: type[StoreEstimator]) -> StoreEstimateState:
    try:
        run = get_latest_run(estimator=kind.name)
    except NotFound:
        run = None
    return StoreEstimateState(
        name=kind.name, version=kind.version, card=kind.card, scores=kind.scores, run=run
    )


def _refresh(
    kind: type[StoreEstimator], there: Mapping[str, "ibis.Table"], now: datetime, doing: Doing
) -> ModelRun:
    estimator, known = kind(), _known(kind, now)
    try:
        rows = _read(estimator, there, known, doing)
    except Unavailable as error:
        if doing.is_ended():
            raise
        # Scores from before stay: nothing is known of them that was not before.
        refusal = _refuse(f"the warehouse could not be read: {error.message}")
        with transaction() as connection:
            return _record(connection, kind, known, refusal, customers=0)
    # Seeded by the estimate: the same rows always give the same.
    rng = np.random.default_rng(zlib.crc32(kind.name.encode()))
    try:
        found = estimator.estimate(rows, known, rng)
    except Refused as error:
        found = _refuse(error.message)
    with transaction() as connection:
        connection.execute(_SQL["scores_lock"], [LOCK])
        for score in kind.follows:
            observe = partial(estimator.observe, rows, known, score)
            settle(connection, score=score, now=now, observe=observe)
        return _keep(connection, kind, known, found)


def _refuse(reason: str) -> StoreEstimated:
    return StoreEstimated(scores={}, parameters={}, report={"refused": reason})


def _known(kind: type[StoreEstimator], now: datetime) -> Known:
    using, tomorrow = settings(), now.date() + timedelta(days=1)
    with transaction("readonly") as connection:
        scores = {name: _scores_of(connection, name) for name in kind.needs}
    return Known(
        asked=Asked(
            from_on=tomorrow - timedelta(days=kind.days),
            until_on=tomorrow,
            now=now,
            currency=using.currency,
            home_currency=using.currency,
            facts=read_facts(kind.facts),
        ),
        time_zone=using.time_zone,
        referred_by=using.referred_by,
        scores={name: each for name, each in scores.items() if len(each[0])},
    )


def _scores_of(connection: Connection, name: str) -> tuple[IntArray, FloatArray]:
    profile, value = fetch_columns(connection, _SQL["scores_of"], [name], width=2)
    return profile, value / 1_000_000


def _read(
    estimator: StoreEstimator, there: Mapping[str, "ibis.Table"], known: Known, doing: Doing
) -> Rows:
    from amity.infra.warehouse_reading import query  # noqa: PLC0415  # loads slowly

    asked = estimator.expressions(there, known)
    return {
        name: query(expression, seconds=_SECONDS, ended=doing.is_ended)
        for name, expression in asked.items()
    }


def _keep(
    connection: Connection, kind: type[StoreEstimator], known: Known, found: StoreEstimated
) -> ModelRun:
    now = known.asked.now
    everyone = sorted({each for one in found.scores.values() for each in one.customer_id.tolist()})
    alive = np.array(
        [row[0] for row in connection.execute(_SQL["model_alive"], [everyone])], np.int64
    )
    run = _record(connection, kind, known, found, customers=len(alive))
    rows = _rows(found.scores, set(alive.tolist()), run.model_run_id)
    replace_scores(connection, names=[words.name for words in kind.scores], rows=rows)
    for score, followed in found.followed.items():
        there = np.isin(followed.customer_id, alive)
        remember(
            connection,
            score=score,
            model_run_id=run.model_run_id,
            now=now,
            horizon_days=kind.follows[score],
            profile_id=followed.customer_id[there],
            expected=followed.expected[there],
        )
    return run


def _record(
    connection: Connection,
    kind: type[StoreEstimator],
    known: Known,
    found: StoreEstimated,
    *,
    customers: int,
) -> ModelRun:
    asked = known.asked
    report: dict[str, Any] = {
        "version": kind.version,
        "from": asked.from_on.isoformat(),
        "until": asked.now.date().isoformat(),
        **found.report,
    }
    row = connection.execute(
        _SQL["scores_record"],
        [
            kind.name,
            asked.now,
            customers,
            msgspec.json.encode(found.parameters).decode(),
            msgspec.json.encode(report).decode(),
        ],
    ).fetchone()
    assert row is not None
    return ModelRun(
        model_run_id=row[0],
        estimator=kind.name,
        computed_at=asked.now,
        customers=customers,
        parameters=found.parameters,
        report=report,
    )


def _rows(scores: Mapping[str, Scored], alive: set[int], run_id: int) -> Iterator[ScoreRow]:
    for name, scored in scores.items():
        column, size = scored.column, len(scored.customer_id)
        for customer, value, label, low, high in zip(
            scored.customer_id.tolist(),
            column.value.tolist(),
            column.labels or [""] * size,
            _ends(column.low, size),
            _ends(column.high, size),
            strict=True,
        ):
            if customer in alive:
                yield customer, name, value, label, low, high, run_id


def _ends(values: FloatArray | None, size: int) -> list[float | None]:
    if values is None:
        return [None] * size
    return [None if math.isnan(value) else value for value in values.tolist()]
