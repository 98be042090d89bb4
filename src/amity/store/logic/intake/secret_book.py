"""The secrets of webhooks as the collector keeps them: decrypted once, until they are replaced."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from amity.infra.crypto import decrypt
from amity.kernel.errors import NeedsAttention
from amity.store.logic.intake.source_secrets import secret_place

_log = logging.getLogger(__name__)
_UNREADABLE: Final = b""


class SecretBook:
    """The good secrets of each source and dialect."""

    def __init__(self) -> None:
        self._good: dict[tuple[int, str], tuple[bytes, ...]] = {}
        self._opened: dict[tuple[int, str, bytes], bytes] = {}

    def find(self, source_id: int, dialect: str) -> tuple[bytes, ...]:
        """Return the secrets that are good now, the newest first; none is none."""
        return self._good.get((source_id, dialect), ())

    def read(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take what the database has in place of all that was known."""
        good: dict[tuple[int, str], tuple[bytes, ...]] = {}
        opened: dict[tuple[int, str, bytes], bytes] = {}
        for source_id, dialect, *sealed in rows:
            found = []
            for each in sealed:
                if each is None:
                    continue
                key = (source_id, dialect, bytes(each))
                opened[key] = self._opened[key] if key in self._opened else _open(*key)
                if opened[key] != _UNREADABLE:
                    found.append(opened[key])
            good[source_id, dialect] = tuple(found)
        self._good, self._opened = good, opened


def _open(source_id: int, dialect: str, sealed: bytes) -> bytes:
    try:
        return decrypt(sealed, about=secret_place(source_id, dialect)).encode()
    except NeedsAttention:
        # Without it everything signed is refused, and the refusals are counted at the source.
        _log.error("the secret of source %d for %s cannot be read", source_id, dialect)
        return _UNREADABLE
