"""Small facts about processes: dying with a parent, being the only one of a kind."""

import ctypes
import fcntl
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from amity.kernel.errors import Conflict

_PR_SET_PDEATHSIG: Final = 1
_NEW_BEFORE_COLLECTING: Final = 20_000


def die_with_parent(signum: int = signal.SIGTERM, *, parent: int | None = None) -> None:
    """Ask the kernel (Linux) to send this process ``signum`` when its parent is gone.

    The kernel only tells of a parent that goes later: with the ``parent``'s process id, one that
    is gone already counts too.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signum)


def collect_garbage_seldom() -> None:
    """Look for circles of garbage after more new objects: a tenth of a start went to looking."""
    gc.set_threshold(_NEW_BEFORE_COLLECTING, 10, 10)


@contextmanager
def no_collection() -> Iterator[None]:
    """Hold the garbage collector off where very many objects are made, and no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def hold_lock(path: Path) -> IO[str]:
    """Take the lock file at ``path`` for as long as the returned file stays open.

    Raises Conflict with the id of the process that holds it. The lock goes with the process,
    so a killed one never leaves it behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Conflict(
            f"another `amity up` (process {holder}) already uses {path.parent}; "
            "stop it first, or choose another folder with AMITY_DATA",
            code="already_running",
        ) from None
    os.set_inheritable(file.fileno(), False)  # noqa: FBT003  # the standard library's own signature
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
