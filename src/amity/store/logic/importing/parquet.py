"""Reading Parquet: a few thousand rows at a time, so that a row group need not fit into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amity.kernel.errors import Invalid
from amity.store.logic.importing.cells import cell_text
from amity.store.logic.importing.layout import MAX_COLUMNS, Layout, RawRow, check_headings

if TYPE_CHECKING:
    import pyarrow as pa

_MAGIC: Final = b"PAR1"
_BATCH_ROWS: Final = 2_000
# What a file says of itself must be of a size a reader can hold: its description, a row group.
_DESCRIPTION_BYTES: Final = 64 << 20
_GROUP_BYTES: Final = 4 << 30


def is_mine(head: bytes) -> bool:
    """Say whether a file that begins so is Parquet."""
    return head.startswith(_MAGIC)


def read_layout(path: Path) -> Layout:
    """Read the names of the columns out of the file's own description; raise Invalid."""
    with _open(path) as file:
        if len(file.schema) > MAX_COLUMNS:
            raise Invalid(
                f"the file has {len(file.schema)} columns; at most {MAX_COLUMNS} are read"
            )
        columns = [
            str(name).strip() for name in _flat(file.schema_arrow.empty_table()).column_names
        ]
        rows = file.metadata.num_rows
    check_headings(columns)
    return Layout(columns=columns, format="parquet", rows=rows)


def iter_rows(path: Path, layout: Layout) -> Iterator[RawRow]:
    """Read the rows in order; what cannot be read ends the file with Invalid."""
    import pyarrow as pa  # noqa: PLC0415  # takes long to load, and few processes read Parquet

    number = 0
    with _open(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
            columns = [
                _texts(column) for column in _flat(pa.Table.from_batches([batch])).itercolumns()
            ]
            for cells in zip(*columns, strict=True):
                number += 1
                yield RawRow(number, list(cells))


def _texts(column: Any) -> list[str]:
    return [cell_text(value) for value in column.to_pylist()]


def _flat(table: "pa.Table") -> "pa.Table":
    """Return a table whose columns hold no objects: `name.inner` in their place."""
    import pyarrow as pa  # noqa: PLC0415

    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
        if len(table.schema) > MAX_COLUMNS:
            raise Invalid(f"the file has more than {MAX_COLUMNS} columns")
    return table


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with parquet.ParquetFile(
            path,
            pre_buffer=False,
            thrift_string_size_limit=_DESCRIPTION_BYTES,
            thrift_container_size_limit=1_000_000,
        ) as file:
            _refuse_giant(file.metadata)
            yield file
    except (pa.ArrowException, OSError, OverflowError, ValueError) as error:
        raise Invalid(
            f"the Parquet file cannot be read ({error})"[:300], code="bad_file"
        ) from error


def _refuse_giant(metadata: Any) -> None:
    sizes = (metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups))
    if max(sizes, default=0) > _GROUP_BYTES:
        raise Invalid("a row group of the Parquet file is larger than 4 GiB; write smaller ones")
