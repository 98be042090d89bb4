"""Answering a report's question over tables, whichever machine runs its expressions."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from amity.analysis.contracts_reports import Cell, ReportAnswer, ReportFigure
from amity.analysis.report import Asked, Report

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

Run = Callable[["ibis.Table"], "pa.Table"]
"""Runs an expression: DuckDB over the warehouse, Spark, or an engine of a test."""
Keep = Callable[[str, "ibis.Table"], None]
"""Computes an expression once and keeps it as a table of a name, for `Run` to find."""
Progress = Callable[[int, int], None]
"""Told before each expression: how many are done, of how many."""


class Helps(NamedTuple):
    """What may be at hand besides what runs expressions."""

    keep: Keep | None = None
    progress: Progress | None = None


class Part(NamedTuple):
    """Something to be computed for an answer: kept as a table of the name, or for the report."""

    name: str
    expression: "ibis.Table"
    is_kept: bool


def answer(
    report: Report,
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    run: Run,
    *,
    is_compared: bool = False,
    helps: Helps | None = None,
) -> ReportAnswer:
    """Read what the report wants, and make its answer; with the time before beside each figure."""
    report.check(asked)
    helps = helps or Helps()
    questions = [asked]
    if is_compared and "comparison" in report.uses:
        questions.append(asked.before())
    wanted = [plan(report, tables, question, is_keeping=bool(helps.keep)) for question in questions]
    steps = sum(map(len, wanted))
    done = 0
    answers = []
    for question, parts in zip(questions, wanted, strict=True):
        rows: dict[str, Any] = {}
        for part in parts:
            if helps.progress:
                helps.progress(done, steps)
            if part.is_kept and helps.keep:
                helps.keep(part.name, part.expression)
            else:
                table = run(part.expression)
                rows[part.name] = table if part.name in report.columnar else to_rows(table)
            done += 1
        answers.append(report.finish(rows, question))
        if answers[0].empty:
            return answers[0]
    values = {figure.name: figure.value for figure in answers[-1].figures}
    if len(answers) == 1 or answers[-1].empty:
        return answers[0]
    figures = tuple(_beside(figure, values) for figure in answers[0].figures)
    return msgspec.structs.replace(answers[0], figures=figures)


def plan(
    report: Report, tables: Mapping[str, "ibis.Table"], asked: Asked, *, is_keeping: bool
) -> list[Part]:
    """Return what is to be computed, in order; with ``is_keeping`` what is shared only once."""
    kept: dict[Any, Any] = {}
    parts = []
    if is_keeping:
        for name, expression in report.shared(tables, asked).items():
            parts.append(Part(f"shared_{name}", _replace(expression, kept), is_kept=True))
            kept[expression.op()] = _stand_in(parts[-1])
    for name, expression in report.expressions(tables, asked).items():
        parts.append(Part(name, _replace(expression, kept), is_kept=False))
    return parts


def _replace(expression: "ibis.Table", kept: Mapping[Any, Any]) -> "ibis.Table":
    """Return an expression that reads the tables that are kept."""
    found: ibis.Table = expression.op().replace(kept).to_expr() if kept else expression
    return found


def _stand_in(part: Part) -> Any:
    import ibis  # noqa: PLC0415  # loads slowly

    return ibis.table(part.expression.schema(), name=part.name).op()


def drill(
    report: Report,
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    run: Run,
    *,
    table: str,
    row: Mapping[str, Cell],
) -> list[int] | None:
    """Return the customers of a row, by id; None when the report cannot say."""
    expression = report.drill(tables, asked, table, row)
    if expression is None:
        return None
    return sorted({one["customer_id"] for one in to_rows(run(expression))})


def to_rows(table: "pa.Table") -> list[dict[str, Any]]:
    """Return Arrow's rows as Python values; whole decimals, as sums of integers are, as int."""
    rows: list[dict[str, Any]] = table.to_pylist()
    decimals = [
        name
        for name, kind in zip(table.schema.names, table.schema.types, strict=True)
        if "decimal" in str(kind)
    ]
    for row in rows:
        for name in decimals:
            row[name] = _whole(row[name])
    return rows


def _whole(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _beside(figure: ReportFigure, values: Mapping[str, float | None]) -> ReportFigure:
    return msgspec.structs.replace(figure, before=values.get(figure.name))
