"""Segments as Parquet files, for analysis elsewhere."""

import os
from collections.abc import Sequence
from typing import Any

from amity.store.destination import DESTINATIONS, Cell, FileDestination, type_of


@DESTINATIONS.register("parquet")
class ParquetFile(FileDestination):
    """A Parquet file with typed columns."""

    name = "parquet"
    title = "Parquet file"
    description = "A file for analysis, with typed columns, kept for seven days."
    ending = "parquet"
    _writer: Any

    def begin(self) -> None:
        import pyarrow as pa  # noqa: PLC0415  # takes a moment, and few export this way
        import pyarrow.parquet as pq  # noqa: PLC0415

        types = {"integer": pa.int64(), "text": pa.string(), "moment": pa.timestamp("us", "UTC")}
        self._schema = pa.schema([(name, types[type_of(name)]) for name in self.job.columns])
        os.close(self.open_draft())
        self._writer = pq.ParquetWriter(self.draft, self._schema)

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        import pyarrow as pa  # noqa: PLC0415

        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            self._writer.write_table(pa.table(columns, schema=self._schema))

    def finish(self) -> str:
        self._writer.close()
        return self.publish()

    def abandon(self) -> None:
        self._writer.close()
        super().abandon()
