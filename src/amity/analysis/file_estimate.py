"""The plug point of estimates from a file: for analysts who only have a CSV.

One class in one module of `file_estimates/` adds `amity estimate NAME FILE`. It declares its
options; whoever runs it reads the file strictly by them and hands over a table of arrays. It never
touches a file, a clock or a database, and raises `Refused` where the data cannot carry the claim.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.contracts_estimates import (
    CellKind,
    FileEstimate,
    ModelCard,
    Option,
    OptionValue,
    RejectedRow,
)
from amity.analysis.estimator import FloatArray, IntArray
from amity.kernel.registry import Registry


class Options:
    """The options somebody chose, checked and with the defaults filled in."""

    def __init__(self, values: Mapping[str, OptionValue]) -> None:
        self._values = dict(values)

    def is_given(self, name: str) -> bool:
        """Say whether an option has a value, chosen or by default; a flag, whether it is set."""
        return self._values.get(name) not in (None, (), False)

    def text(self, name: str) -> str:
        """Return a text, a choice or the name of a column that is known to be given."""
        value = self._values[name]
        assert isinstance(value, str)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the names of columns, none when none were given."""
        value = self._values.get(name) or ()
        assert isinstance(value, tuple)
        return value

    def number(self, name: str) -> float:
        """Return a number that is known to be given."""
        value = self._values[name]
        assert isinstance(value, int | float)
        return float(value)

    def whole(self, name: str) -> int:
        """Return a whole number that is known to be given."""
        value = self._values[name]
        assert isinstance(value, int)
        return value

    def find_number(self, name: str) -> float | None:
        """Return a number, None when it was not given."""
        return self.number(name) if self._values.get(name) is not None else None

    def find_date(self, name: str) -> date | None:
        """Return a date, None when it was not given."""
        value = self._values.get(name)
        assert value is None or isinstance(value, date)
        return value


class Cells(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One column of the usable rows, read as its kind asks for.

    | kind | ``values`` |
    |---|---|
    | name, text | places in ``names``, which holds each text once, in order of appearance |
    | day | whole days since 1970-01-01 (UTC) |
    | moment | microseconds since 1970-01-01 (UTC) |
    | amount | whole minor units, of which ``minor_per_unit`` make one unit; never negative |
    | number | numbers; NaN for a blank cell |
    | count | whole numbers, never negative |
    | flag | 1 for 1, yes, true, y, t; 0 for 0, no, false, n, f |

    Where blank cells are allowed they are the text "", -1 as a count or a flag, NaN as a number
    and `logic.files.cells.BLANK_DAY` as a day.
    """

    head: str
    kind: CellKind
    values: NDArray[np.int64] | NDArray[np.float64]
    names: list[str] = []
    minor_per_unit: int = 1

    @property
    def whole(self) -> IntArray:
        """The values, known to be whole numbers."""
        return self.values.astype(np.int64, copy=False)

    @property
    def real(self) -> FloatArray:
        """The values as real numbers; amounts in units."""
        real: FloatArray = self.values.astype(np.float64, copy=False) / self.minor_per_unit
        return real


class Table(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The usable rows of a file, one array a column, all of the same length.

    ``columns`` holds the columns options name, by the name of the option; those of an option of
    kind `columns` are in ``several``. ``others`` holds the texts of all other columns by their
    head, when the estimator reads them.
    """

    file_name: str
    columns: dict[str, Cells]
    several: dict[str, list[Cells]]
    others: dict[str, list[str]]
    row: IntArray
    """The number of each usable row among the data rows, from 1."""
    rows: int
    rejected_count: int
    rejected: list[RejectedRow]
    long_row: tuple[int, int, int] | None = None
    """The first row that goes on for very many lines, its first line and its last."""

    def __len__(self) -> int:
        return len(self.row)

    def count(self, **more: int) -> dict[str, int]:
        """Return what became of the rows, and what else was counted, as answers carry it."""
        return {
            "rows": self.rows,
            "used": len(self),
            "rejected": self.rejected_count,
            **more,
        }

    def first_reason(self) -> str:
        """Return, for the end of a refusal, why the first unusable row was; may be empty."""
        if not self.rejected:
            return ""
        first = self.rejected[0]
        return (
            f"; {self.rejected_count} of {self.rows} were rejected, "
            f"the first (row {first.row}) because {first.reason}"
        )


OutColumn = Sequence[str] | IntArray | FloatArray


class OutTable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The rows to write with `--out`: heads and columns of texts or numbers, of one length.

    Texts are made safe for spreadsheets, numbers written with ten digits, NaN as nothing.
    """

    heads: tuple[str, ...]
    columns: tuple[OutColumn, ...]


class Estimated(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an estimator answers: what is printed, and the rows to write."""

    answer: FileEstimate
    out: OutTable | None = None


class Example(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A made-up file and the options to estimate from it."""

    heads: tuple[str, ...]
    rows: list[tuple[object, ...]]
    options: dict[str, OptionValue]


class FileEstimator(ABC):
    """Answers one kind of question from one file. No state: two made alike answer alike."""

    name: ClassVar[str]
    """As people type it: `amity estimate NAME FILE`."""
    summary: ClassVar[str]
    """One line, for lists."""
    card: ClassVar[ModelCard]
    options: ClassVar[tuple[Option, ...]]
    reads_others: ClassVar[bool] = False
    """Whether the columns no option names are read too, as texts."""

    @abstractmethod
    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        """Estimate from the usable rows, of which there is at least one.

        Raises Refused when they cannot carry it, Invalid when the options make no sense together.
        """

    @classmethod
    @abstractmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        """Return a made-up file of ``size`` customers (or rows) that it can be used on."""


FILE_ESTIMATES: Final[Registry[FileEstimator]] = Registry(
    FileEstimator,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.file_estimates",
)


@cache
def load_file_estimates() -> Registry[FileEstimator]:
    """Return the registry with every module of the folder and of installed packages in it."""
    from amity.analysis import file_estimates  # noqa: PLC0415  # its modules import this one

    FILE_ESTIMATES.discover(file_estimates)
    return FILE_ESTIMATES
