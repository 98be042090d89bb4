"""Answering a report's question over tables, whichever machine runs its expressions."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from amity.analysis.contracts_reports import Cell, ReportAnswer, ReportFigure
from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked, Report

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa
    from ibis.expr.operations import Node

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
    kept: dict[Node, Node] | None = {} if helps.keep else None
    wanted = [plan(report, tables, question, kept) for question in questions]
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
    report: Report,
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    kept: "dict[Node, Node] | None",
) -> list[Part]:
    """Return what is to be computed, in order; what is shared only once where it can be kept.

    ``kept`` is what earlier questions have kept already, and grows; None where nothing can be.
    """
    wanted = report.expressions(tables, asked)
    if kept is None:
        return [Part(name, expression, is_kept=False) for name, expression in wanted.items()]
    parts = []
    shared = report.shared(tables, asked).values()
    common = [one for one in frames.common(tables) if _is_in(one, [*shared, *wanted.values()])]
    for expression in (*common, *shared):
        if expression.op() not in kept:
            part = Part(f"kept_{len(kept)}", _replace(expression, kept), is_kept=True)
            kept[expression.op()] = _stand_in(part)
            parts.append(part)
    for name, expression in wanted.items():
        parts.append(Part(name, _replace(expression, kept), is_kept=False))
    return parts


def _is_in(part: "ibis.Table", wholes: Iterable["ibis.Table"]) -> bool:
    """Say whether one of some expressions is made of another."""
    node = part.op()
    return any(whole.op().find(lambda other: other == node) for whole in wholes)


def _replace(expression: "ibis.Table", kept: "Mapping[Node, Node]") -> "ibis.Table":
    """Return an expression that reads the tables that are kept."""
    found: ibis.Table = expression.op().replace(kept).to_expr()
    return found


def _stand_in(part: Part) -> "Node":
    """Return the table of what is kept."""
    import ibis  # noqa: PLC0415  # loads slowly

    node: Node = ibis.table(part.expression.schema(), name=part.name).op()
    return node


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
