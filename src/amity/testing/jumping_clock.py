"""A clock that jumps under other processes: libfaketime, told by a file what to add."""

import os
from pathlib import Path
from typing import Final

_PLACES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def find_library() -> Path | None:
    """Return the library that fakes the time, None where it is not installed."""
    for place in _PLACES:
        found = sorted(Path(place).glob("**/faketime/libfaketimeMT.so*"))
        if found:
            return found[0]
    return None


class JumpingClock:
    """What processes started with `environment` take for the time, besides the monotonic clock."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._file = folder / "clock"
        # Another account, such as the database's, reads it too.
        folder.chmod(0o755)
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def jump(self, seconds: int) -> None:
        """Be so many seconds off from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="ascii")
        new.chmod(0o644)
        os.replace(new, self._file)
