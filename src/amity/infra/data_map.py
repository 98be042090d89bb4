"""The data map: every table, column and kind of file that can hold something about a person.

Tables of Amity's engines say it themselves, in JSON in `COMMENT ON TABLE`; `data_map.json` says it
for tables made by libraries, names the columns that hold nothing personal, and the files. Whatever
is in neither is a gap, which a test of the house does not let through.
"""

from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction

_SQL: Final = queries.load("amity.infra")


class HeldTable(msgspec.Struct, frozen=True, kw_only=True):
    """One table: what it holds, of whom, and what an erasure does to it."""

    name: str = ""
    holds: str
    subject: str
    """The column with the profile a row is about; "" when no column says it."""
    personal: list[str]
    """The columns that can hold something personal."""
    erase: str
    """`delete`, `blank`, or `keep: why`."""
    keep_days: int | None = None


class HeldFile(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of file in the data folder; ``name`` is a pattern."""

    name: str = ""
    holds: str
    personal: bool
    erase: str
    keep_days: int | None = None


class DataMap(msgspec.Struct, frozen=True, kw_only=True):
    """What is held, by table and by kind of file, and what nobody has described."""

    tables: list[HeldTable]
    files: list[HeldFile]
    gaps: list[str]
    """Tables and columns (`table.column`) that are in the database and not in the map."""


class _Words(msgspec.Struct, frozen=True):
    """What `data_map.json` says."""

    tables: dict[str, HeldTable]
    plain: dict[str, list[str]]
    files: dict[str, HeldFile]


def read_map() -> DataMap:
    """Return the data map of this database and folder."""
    words = _words()
    found, gaps = [], []
    with transaction() as connection:
        rows = connection.execute(_SQL["data_map_tables"]).fetchall()
    for name, comment, columns in rows:
        table = words.tables.get(name) if comment is None else _read(comment)
        if table is None:
            gaps.append(name)
            continue
        known = {*table.personal, *words.plain.get(name, [])}
        gaps += [f"{name}.{column}" for column in columns if column not in known]
        found.append(msgspec.structs.replace(table, name=name))
    kinds = [msgspec.structs.replace(each, name=name) for name, each in words.files.items()]
    return DataMap(tables=found, files=kinds, gaps=gaps)


def list_erased_tables() -> list[str]:
    """Return the tables an erasure deletes from or blanks: those to vacuum after it."""
    return [table.name for table in read_map().tables if not table.erase.startswith("keep")]


def list_unknown_files() -> list[str]:
    """Return the files of the data folder that no pattern of the map describes."""
    folder = settings().data
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and find_kind(path.relative_to(folder)) is None
    ]


def find_kind(path: Path) -> str | None:
    """Return the pattern that describes a file, given from the data folder on."""
    for pattern in _words().files:
        depth = pattern.count("/")
        is_below = len(path.parts) > depth if pattern.endswith("/**") else len(path.parts) == 1
        if is_below and fnmatchcase(str(path), pattern):
            return pattern
    return None


def _read(comment: str) -> HeldTable | None:
    try:
        return msgspec.json.decode(comment, type=HeldTable)
    except msgspec.MsgspecError:
        return None


@cache
def _words() -> _Words:
    return msgspec.json.decode(
        files("amity.infra").joinpath("data_map.json").read_bytes(), type=_Words
    )
