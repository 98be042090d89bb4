"""What estimates say: their model cards, and what comes of estimating from a file."""

from datetime import date
from typing import Any, Literal

import msgspec

OptionKind = Literal[
    "column", "columns", "text", "choice", "number", "whole", "share", "date", "flag"
]
"""What the value of an option is; `column` and `columns` name columns of the file, `share` is in
0..1, and `columns` may be given more than once."""

CellKind = Literal["name", "day", "moment", "amount", "number", "count", "flag", "text"]
"""How the cells of a column are read: see `analysis.file_estimate.Cells`."""

OptionValue = str | int | float | bool | date | tuple[str, ...] | None


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What one must know of a model before believing it; every entry is a sentence for people."""

    title: str
    purpose: str
    assumes: list[str]
    needs: list[str]
    refuses: list[str]
    cannot_know: list[str]
    sources: list[str]
    """Papers and books: authors, year, title, where."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option of an estimate from a file: `--name` on the command line."""

    name: str
    """As in code, with underscores; the command line writes dashes."""
    kind: OptionKind
    help: str
    is_required: bool = False
    default: str | int | float | None = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    """Smallest number allowed, itself included; `high` likewise."""
    high: float | None = None
    cells: CellKind | None = None
    """Of a column: how its cells are read. Without it the cells stay text."""
    found_as: tuple[str, ...] = ()
    """Of a column nobody named: it is read where one is called so (in small letters)."""
    may_be_blank: bool = False
    """Of a column: an empty cell is "not known" and spoils no row."""


class FileEstimateWords(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate that can be asked of a file: what the command line and its help show."""

    name: str
    summary: str
    card: ModelCard
    options: tuple[Option, ...]


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a file that was not used: its number among the data rows, its line, and why."""

    row: int
    line: int
    reason: str


class FileEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What an estimate from a file says; the JSON of `amity estimate NAME FILE --json`."""

    estimate: str
    words: list[str]
    """The answer in sentences."""
    counts: dict[str, int]
    """What became of the rows, `rows`, `used` and `rejected` first, then what else was counted."""
    parameters: dict[str, float]
    standard_errors: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    """95 % of parameters that are never negative, made on their logarithms, which hold the truth
    more often than the standard errors do where customers are few."""
    log_likelihood: float | None = None
    fit: dict[str, Any] = {}
    """What else tells how well the model fits."""
    result: dict[str, Any] = {}
    """The answer in numbers."""
    calibration: dict[str, Any] = {}
    """Predictions for time or rows held out beside what came: `groups` of `label`, `customers`,
    `predicted`, `actual`, `actual_low`, `actual_high`; or `refused`, why there is none."""
    card: ModelCard
    warnings: list[str]
    rejected: list[RejectedRow]
    """The first thousand."""


class FittedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One estimator fitted to a file, or why it was refused."""

    parameters: dict[str, float]
    standard_errors: dict[str, float]
    log_likelihood: float | None
    customers: int
    warnings: list[str]
    refused: str = ""
    details: dict[str, Any] = {}


class ClvEstimate(FileEstimate, frozen=True, kw_only=True):
    """Customer lifetime value estimated from a file of purchases.

    ``parameters`` are those of BG/NBD (r, alpha, a, b) and, when amounts are known, of
    Gamma-Gamma (p, q, v); the log-likelihood is that of BG/NBD.
    """

    unit: Literal["day", "week"]
    until: date
    horizon: float
    expected_purchases: float
    """Of all customers together within the horizon."""
    expected_purchases_low: float | None
    """Where 95 % of what will come lies: customers' chance and the parameters' uncertainty. None
    where the data do not determine the parameters; so is `expected_purchases_high`."""
    expected_purchases_high: float | None
    expected_value: float | None
    expected_value_low: float | None
    """The same of the value; None too where the spread of what is spent is not finite."""
    expected_value_high: float | None
    models: dict[str, FittedModel]
