"""Reading the files people bring, whatever they are: each kind by a module of its own.

What a file is, its first bytes tell; its name may be wrong.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from amity.store.logic.importing import archive, csv_files, excel, json_lines, parquet
from amity.store.logic.importing.layout import Layout, RawRow

__all__ = ["Layout", "RawRow", "count_rows", "iter_rows", "read_layout"]

_HEAD_BYTES: Final = 4_096
_ROWS: Final[dict[str, Callable[[Path, Layout], Iterator[RawRow]]]] = {
    "csv": csv_files.iter_rows,
    "excel": excel.iter_rows,
    "json lines": json_lines.iter_rows,
    "parquet": parquet.iter_rows,
    "zip": archive.iter_rows,
}


def read_layout(path: Path) -> Layout:
    """Find out what a file is and what its columns are called; raise Invalid for what is no table.

    Some kinds are read once as a whole for it.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if parquet.is_mine(head):
        return parquet.read_layout(path)
    if archive.is_mine(head):
        if excel.is_mine(path):
            return excel.read_layout(path)
        return archive.read_layout(path)
    if json_lines.is_mine(head):
        return json_lines.read_layout(path)
    return csv_files.read_layout(path)


def iter_rows(path: Path, layout: Layout) -> Iterator[RawRow]:
    """Read the data rows in order, always the same and numbered the same."""
    return _ROWS[layout.format](path, layout)


def count_rows(path: Path, layout: Layout) -> int | None:
    """Return how many rows there are, or None where only reading all of them would tell."""
    if layout.rows is not None or not layout.is_counted:
        return layout.rows
    return sum(1 for _ in iter_rows(path, layout))
