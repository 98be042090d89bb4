"""Forgetting customers who were erased: their memberships, timers and scores."""

import time
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store import api as store

_SQL = queries.load("amity.analysis")
_TRIES: Final = 50
_WAIT_SECONDS: Final = 0.1


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Delete all that is kept about these profiles; return how many rows by table.

    The follower's turn is taken for it, so that a turn under way cannot write them down again.
    During a rebuild there is no turn to take: then nobody is writing.
    """
    for _ in range(_TRIES):
        with transaction() as connection:
            if store.claim_consumer(connection=connection, name="segments") is not None:
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
    scores = connection.execute(_SQL["forget_scores"], [profile_ids])
    return {"memberships": row[0], "scores": scores.rowcount}
