"""Forgetting customers who were erased: their memberships, timers and scores."""

import time
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_TRIES: Final = 50
_WAIT_SECONDS: Final = 0.1
_WRITERS: Final = ("segments", "scores")


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Delete all that is kept about these profiles; return how many rows by table.

    The followers' turns are taken for it, so that one under way cannot write them down again.
    During a rebuild there are no turns to take: then nobody is writing.
    """
    for _ in range(_TRIES):
        with transaction() as connection:
            claimed = [store.claim_consumer(connection=connection, name=name) for name in _WRITERS]
            if None not in claimed:
                return _forget(connection, profile_ids)
        time.sleep(_WAIT_SECONDS)
    with transaction() as connection:
        return _forget(connection, profile_ids)


def _forget(connection: Connection, profile_ids: list[int]) -> dict[str, int]:
    row = connection.execute(_SQL["forget_memberships"], [profile_ids]).fetchone()
    assert row is not None
    connection.execute(_SQL["forget_profile_timers"], [profile_ids])
    connection.execute(_SQL["forget_rechecks"], [profile_ids])
    connection.execute(_SQL["forget_predictions"], [profile_ids])
    connection.execute(_SQL["forget_row_customers"], [profile_ids])
    scores = connection.execute(_SQL["forget_scores"], [profile_ids])
    return {"memberships": row[0], "scores": scores.rowcount}
