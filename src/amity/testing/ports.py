"""Ports for the servers of tests, which nobody else is given before they are listened on."""

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Final

# Below 32768, from where the kernel hands ports to whoever asks for any; above 10080, the last
# one browsers refuse to visit.
_FIRST: Final = 11_000
_EACH: Final = 2_500
_WORKERS: Final = 8


def free_port() -> int:
    """Return a port nothing listens on; none twice, nor one that is another worker's of this run.

    Raises OSError when there is none.
    """
    for port in itertools.islice(_ports(), _EACH):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("all ports that tests may use are taken")


@cache
def _ports() -> Iterator[int]:
    """Return this process's ports for ever, from a place where another run hardly is."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    own = range(_FIRST + worker * _EACH, _FIRST + (worker + 1) * _EACH)
    begin = os.getpid() * 97 % _EACH
    return itertools.cycle([*own[begin:], *own[:begin]])
