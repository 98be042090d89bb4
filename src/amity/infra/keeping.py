"""Files of the installation that are made once and kept to itself: its secrets and its keys."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def keep_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what a file holds; the first who asks makes it, readable by its owner alone (0600).

    Of two processes that make it at the same time one wins, and both return what that one made.
    The file is whole and synced before it has its name, so no crash leaves half a key.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # the first of two processes wins; the other reads its file
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()
