"""SQLite files as databases that are pulled: those in one folder, opened to be read only."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

from amity.infra.config import settings
from amity.kernel.errors import NotFound
from amity.store.contracts_pulling import PullColumn, PullTable
from amity.store.logic.pulling.address import Address
from amity.store.logic.pulling.database import LISTED, Database, PullFailed, kind_of

_SECONDS: Final = 60
_STEPS: Final = 100_000
_CELL_BYTES: Final = 64 << 20
_TABLES: Final = """
SELECT name, type = 'view' FROM sqlite_master
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT ?
"""


def databases_folder() -> Path:
    """Return the folder whose SQLite files can be pulled, made when it is not there."""
    folder = settings().data / "databases"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class SQLite(Database):
    """A session with an SQLite file; its writer may go on writing beside it."""

    quote: ClassVar[str] = '"'
    mark: ClassVar[str] = "?"

    def __init__(self, address: Address) -> None:
        folder = databases_folder().resolve()
        path = (folder / address.database).resolve()
        if path.parent != folder or not path.is_file():
            raise NotFound(f"there is no file {address.database!r} in the folder {folder}")
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10, isolation_level=None
            )
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _CELL_BYTES)
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            for pragma in ("query_only = ON", "trusted_schema = OFF"):
                self._connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise PullFailed(str(error)) from error

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        until = time.monotonic() + _SECONDS
        self._connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            return self._connection.execute(text, list(values)).fetchall()
        except sqlite3.Error as error:
            raise PullFailed(str(error)) from error

    def list_tables(self) -> list[PullTable]:
        return [
            PullTable(schema="", name=name, is_view=bool(is_view))
            for name, is_view in self.query(_TABLES, [LISTED])
        ]

    def list_columns(self, table: PullTable) -> list[PullColumn]:
        rows = self.query("SELECT name, type, pk FROM pragma_table_info(?)", [table.name])
        return [
            PullColumn(name=name, type=kind, kind=kind_of(kind), key_place=place)
            for name, kind, place in rows
        ]

    def close(self) -> None:
        self._connection.close()
