"""Writing rows that are safe to open in a spreadsheet, whole or not at all."""

import csv
import math
import os
import tempfile
from pathlib import Path
from typing import TextIO

import numpy as np

from amity.analysis.file_estimate import OutColumn, OutTable
from amity.kernel.cells import guard_cell


def write_table(path: Path, table: OutTable) -> None:
    """Write the table to ``path``, replacing what is there only when all is written.

    What is not a plain file, such as a pipe, is written to directly.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as file:
            _write(file, table)
        return
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            _write(file, table)
        Path(draft).chmod(0o666 & ~_umask())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write(file: TextIO, table: OutTable) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.heads)
    writer.writerows(zip(*(_texts(column) for column in table.columns), strict=True))


def _texts(column: OutColumn) -> list[str]:
    if not isinstance(column, np.ndarray):
        return [guard_cell(text) for text in column]
    if column.dtype.kind == "i":
        return [str(value) for value in column.tolist()]
    return ["" if math.isnan(value) else f"{value:.10g}" for value in column.tolist()]
