"""ZIP files: what may be taken out of one, and an archive of CSV files read as one table.

An archive says how large its members are, and no more than that is ever taken out of it; so an
archive that would burst is refused before anything is unpacked.
"""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from amity.kernel.errors import Invalid
from amity.store.logic.importing import csv_files
from amity.store.logic.importing.layout import Layout, RawRow, check_headings

MEMBER_COLUMN: Final = "File"
"""The heading under which a row of an archive says which of its files it is from."""

_MEMBERS: Final = 2_000
_TOTAL_BYTES: Final = 4 << 30
_RATIO: Final = 200
_SMALL_BYTES: Final = 10 << 20
_CSV: Final = frozenset((".csv", ".tsv", ".txt"))


def is_mine(head: bytes) -> bool:
    """Say whether a file that begins so is an archive."""
    return head.startswith(b"PK\x03\x04")


def read_layout(path: Path) -> Layout:
    """Return the headings of all CSV files in an archive, in the order they come in."""
    columns: dict[str, None] = {MEMBER_COLUMN: None}
    notes: dict[str, None] = {}
    layouts = {}
    for name, member in _iter_members(path):
        layouts[name] = csv_files.read_layout(member)
        columns.update(dict.fromkeys(column for column in layouts[name].columns if column))
        notes.update(dict.fromkeys(layouts[name].notes))
    if not layouts:
        raise Invalid("there is no CSV file in the archive", code="bad_file")
    check_headings(list(columns))
    told = f"The archive holds {', '.join(layouts)}."
    return Layout(columns=list(columns), format="zip", notes=[told, *notes], is_counted=False)


def iter_rows(path: Path, layout: Layout) -> Iterator[RawRow]:
    """Read the rows of all members, one after the other, numbered through."""
    number = 0
    for name, member in _iter_members(path):
        own = csv_files.read_layout(member)
        places = [own.columns.index(c) if c in own.columns else None for c in layout.columns]
        for row in csv_files.iter_rows(member, own):
            number += 1
            if row.problem:
                yield RawRow(number, [], f"in {name}, row {row.number}: {row.problem}")
                continue
            cells = [row.cells[place] if place is not None else "" for place in places]
            cells[0] = name
            yield RawRow(number, cells)


def _iter_members(path: Path) -> Iterator[tuple[str, Path]]:
    """Unpack one member after the other, beside nothing that anybody can name."""
    with open_archive(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            place = PurePosixPath(info.filename)
            hidden = any(part.startswith((".", "__MACOSX")) for part in place.parts)
            if info.is_dir() or hidden or place.suffix.lower() not in _CSV:
                continue
            descriptor, unpacked = tempfile.mkstemp(dir=path.parent, prefix=".member-")
            try:
                with os.fdopen(descriptor, "wb") as target, archive.open(info) as member:
                    shutil.copyfileobj(member, target, 1 << 20)
                yield place.name, Path(unpacked)
            finally:
                Path(unpacked).unlink(missing_ok=True)


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose members may be read; raise Invalid for one that is too much."""
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bombs(archive.infolist())
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Invalid(f"the archive cannot be read ({error})"[:300], code="bad_file") from error


def _refuse_bombs(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MEMBERS:
        raise Invalid(f"the archive has {len(members):,} members; at most {_MEMBERS:,} are read")
    total = sum(info.file_size for info in members)
    if total > _TOTAL_BYTES:
        raise Invalid(f"the archive unpacks to {total >> 20:,} MiB; that is more than is read")
    for info in members:
        if info.flag_bits & 1:
            raise Invalid("the archive is locked with a password", code="bad_file")
        if info.file_size > max(_SMALL_BYTES, _RATIO * info.compress_size):
            raise Invalid(f"{info.filename!r} in the archive unpacks to far more than a table does")
