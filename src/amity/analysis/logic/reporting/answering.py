"""Answering a report's question over tables, whichever machine runs its expressions."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from amity.analysis.contracts_reports import Cell, ReportAnswer, ReportFigure
from amity.analysis.report import Asked, Report

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

Run = Callable[["ibis.Table"], "pa.Table"]
"""Runs an expression: DuckDB over the warehouse, Spark, or an engine of a test."""
Progress = Callable[[int, int], None]
"""Told before each expression: how many are done, of how many."""


def answer(
    report: Report,
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    run: Run,
    *,
    is_compared: bool = False,
    progress: Progress | None = None,
) -> ReportAnswer:
    """Read what the report wants, and make its answer; with the time before beside each figure."""
    report.check(asked)
    questions = [asked]
    if is_compared and "comparison" in report.uses:
        questions.append(asked.before())
    wanted = [report.expressions(tables, question) for question in questions]
    steps = sum(len(expressions) for expressions in wanted)
    done = 0
    answers = []
    for question, expressions in zip(questions, wanted, strict=True):
        rows: dict[str, Any] = {}
        for name, expression in expressions.items():
            if progress:
                progress(done, steps)
            table = run(expression)
            rows[name] = table if name in report.columnar else to_rows(table)
            done += 1
        answers.append(report.finish(rows, question))
        if answers[0].empty:
            return answers[0]
    values = {figure.name: figure.value for figure in answers[-1].figures}
    if len(answers) == 1 or answers[-1].empty:
        return answers[0]
    figures = tuple(_beside(figure, values) for figure in answers[0].figures)
    return msgspec.structs.replace(answers[0], figures=figures)


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
