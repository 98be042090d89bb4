"""Ids that can be made anywhere and lie in the order of their making."""

import random
from datetime import datetime
from uuid import UUID


def make_uuid7(now: datetime, rng: random.Random) -> UUID:
    """Make a UUID of version 7 (RFC 9562): milliseconds, then 74 random bits.

    Where an id must not be guessed, ``rng`` is `random.SystemRandom()`.
    """
    millis = int(now.timestamp() * 1000) & (2**48 - 1)
    bits = rng.getrandbits(74)
    high = (millis << 16) | 0x7000 | (bits >> 62)
    return UUID(int=(high << 64) | (0b10 << 62) | (bits & (2**62 - 1)))
