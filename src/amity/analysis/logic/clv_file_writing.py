"""Writing one row a customer, safe to open in a spreadsheet, whole or not at all."""

import csv
import os
import tempfile
from pathlib import Path
from typing import Final, TextIO

import msgspec

from amity.analysis.estimator import Column, FloatArray, Histories
from amity.kernel.cells import guard_cell

HEADS: Final = (
    "customer",
    "frequency",
    "recency",
    "T",
    "probability_alive",
    "expected_purchases",
    "expected_value",
    "expected_purchases_low",
    "expected_purchases_high",
    "expected_value_low",
    "expected_value_high",
)


class CustomerTable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is written for every customer."""

    names: list[str]
    unit_days: int
    histories: Histories
    alive: Column
    purchases: Column
    value: Column | None


def write_customers(path: Path, table: CustomerTable) -> None:
    """Write the table to ``path``, replacing what is there only when all is written.

    What is not a plain file, such as a pipe, is written to directly.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as file:
            _write(file, table)
        return
    folder = path.parent
    descriptor, draft = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
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


def _write(file: TextIO, table: CustomerTable) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADS)
    histories, unit = table.histories, table.unit_days
    writer.writerows(
        zip(
            (guard_cell(table.names[place]) for place in histories.customer_id.tolist()),
            histories.frequency.tolist(),
            _texts(histories.recency_days / unit),
            _texts(histories.age_days / unit),
            _texts(table.alive.value),
            _texts(table.purchases.value),
            _column(table.value, "value", len(histories)),
            *(_column(table.purchases, part, len(histories)) for part in ("low", "high")),
            *(_column(table.value, part, len(histories)) for part in ("low", "high")),
            strict=True,
        )
    )


def _column(column: Column | None, part: str, size: int) -> list[str]:
    values = None if column is None else getattr(column, part)
    return [""] * size if values is None else _texts(values)


def _texts(values: FloatArray) -> list[str]:
    return [f"{value:.10g}" for value in values.tolist()]
