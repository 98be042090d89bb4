"""Ids: sortable ones made outside the database, short ones for people."""

import random
from datetime import datetime
from uuid import UUID


def make_uuid7(now: datetime, rng: random.Random) -> UUID:
    """Return a UUID version 7 (RFC 9562 section 5.7): milliseconds first, so it sorts by time."""
    millis = int(now.timestamp() * 1000)
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | rng.getrandbits(12) << 64
    return UUID(int=value | 0b10 << 62 | rng.getrandbits(62))
