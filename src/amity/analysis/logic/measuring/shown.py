"""Figures of reports that are metrics of the catalogue: what a metric is now is what they show.

A report computes its figures with their intervals in its own way, which for the built-in metrics is
the definition's, as a test holds. Where a company has put a definition of its own in a metric's
stead, the figure is read by that instead: without an interval, which nobody has worked out for it.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from amity.analysis.contracts_metrics import MetricDefinition
from amity.analysis.contracts_reports import ReportFigure
from amity.analysis.logic.measuring import catalogue, computing
from amity.analysis.logic.measuring.builtin import BUILT_IN
from amity.analysis.report import Asked, Rows

if TYPE_CHECKING:
    import ibis

_PART = "metrics"


def known_metrics(asked: Asked) -> Mapping[str, MetricDefinition]:
    """Return what holds; the built-in metrics where nobody says."""
    told = asked.facts.get("metrics") or []
    return {one["name"]: one["definition"] for one in told} or BUILT_IN


def express_changed(
    tables: Mapping[str, "ibis.Table"], asked: Asked, names: Iterable[str]
) -> dict[str, "ibis.Table"]:
    """Return what is to be read for those of some metrics that are not as they were built in.

    To be added to a report's expressions; nothing while all are as built in.
    """
    needed: dict[str, MetricDefinition] = {}
    for name in _changed(asked, names):
        needed |= catalogue.needed_for(name, dict(known_metrics(asked)))
    found = computing.express(tables, asked, needed)
    return {} if found is None else {_PART: found}


def show(
    figures: Iterable[ReportFigure], rows: Rows, asked: Asked
) -> tuple[tuple[ReportFigure, ...], tuple[str, ...]]:
    """Return a report's figures, those of a changed metric by its definition, and notes to them."""
    all_figures = tuple(figures)
    known = known_metrics(asked)
    changed = _changed(asked, [figure.metric for figure in all_figures])
    if not changed:
        return all_figures, ()
    values = computing.combine(list(rows.get(_PART, [])), known)
    shown = tuple(
        msgspec.structs.replace(
            figure,
            value=values[figure.metric],
            low=None,
            high=None,
            unit=known[figure.metric].unit,
            definition=known[figure.metric].definition,
            good=known[figure.metric].direction,
        )
        if figure.metric in changed
        else figure
        for figure in all_figures
    )
    titles = ", ".join(figure.title for figure in all_figures if figure.metric in changed)
    return shown, (
        f"As the catalogue of metrics defines them now, and without an interval: {titles}. Tables "
        "and pictures are by the definitions that were built in.",
    )


def _changed(asked: Asked, names: Iterable[str]) -> list[str]:
    """Return those of some metrics that, or whose parts, are not what was built in."""
    known = dict(known_metrics(asked))
    return [
        name
        for name in dict.fromkeys(names)
        if name in known and name in BUILT_IN and not _is_built_in(name, known)
    ]


def _is_built_in(name: str, known: dict[str, MetricDefinition]) -> bool:
    return all(
        part in BUILT_IN and definition.expression == BUILT_IN[part].expression
        for part, definition in catalogue.needed_for(name, known).items()
    )
