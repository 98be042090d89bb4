"""Small beginnings that reports share: columns and cells, and those of what is estimated."""

from collections import Counter

from amity.analysis.contracts_reports import Estimated, ReportColumn, Unit
from amity.analysis.report import Asked

Plain = tuple[str, str, Unit]
"""A column: its name, its title, its unit."""
Ranged = tuple[str, str, Unit, str, str]
"""A column of estimates, and the names of the two with the ends of its interval."""
Told = Plain | Ranged
Ends = tuple[float | None, float | None, float | None]


def columns(*told: Told) -> tuple[ReportColumn, ...]:
    """Return columns from their names, titles and units; three for one of estimates."""
    made: list[ReportColumn] = []
    for name, title, unit, *ends in told:
        column = ReportColumn(name=name, title=title, unit=unit)
        made += bounded(column, *ends) if ends else (column,)
    return tuple(made)


def for_files(*told: Plain) -> tuple[ReportColumn, ...]:
    """Return columns that are in files only: keys whose names people read in another column."""
    return tuple(
        ReportColumn(name=name, title=title, unit=unit, is_for_files=True)
        for name, title, unit in told
    )


def bounded(
    column: ReportColumn, low: str = "low", high: str = "high"
) -> tuple[ReportColumn, ReportColumn, ReportColumn]:
    """Return a column of estimates followed by the ends of its interval, as `cells` has them."""
    return (
        ReportColumn(
            name=column.name,
            title=column.title,
            unit=column.unit,
            definition=column.definition,
            low=low,
            high=high,
        ),
        ReportColumn(name=low, title="at least", unit=column.unit),
        ReportColumn(name=high, title="at most", unit=column.unit),
    )


def cells(estimate: Estimated | None) -> Ends:
    """Return an estimate as three cells: the value and its interval; None is not known."""
    if estimate is None:
        return None, None, None
    return estimate.value, estimate.low, estimate.high


def campaign_names(asked: Asked) -> dict[int, str]:
    """Return what campaigns are called, each differently; of a report that `needs` them."""
    told = {one["campaign_id"]: str(one["name"]) for one in asked.facts.get("campaigns", [])}
    uses = Counter(told.values())
    return {key: name if uses[name] == 1 else f"{name} ({key})" for key, name in told.items()}


def call_campaign(names: dict[int, str], campaign_id: int) -> str:
    """Return what a campaign is called; one that is gone by its number."""
    return names.get(campaign_id, f"campaign {campaign_id}")
