"""A disk whose power can be cut: ext4 on a loop file, shut down without writing anything back."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# From the kernel's <linux/fs.h>: FS_IOC_SHUTDOWN, and to shut down without flushing the journal.
_SHUTDOWN: Final = 0x8004587D
_NO_LOG_FLUSH: Final = struct.pack("I", 2)
_UNMOUNT_SECONDS: Final = 20.0
_PATHS: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


class PowerDisk:
    """One such disk, mounted at ``folder``; what was written and not synced dies with a cut."""

    def __init__(self, image: Path, folder: Path, *, megabytes: int) -> None:
        self.folder = folder
        self._image = image
        folder.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(megabytes * 2**20)
        _run("mkfs.ext4", "-q", "-F", str(image))
        self._mount()

    def cut(self) -> None:
        """Cut the power: from now on nothing reaches the disk, and each write fails."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(handle)

    def restore(self) -> None:
        """Give the power back: mount what the disk holds. Whoever had files open must be gone."""
        self._unmount()
        self._mount()

    def remove(self) -> None:
        """Take the disk away for good."""
        self._unmount()
        self._image.unlink()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.folder))

    def _unmount(self) -> None:
        deadline = time.monotonic() + _UNMOUNT_SECONDS
        while True:
            try:
                return _run("umount", str(self.folder))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def find_obstacle() -> str:
    """Say why no such disk can be made here, "" when one can."""
    if os.geteuid() != 0:
        return "only root may mount a disk"
    for program in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(program, path=_PATHS) is None:
            return f"there is no program {program} here"
    return ""


@contextlib.contextmanager
def power_disk(folder: Path, *, megabytes: int = 640) -> Iterator[PowerDisk]:
    """Make a disk below ``folder`` for one test; raises OSError where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    disk = PowerDisk(folder / "disk.img", folder / "disk", megabytes=megabytes)
    try:
        yield disk
    finally:
        disk.remove()


def _run(program: str, *arguments: str) -> None:
    path = shutil.which(program, path=_PATHS) or program
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise OSError(f"{program}: {done.stderr.strip() or done.returncode}")
