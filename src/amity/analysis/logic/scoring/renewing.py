"""The scores consumer: who did something is predicted anew, by the models that are kept.

A turn reads how far the log has come and whom it is about in one query, their orders in another,
predicts them all at once and keeps what came of it together with its position; a model somebody
named takes two or three queries more. So whatever dies, each customer is predicted anew after what
they did, by the parameters of the last refresh, and a score says what a refresh with those
parameters would have said at its time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from amity.analysis.logic.learning.following import CONSUMER, find_followed, renew_model
from amity.analysis.logic.scores import LOCK, SCORES, day_of, read_orders, score_rows
from amity.analysis.logic.scoring.fits import find_fits, predict_scores
from amity.analysis.logic.scoring.keeping import renew_scores
from amity.analysis.logic.transactions import summarise
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.infra.queries import load
from amity.store import api as store
from amity.store.contracts import FoldResult

_ORDERS: Final = frozenset({"Order Completed", "Order Refunded", "Order Cancelled"})
_SQL: Final = load("amity.analysis")


def follow_scores(*, now: datetime, limit: int) -> FoldResult:
    """Take one turn; see `api.follow_scores`."""
    with transaction() as connection:
        position = store.claim_consumer(connection=connection, name=CONSUMER)
        if position is None or not _try_lock(connection):
            return FoldResult(events=0)
        stirred = store.read_stirred(
            connection=connection, after=position, limit=limit, names=_ORDERS
        )
        if not stirred.events:
            return FoldResult(events=0)
        if stirred.profile_ids:
            _renew_orders(connection, stirred.profile_ids, now)
        for followed in find_followed(connection):
            # The same activities again: their number is known, and none comes in between.
            about = store.read_stirred(
                connection=connection, after=position, limit=stirred.events, names=followed.names
            )
            if about.profile_ids:
                renew_model(connection, followed, about.profile_ids, now)
        store.advance_consumer(connection=connection, name=CONSUMER, position=stirred.position)
    return FoldResult(events=stirred.events)


def _try_lock(connection: Connection) -> bool:
    """Say whether nobody refreshes all scores: then there is nothing to renew until it is done."""
    row = connection.execute(_SQL["scores_try_lock"], [LOCK]).fetchone()
    assert row is not None
    return bool(row[0])


def _renew_orders(connection: Connection, profile_ids: Sequence[int], now: datetime) -> int:
    fits = find_fits(connection)
    if not fits.runs:
        return 0
    orders, _ = read_orders(connection, now, settings().currency, profile_ids=profile_ids)
    histories = summarise(orders, until=day_of(now))
    rows = [
        row
        for name, (model, column) in predict_scores(fits, histories).items()
        for row in score_rows(histories, name, column, fits.runs[model])
    ]
    return renew_scores(connection, profile_ids=profile_ids, names=SCORES, rows=rows, now=now)
