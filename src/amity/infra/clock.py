"""The time of the house: the database's, whatever the clock of this machine says.

What is due, what lapses and what is removed is decided by it. A process whose own clock jumps, or
is wrong on one machine of several, is early or late with nothing: the database is asked now and
then, and in between the monotonic clock goes on, which knows no jumps.
"""

import time
from datetime import datetime, timedelta
from typing import Final

from amity.infra.database import transaction

_ASK_EVERY_SECONDS: Final = 10.0
# When the database was asked, by the monotonic clock, and what it said.
_asked: tuple[float, datetime] | None = None


def house_now() -> datetime:
    """Return the database's time, asked ten seconds ago at most.

    Raises Unavailable when the database cannot be reached to be asked.
    """
    global _asked  # noqa: PLW0603  # one process, one clock
    before = time.monotonic()
    known = _asked
    if known is None or before - known[0] > _ASK_EVERY_SECONDS:
        with transaction() as connection:
            row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        # As of the moment the answer came: late by no more than the way, never early.
        known = _asked = (time.monotonic(), row[0])
        before = known[0]
    return known[1] + timedelta(seconds=before - known[0])
