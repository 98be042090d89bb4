"""The kinds of record msgspec reads, learnt before several threads read them."""

import threading
from collections.abc import Collection
from contextlib import suppress
from typing import Final

import msgspec

_LOCK: Final = threading.Lock()


def settle_types(within: Collection[str] = ()) -> int:
    """Have msgspec learn every Struct there is by now, before threads read it; return how many.

    It learns one when it is first read, and lets others use it meanwhile: with half of its fields
    known, two threads that read the same one first end the process (msgspec 0.22, a NULL type).
    ``within`` names packages: only the Structs of their modules.
    """
    waiting, found = [msgspec.Struct], 0
    with _LOCK:
        while waiting:
            for each in waiting.pop().__subclasses__():
                waiting.append(each)
                if not within or any(f"{each.__module__}.".startswith(f"{w}.") for w in within):
                    found += 1
                    # What cannot be read from JSON is never read by two threads either.
                    with suppress(TypeError, NameError):
                        msgspec.json.Decoder(each)
    return found
