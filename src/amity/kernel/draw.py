"""Drawing customers at random so that the draw can be repeated: a salted hash as a share of one.

The campaigns' SQL draws who is held out in the same words (`target_draw`).
"""

import hashlib
from typing import Final

_DIGITS: Final = 13
_SPAN: Final = 2**52


def draw(salt: str, profile_id: int) -> float:
    """Return a number from 0 up to but not 1: the first 52 bits of SHA-256 of `salt:profile_id`.

    Two salts draw independently; one salt draws the same customer alike, everywhere and for ever.
    """
    digest = hashlib.sha256(f"{salt}:{profile_id}".encode()).hexdigest()
    return int(digest[:_DIGITS], 16) / _SPAN
