"""The main figures: every metric as the catalogue defines it, beside the time before."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amity.analysis.contracts_reports import (
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    say_value,
)
from amity.analysis.logic.measuring import computing
from amity.analysis.logic.measuring.shown import known_metrics
from amity.analysis.logic.reporting import frames
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis


@REPORTS.register("main_figures")
class MainFigures(Report):
    """All metrics of the catalogue over one window."""

    name = "main_figures"
    title = "Main figures"
    question = "What do our agreed metrics come to, and how did they move?"
    group = "assessment"
    definition = (
        "Each metric is computed as the catalogue of metrics defines it, with the versions that "
        "hold now, also for the time before. A ratio whose divisor is zero is not known."
    )
    needs = frozenset(("metrics",))

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        counted = computing.express(tables, asked, known_metrics(asked))
        placed = frames.orders(tables, asked)
        found = {
            "placed": placed.aggregate(orders=placed.count()),
            "others": frames.other_currencies(tables, asked),
        }
        return found if counted is None else found | {"counted": counted}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        known = known_metrics(asked)
        values = computing.combine(rows.get("counted", []), known)
        has_orders = bool(rows["placed"] and rows["placed"][0]["orders"])
        if not any(values.values()) and not has_orders:
            return ReportAnswer(
                sentence="There is nothing to measure in this window.",
                empty=f"No order in {asked.currency}, no message and no event that a metric "
                "counts is known until the end of this window.",
            )
        figures = tuple(
            ReportFigure(
                name=name,
                title=one.title,
                unit=one.unit,
                value=values[name],
                definition=one.definition,
                good=one.direction,
                metric=name,
            )
            for name, one in known.items()
        )
        table = ReportTable(
            name="metrics",
            title="All metrics",
            columns=(
                ReportColumn(name="metric", title="Metric", unit="text"),
                ReportColumn(name="value", title="Value", unit="text"),
                ReportColumn(name="better", title="Better is", unit="text"),
                ReportColumn(name="definition", title="Definition", unit="text"),
                ReportColumn(name="owner", title="Answers for it", unit="text"),
            ),
            rows=tuple(
                (
                    one.title,
                    say_value(values[name], one.unit, asked.currency),
                    {"up": "more", "down": "less", "": ""}[one.direction],
                    one.definition,
                    one.owner,
                )
                for name, one in known.items()
            ),
        )
        said = [
            f"{one.title.lower()} {say_value(values[name], one.unit, asked.currency)}"
            for name, one in list(known.items())[:3]
        ]
        return ReportAnswer(
            sentence=f"{asked.days} days: {', '.join(said)}.",
            figures=figures,
            tables=(table,),
            notes=frames.note_of_currencies(rows["others"], asked),
        )
