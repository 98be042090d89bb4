"""Segments as CSV files that no spreadsheet takes for formulas."""

import csv
import os
from collections.abc import Sequence
from datetime import datetime
from typing import IO

from amity.kernel.cells import guard_cell
from amity.kernel.clock import format_instant
from amity.store.destination import DESTINATIONS, Cell, FileDestination


@DESTINATIONS.register("csv")
class CsvFile(FileDestination):
    """A CSV file in UTF-8 with a heading."""

    name = "csv"
    title = "CSV file"
    description = "A file for spreadsheets, kept for seven days."
    ending = "csv"
    _file: IO[str]

    def begin(self) -> None:
        self._file = os.fdopen(self.open_draft(), "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow([guard_cell(column) for column in self.job.columns])

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        self._writer.writerows([_text(cell) for cell in row] for row in rows)

    def finish(self) -> str:
        self._file.close()
        return self.publish()

    def abandon(self) -> None:
        self._file.close()
        super().abandon()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return format_instant(cell)
    return guard_cell(cell) if isinstance(cell, str) else str(cell)
