"""Tables of answers as files: CSV that is safe to open in a spreadsheet, and Parquet."""

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from amity.analysis.contracts_reports import (
    Cell,
    FileKind,
    ReportColumn,
    ReportRun,
    ReportTable,
    Unit,
)
from amity.kernel.cells import guard_cell
from amity.kernel.errors import NotFound
from amity.kernel.money import exponent_of

if TYPE_CHECKING:
    import pyarrow as pa

_WHOLE: Final[frozenset[Unit]] = frozenset(("customers", "orders", "events", "messages"))


def find_table(run: ReportRun, name: str) -> ReportTable:
    """Return a table of an answer; raise NotFound when it has none by that name."""
    for table in run.answer.tables:
        if table.name == name:
            return table
    raise NotFound("this answer has no such table", code="no_table")


def write_table(run: ReportRun, name: str, kind: FileKind) -> bytes:
    """Write a table of an answer; money in CSV in units of the currency, in Parquet in minor."""
    table = find_table(run, name)
    return _write_csv(table, run.currency) if kind == "csv" else _write_parquet(table, run)


def _write_csv(table: ReportTable, currency: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_head(column, currency) for column in table.columns])
    for row in table.rows:
        told = zip(row, table.columns, strict=True)
        writer.writerow([_say(value, column, currency) for value, column in told])
    return out.getvalue().encode()


def _head(column: ReportColumn, currency: str) -> str:
    return f"{column.name}_{currency}" if column.unit == "money" else column.name


def _say(value: Cell, column: ReportColumn, currency: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return guard_cell(value)
    if column.unit == "money":
        places = exponent_of(currency)
        return f"{Decimal(round(value)).scaleb(-places):.{places}f}"
    # A number is no formula, whatever sign it has.
    return str(value)


def _write_parquet(table: ReportTable, run: ReportRun) -> bytes:
    import pyarrow as pa  # noqa: PLC0415  # loads slowly
    import pyarrow.parquet as pq  # noqa: PLC0415  # loads slowly

    arrays: dict[str, Any] = {}
    for place, column in enumerate(table.columns):
        values = [row[place] for row in table.rows]
        name = f"{column.name}_minor" if column.unit == "money" else column.name
        arrays[name] = _array(values, column.unit)
    made: pa.Table = pa.table(arrays)
    told = {"report": run.report, "currency": run.currency, "as_of": run.as_of.isoformat()}
    out = io.BytesIO()
    pq.write_table(made.replace_schema_metadata(told), out, compression="zstd")
    return out.getvalue()


def _array(values: list[Cell], unit: Unit) -> "pa.Array":
    import pyarrow as pa  # noqa: PLC0415  # loads slowly

    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return pa.array(values, pa.bool_())
    if any(isinstance(value, str) for value in known) or unit in {"text", "day"}:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    if all(value is None or isinstance(value, int) for value in values) and unit in _WHOLE:
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())
