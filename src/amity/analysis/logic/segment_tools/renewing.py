"""Segments of lookalikes and of groups, brought up to date each night.

Likeness is learnt anew, and the nearest are chosen anew, as many as there were; groups stay those
that were found, and everybody is put into the nearest. Each time is a run of its own: the scores
name it, so which model put somebody there can be told.
"""

import logging
from datetime import datetime

import numpy as np

from amity.analysis.logic.segment_tools import automatic, lookalikes
from amity.analysis.logic.working.doing import Doing
from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import AmityError

_SQL = queries.load("amity.analysis")
_log = logging.getLogger("amity.segments")


def renew_found(*, now: datetime, rng: np.random.Generator) -> int:
    """Renew what live segments are made of; return how many scores were; see the door.

    What cannot be learnt anew now, as when the members have become too few, stays as it is.
    """
    with transaction("readonly") as connection:
        names = [row[0] for row in connection.execute(_SQL["score_names_in_rules"])]
    renewed = 0
    for name in sorted(names):
        number = name.removeprefix(lookalikes.SCORE)
        try:
            if name == automatic.SCORE:
                renewed += _renew_groups(now)
            elif number != name and number.isdecimal():
                renewed += _renew_lookalikes(name, int(number), now, rng)
        except AmityError as refusal:
            _log.warning("%s was not renewed: %s", name, refusal.message)
    return renewed


def _renew_groups(now: datetime) -> int:
    found = automatic.find_clusters()
    if found is None:
        return 0
    automatic.keep_clusters(found, now)
    with transaction() as connection:
        automatic.rescore(connection, found, now=now)
    return 1


def _renew_lookalikes(name: str, segment_id: int, now: datetime, rng: np.random.Generator) -> int:
    with transaction("readonly") as connection:
        row = connection.execute(_SQL["count_scored"], [name]).fetchone()
    size = row[0] if row else 0
    if not size:
        return 0
    found = lookalikes.refresh_lookalikes(segment_id=segment_id, now=now, rng=rng, doing=Doing())
    with transaction() as connection:
        lookalikes.rescore(connection, found, size=size, now=now, doing=Doing())
    return 1
