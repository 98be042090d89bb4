"""Forgetting customers who were erased: what was decided for them and what came of it.

What their clicks taught stays: a posterior holds no person.
"""

import time
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store import api as store

_SQL: Final = queries.load("amity.personalization")
_TRIES: Final = 50
_WAIT_SECONDS: Final = 0.1


def forget_profiles(*, profile_ids: list[int]) -> dict[str, int]:
    """Delete all that is kept about these profiles; return how many rows by table.

    The turn of the rewards consumer is taken for it, so that a turn under way cannot write them
    down again. During a rebuild there is no turn to take: then nobody is writing.
    """
    for _ in range(_TRIES):
        with transaction() as connection:
            if store.claim_consumer(connection=connection, name="rewards") is not None:
                return _forget(connection, profile_ids)
        time.sleep(_WAIT_SECONDS)
    with transaction() as connection:
        return _forget(connection, profile_ids)


def forget_identifiers(*, values: list[str]) -> int:
    """Delete what was decided for nobody known, asked for by one of these identifiers."""
    with transaction() as connection:
        wanted = [value.lower() for value in values]
        return connection.execute(_SQL["forget_unknown_decisions"], [wanted]).rowcount


def _forget(connection: Connection, profile_ids: list[int]) -> dict[str, int]:
    outcomes = connection.execute(_SQL["forget_outcomes"], [profile_ids]).rowcount
    decisions = connection.execute(_SQL["forget_decisions"], [profile_ids]).rowcount
    return {"decisions": decisions, "outcomes": outcomes}
