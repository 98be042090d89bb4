"""Where the copies made for customers lie: `requests/` in the data folder, named by number."""

import shutil
from pathlib import Path

from amity.infra.config import settings


def requests_folder() -> Path:
    """Return the folder of the copies, made if need be, for nobody else to read."""
    folder = settings().data / "requests"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def copy_path(copy_id: int) -> Path:
    """Return where a finished copy lies."""
    return settings().data / "requests" / f"{copy_id}.zip"


def work_folder(copy_id: int) -> Path:
    """Return where a copy is put together; it goes when that is done, whatever became of it."""
    return requests_folder() / f"{copy_id}.part"


def delete_copy(copy_id: int) -> None:
    """Delete a copy, and what lies there of one that is being made."""
    copy_path(copy_id).unlink(missing_ok=True)
    folder = settings().data / "requests" / f"{copy_id}.part"
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
