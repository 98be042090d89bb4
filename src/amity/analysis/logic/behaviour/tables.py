"""Small beginnings that the reports of behaviour share: columns and cells."""

from amity.analysis.contracts_reports import ReportColumn, Unit
from amity.analysis.logic.overview_statistics import Measure

Told = tuple[str, str, Unit]
"""A column: its name, its title, its unit."""
Bounded = tuple[float | None, float | None, float | None]


def columns(*told: Told) -> tuple[ReportColumn, ...]:
    """Return columns from their names, titles and units."""
    return tuple(ReportColumn(name=name, title=title, unit=unit) for name, title, unit in told)


def cells(measure: Measure) -> Bounded:
    """Return a measure as three cells: the value and its interval."""
    return measure.value, measure.low, measure.high
