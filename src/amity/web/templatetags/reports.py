"""What the pages of reports say of values: in their unit, with their interval and their change."""

from datetime import date
from typing import Any, Final

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from amity.analysis.contracts_reports import (
    Cell,
    ReportColumn,
    ReportFigure,
    ReportTable,
    say_ends,
    say_value,
)
from amity.web.templatetags.amity import say_change, ticked, tidy

register = template.Library()

_ENTERED: Final = "Costs and targets"
"""The page where people enter what no event says, as notes name it."""
_NOTICED = 0.005
"""A change of less than half a per cent is none."""


@register.simple_tag
def cell(value: Cell, column: ReportColumn, currency: str) -> str:
    """Write a value of a table in its column's unit; a dash for what is not known."""
    if value is None:
        return "–"
    if column.unit == "day":
        return _day(value)
    said = say_value(value, column.unit, currency)
    return said if isinstance(value, str) else tidy(said)


def _day(value: Cell) -> str:
    """Write a day as people do; what is no day as it is."""
    try:
        return date.fromisoformat(str(value)).strftime("%-d %b %Y")
    except ValueError:
        return str(value)


@register.simple_tag
def report_value(figure: ReportFigure, currency: str) -> str:
    """Write a figure's value in its unit."""
    return tidy(say_value(figure.value, figure.unit, currency))


@register.simple_tag
def report_range(figure: ReportFigure, currency: str) -> str:
    """Write a figure's interval; "" where it has none."""
    if figure.low is None or figure.high is None:
        return ""
    low = say_value(figure.low, figure.unit, currency)
    return tidy(f"{low} to {say_value(figure.high, figure.unit, currency)}")


@register.simple_tag
def report_delta(figure: ReportFigure, currency: str) -> SafeString | str:
    """Write how a figure moved: in the colour of good or bad, grey when chance may have done it."""
    if figure.value is None or figure.before is None:
        return ""
    if not figure.before:
        return ""
    change = (figure.value - figure.before) / abs(figure.before)
    moved = say_change(figure.value, figure.before, is_share=figure.unit == "share")
    return format_html('<span class="delta {}">{}</span>', _kind_of(figure, change), moved)


@register.simple_tag
def report_before(figure: ReportFigure, currency: str) -> str:
    """Write what a figure was before; "" where nobody knows or nothing was asked."""
    if figure.value is None or figure.before is None:
        return ""
    return tidy(f"{say_value(figure.before, figure.unit, currency)} before")


@register.filter
def pointed(note: str) -> SafeString:
    """Write a note, with a link to the page it sends its reader to."""
    link = format_html('<a class="link" href="{}">{}</a>', reverse("report_facts"), _ENTERED)
    return mark_safe(ticked(tidy(note)).replace(_ENTERED, link))  # noqa: S308  # both are escaped


def _kind_of(figure: ReportFigure, change: float) -> str:
    assert figure.before is not None
    inside = (
        figure.low is not None
        and figure.high is not None
        and figure.low <= figure.before <= figure.high
    )
    if inside or abs(change) < _NOTICED or not figure.good:
        return "quiet"
    return "up" if (change > 0) == (figure.good == "up") else "down"


@register.filter
def is_number(column: ReportColumn) -> bool:
    """Say whether a column is set to the right."""
    return column.unit not in {"text", "day"}


@register.simple_tag
def ends(bounds: tuple[Cell, Cell] | None, column: ReportColumn, currency: str) -> str:
    """Write the interval of a cell's value; "" where it has none."""
    return tidy(say_ends(*bounds, column.unit, currency)) if bounds else ""


@register.filter
def told(row: tuple[Cell, ...], table: ReportTable) -> list[tuple[Any, Any, ReportColumn]]:
    """Return what a row shows: each value, the ends of its interval, its column."""
    known = dict(zip((column.name for column in table.columns), row, strict=True))
    return [
        (
            known[column.name],
            (known[column.low], known[column.high]) if column.low and column.high else None,
            column,
        )
        for column in table.shown
    ]
