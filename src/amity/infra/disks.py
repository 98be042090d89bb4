"""The disks that may run full: that of the data folder, and PostgreSQL's own log's if it has one.

An operator may put `postgres/pg_wal` on a disk of its own; without room there nothing commits.
On each disk a reserve file is set aside, since a server whose disk is full cannot even recover.
"""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 64 * 2**20
_LOG: Final = Path("postgres", "pg_wal")


def log_folder(data: Path) -> Path | None:
    """Return where PostgreSQL's own log lies when that is another disk than the data folder's."""
    folder = data / _LOG
    try:
        return folder.resolve() if folder.stat().st_dev != data.stat().st_dev else None
    except OSError:
        return None


def is_low(data: Path, reserve: int) -> bool:
    """Say whether a disk has less room than ``reserve``; -1 is the larger of 1 GiB and 5 %.

    Of the log's own disk, which may be small, a quarter is the most that is kept free so.
    """
    if _is_low(data, reserve, most=1.0):
        return True
    log = log_folder(data)
    return log is not None and _is_low(log, reserve, most=0.25)


def _is_low(folder: Path, reserve: int, *, most: float) -> bool:
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        return False
    if reserve < 0:
        reserve = min(max(2**30, disk.total // 20), int(most * disk.total))
    return disk.free < reserve


def list_reserves(data: Path) -> list[Path]:
    """Return where the reserve files are, or would be, one on each disk."""
    log = log_folder(data)
    return [data / "ballast", *([log / "amity_ballast"] if log is not None else [])]


def keep_reserves(data: Path) -> None:
    """Set the reserve files aside that are not there, on disks with room for them."""
    for path in list_reserves(data):
        with contextlib.suppress(OSError):
            if not path.exists() and shutil.disk_usage(path.parent).free >= 4 * RESERVE_BYTES:
                _set_aside(path)


def _set_aside(path: Path) -> None:
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except OSError:  # others were quicker to take the room
        path.unlink(missing_ok=True)


def release_reserves(data: Path) -> bool:
    """Give the reserve files on full disks back, so that recovery has room; say if any was."""
    given = False
    for path in list_reserves(data):
        with contextlib.suppress(OSError):
            if path.exists() and shutil.disk_usage(path.parent).free < RESERVE_BYTES:
                path.unlink()
                given = True
    return given
