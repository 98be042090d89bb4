"""The id of who comes without cookies: it holds for a day, and nobody can tell afterwards whose.

It is a keyed hash of the network address, the browser's name and the write key. The key is drawn
anew each day (UTC) and yesterday's is destroyed, so neither we nor whoever takes all we have can
find the address again or join two days. The address itself is stored nowhere.
"""

import hashlib
import os
import secrets
import threading
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec

from amity.edge.http import Scope
from amity.infra.config import Settings
from amity.store.contracts import Source
from amity.store.hot import Incoming

_COOKIELESS: Final = b'"cookieless":true'
_PRIVATE: Final = b'"gpc":true'
_BYTES: Final = 32
_SHOWN: Final = 16
_NAME: Final = "visitor-key-"


class Naming:
    """Names those who come without cookies, for one process."""

    def __init__(self, settings: Settings) -> None:
        self._keys = DayKeys(settings.data / "visitor-keys")
        self._behind_proxy = settings.https

    def name(self, scope: Scope, source: Source, incoming: Incoming, body: bytes) -> Incoming:
        """Return what came beside a request, with an id for its events that name nobody.

        Only for a page that says it keeps nothing: what a server sends comes from the server.
        """
        if source.kind != "browser" or _COOKIELESS not in body:
            return incoming
        visitor = self._keys.name_visitor(
            client_address(scope, behind_proxy=self._behind_proxy),
            scope.headers.get("user-agent") or "",
            source.write_key,
            today=datetime.now(UTC).date(),
        )
        is_private = incoming.is_private or _PRIVATE in body
        return msgspec.structs.replace(incoming, anonymous_id=visitor, is_private=is_private)


def client_address(scope: Scope, *, behind_proxy: bool) -> str:
    """Return the caller's network address; a proxy's word for it only when there is one."""
    forwarded = scope.headers.get("x-forwarded-for") if behind_proxy else None
    if forwarded:
        # The last entry is the one our own proxy wrote; those before it are the caller's words.
        return str(forwarded).rsplit(",", 1)[-1].strip()
    return scope.client.rpartition(":")[0]


class DayKeys:
    """The key of the day, the same for all processes of this installation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._today: date | None = None
        self._key = b""
        self._lock = threading.Lock()

    def name_visitor(self, address: str, browser: str, write_key: str, *, today: date) -> str:
        """Return the anonymous id of a visitor for a day."""
        if today != self._today:
            with self._lock:
                self._key, self._today = self._draw(today), today
        parts = "\0".join((address, browser, write_key)).encode(errors="replace")
        return "day-" + hashlib.blake2b(parts, key=self._key, digest_size=_SHOWN).hexdigest()

    def _draw(self, today: date) -> bytes:
        """Return the day's key, made by whichever process comes first; destroy older ones."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{_NAME}{today.isoformat()}"
        mine = self._folder / f".{_NAME}{secrets.token_hex(8)}"
        with suppress(FileExistsError):
            mine.touch(mode=0o600, exist_ok=False)
            mine.write_bytes(secrets.token_bytes(_BYTES))
            try:
                # All at once and only if there is none: nobody reads half a key, or replaces one.
                os.link(mine, path)
            finally:
                mine.unlink()
        for older in self._folder.glob(f"{_NAME}*"):
            if older.name < path.name:
                older.unlink(missing_ok=True)
        return path.read_bytes()
