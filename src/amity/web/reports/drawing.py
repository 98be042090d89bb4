"""Pictures of reports: a plain description and its table become a figure.

A kind of picture is a function here; what it draws is in the table beside it.
"""

import itertools
import re
import textwrap
from collections.abc import Callable
from typing import Any, Final

import msgspec
import plotly.graph_objects as go

from amity.analysis.contracts_reports import (
    Cell,
    Picture,
    PictureKind,
    ReportAnswer,
    ReportColumn,
    ReportTable,
    Unit,
)
from amity.kernel.money import exponent_of
from amity.web.charts import SERIES, Chart, make_chart

_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "cross", "x")
_PATTERNS: Final = ("", "/", ".", "x", "\\", "-")
_MOST_MARKED: Final = 40
"""Lines with more points are drawn without a mark on each."""
_SMALL_SHARE: Final = 0.06
"""Axes of shares that end below this are written with a decimal."""
_NAMES_FIT: Final = 60
"""Letters that fit under the bars of a picture, all names together."""
_NAME_LINE: Final = 20
"""Letters of a name beside its bar."""
_BARS_HEIGHT: Final = 220
_BAR_HEIGHT: Final = 26
"""The least heights of bars that lie and of one of them, in pixels."""
_CHART_HEIGHT: Final = 340
_NODE_HEIGHT: Final = 36
"""The least heights of paths and of one of their nodes, in pixels."""
_STEP: Final = re.compile(r"^−?\d+\. ")
"""What says the step in the name of a node of paths."""


class _Drawn:
    """A table's columns as values to draw: money in units, shares as they are."""

    def __init__(self, table: ReportTable, currency: str) -> None:
        self.table = table
        self.columns = {column.name: column for column in table.columns}
        self._places = {column.name: place for place, column in enumerate(table.columns)}
        self._scale = 10.0 ** exponent_of(currency)

    def column(self, name: str) -> ReportColumn:
        """Return what is said of a column."""
        return self.columns[name]

    def values(self, name: str, rows: list[int] | None = None) -> list[Any]:
        """Return a column's values, of some rows."""
        place, is_money = self._places[name], self.columns[name].unit == "money"
        chosen = range(len(self.table.rows)) if rows is None else rows
        return [self._value(self.table.rows[row][place], is_money=is_money) for row in chosen]

    def _value(self, value: Cell, *, is_money: bool) -> Cell:
        if is_money and isinstance(value, int | float):
            return value / self._scale
        return value

    def keys(self, rows: list[int] | None = None) -> list[str] | None:
        """Return what an address calls each row, for points that open it; None where none can."""
        if not self.table.key:
            return None
        chosen = range(len(self.table.rows)) if rows is None else rows
        return [self.table.key_of(self.table.rows[row]) for row in chosen]

    def groups(self, name: str) -> list[tuple[str, list[int]]]:
        """Return the rows of each value of a column, in the order in which they come."""
        if not name:
            return [("", list(range(len(self.table.rows))))]
        found: dict[str, list[int]] = {}
        for row, value in enumerate(self.values(name)):
            found.setdefault(str(value), []).append(row)
        return list(found.items())


def draw(answer: ReportAnswer, picture: Picture, currency: str) -> Chart:
    """Draw a picture of an answer."""
    drawn = _Drawn(_chosen(answer.table(picture.table), picture), currency)
    figure = go.Figure()
    _KINDS[picture.kind](figure, picture, drawn)
    x = picture.x_title or ("" if _is_day(drawn, picture.x) else _title(drawn, picture.x))
    y = picture.y_title or (_title(drawn, picture.y[0]) if len(picture.y) == 1 else "")
    if figure.layout.hovermode == "y unified":
        x, y = y, ""
    chart = make_chart(figure, title=picture.title, x=x, y=y)
    if picture.kind in {"heatmap", "sankey", "scatter", "funnel"}:
        chart.figure["layout"]["hovermode"] = "closest"
    if picture.kind == "sankey":
        chart.figure["layout"]["height"] = _sankey_height(figure)
        return msgspec.structs.replace(chart, is_broad=True)
    return chart


def _chosen(table: ReportTable, picture: Picture) -> ReportTable:
    """Return the table with the rows that are drawn."""
    place = [column.name for column in table.columns].index(picture.x)
    rows = [row for row in table.rows if row[place] not in picture.without]
    return msgspec.structs.replace(table, rows=tuple(rows[: picture.most or None]))


def _is_day(drawn: _Drawn, name: str) -> bool:
    """Say whether a column holds days, which say themselves what they are."""
    return name in drawn.columns and drawn.column(name).unit == "day"


def _title(drawn: _Drawn, name: str) -> str:
    return drawn.column(name).title if name in drawn.columns else ""


def _traces(picture: Picture, drawn: _Drawn) -> list[tuple[str, str, list[int]]]:
    """Return what is drawn side by side: its name, its column, its rows."""
    if picture.series:
        return [(name, picture.y[0], rows) for name, rows in drawn.groups(picture.series)]
    rows = list(range(len(drawn.table.rows)))
    return [(drawn.column(name).title, name, rows) for name in picture.y]


def _draw_lines(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    _draw_band(figure, picture, drawn)
    is_area = picture.kind == "area"
    for place, (name, column, rows) in enumerate(_traces(picture, drawn)):
        figure.add_scatter(
            x=drawn.values(picture.x, rows),
            y=drawn.values(column, rows),
            customdata=drawn.keys(rows),
            name=name,
            mode="lines+markers" if len(rows) <= _MOST_MARKED and not is_area else "lines",
            line={
                "color": SERIES[place % len(SERIES)],
                "width": 2,
                "dash": _DASHES[place % len(_DASHES)],
            },
            marker={"size": 6, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
            stackgroup="one" if is_area and picture.is_stacked else None,
            fill="tozeroy" if is_area and not picture.is_stacked else None,
            fillcolor="var(--accent-soft)" if is_area and not picture.is_stacked else None,
            hovertemplate=f"%{{y{_spec(drawn.column(column).unit)}}} {name}<extra></extra>",
        )
    _axes(figure, picture, drawn)


def _draw_band(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    if not (picture.low and picture.high) or picture.series:
        return
    x, low, high = (drawn.values(name) for name in (picture.x, picture.low, picture.high))
    # One shape a stretch without gaps: across a gap the ends would be joined.
    for place, rows in enumerate(_stretches(low, high)):
        back = rows[::-1]
        figure.add_scatter(
            x=[x[row] for row in (*rows, *back)],
            y=[*(high[row] for row in rows), *(low[row] for row in back)],
            name=picture.band,
            mode="lines",
            # A single interval is a line, as a shape has no breadth there.
            line={"width": 4 if len(rows) == 1 else 0, "color": "var(--accent-soft)"},
            fill="toself",
            fillcolor="var(--accent-soft)",
            legendgroup="band",
            showlegend=not place,
            hoverinfo="skip",
        )


def _stretches(low: list[Any], high: list[Any]) -> list[list[int]]:
    """Return the rows that have an interval, those that follow each other together."""
    found: list[list[int]] = []
    for row, ends in enumerate(zip(low, high, strict=True)):
        if None in ends:
            continue
        if found and found[-1][-1] == row - 1:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _draw_bars(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    is_lying = _has_long_names(picture, drawn)
    for place, (name, column, rows) in enumerate(_traces(picture, drawn)):
        ends = [drawn.values(picture.x, rows), drawn.values(column, rows)]
        x, y = reversed(ends) if is_lying else ends
        errors = _errors(picture, drawn, rows) if len(picture.y) == 1 else None
        figure.add_bar(
            x=x,
            y=y,
            orientation="h" if is_lying else "v",
            customdata=drawn.keys(rows),
            name=name,
            marker={
                "color": SERIES[place % len(SERIES)],
                "pattern": {
                    "shape": _PATTERNS[place % len(_PATTERNS)],
                    "fillmode": "overlay",
                    "fgopacity": 0.45,
                },
            },
            hovertemplate=f"%{{{'x' if is_lying else 'y'}{_spec(drawn.column(column).unit)}}} "
            f"{name}<extra></extra>",
            **{"error_x" if is_lying else "error_y": errors},
        )
    figure.update_layout(barmode="stack" if picture.is_stacked else "group", bargap=0.25)
    if is_lying:
        _lay(figure, picture, drawn)
    else:
        _axes(figure, picture, drawn)


def _has_long_names(picture: Picture, drawn: _Drawn) -> bool:
    """Say whether names would not stand under their bars; the bars then lie beside them."""
    names = {str(name) for name in drawn.values(picture.x)}
    is_text = drawn.column(picture.x).unit == "text" and picture.kind == "bar"
    return is_text and sum(map(len, names)) > _NAMES_FIT


def _lay(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    """Set up the axes of bars that lie: names at the left, read from the top."""
    is_share = {drawn.column(name).unit for name in picture.y} == {"share"}
    spec = _ticks(drawn, *picture.y) if is_share else ","
    figure.update_xaxes(tickformat=spec, rangemode="tozero", showgrid=True)
    names = list(dict.fromkeys(str(name) for name in drawn.values(picture.x)))
    told = [_fold(name) for name in names]
    figure.update_yaxes(
        type="category", autorange="reversed", showgrid=False, tickvals=names, ticktext=told
    )
    bars = len(names) * (1 if picture.is_stacked else len(figure.data))
    figure.update_layout(hovermode="y unified", height=max(_BARS_HEIGHT, 90 + _BAR_HEIGHT * bars))


def _fold(name: str) -> str:
    """Write a long name in two lines at most; the table has it whole."""
    lines = textwrap.wrap(name, _NAME_LINE, max_lines=2, placeholder=" …")
    return "<br>".join(lines)


def _errors(picture: Picture, drawn: _Drawn, rows: list[int]) -> dict[str, Any] | None:
    if not (picture.low and picture.high):
        return None
    middle = drawn.values(picture.y[0], rows)
    low, high = drawn.values(picture.low, rows), drawn.values(picture.high, rows)
    return {
        "type": "data",
        "symmetric": False,
        "array": [None if None in (m, h) else h - m for m, h in zip(middle, high, strict=True)],
        "arrayminus": [None if None in (m, v) else m - v for m, v in zip(middle, low, strict=True)],
        "color": "var(--ink)",
        "thickness": 1.2,
    }


def _draw_points(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    for place, (name, column, rows) in enumerate(_traces(picture, drawn)):
        figure.add_scatter(
            x=drawn.values(picture.x, rows),
            y=drawn.values(column, rows),
            customdata=drawn.keys(rows),
            name=name,
            mode="markers",
            marker={
                "color": SERIES[place % len(SERIES)],
                "size": 9,
                "symbol": _SYMBOLS[place % len(_SYMBOLS)],
            },
            text=drawn.values(picture.value, rows) if picture.value else None,
            hovertemplate="%{text}<br>%{x}, %{y}<extra></extra>" if picture.value else None,
        )
    _axes(figure, picture, drawn)


def _draw_heat(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    columns = list(dict.fromkeys(drawn.values(picture.x)))
    lines = list(dict.fromkeys(drawn.values(picture.y[0])))
    cells: list[list[Any]] = [[None] * len(columns) for _ in lines]
    keys: list[list[str]] = [[""] * len(columns) for _ in lines]
    places = zip(
        drawn.values(picture.x),
        drawn.values(picture.y[0]),
        drawn.values(picture.value),
        drawn.keys() or itertools.repeat(""),
        strict=False,
    )
    for x, y, value, key in places:
        cells[lines.index(y)][columns.index(x)] = value
        keys[lines.index(y)][columns.index(x)] = key
    spec = _spec(drawn.column(picture.value).unit)
    figure.add_heatmap(
        x=[str(x) for x in columns],
        y=[str(y) for y in lines],
        z=cells,
        customdata=keys if drawn.table.key else None,
        colorscale=[[0.0, "var(--accent-soft)"], [1.0, "var(--s1)"]],
        showscale=False,
        xgap=2,
        ygap=2,
        texttemplate=f"%{{z{spec}}}",
        hovertemplate=f"%{{y}}, %{{x}}: %{{z{spec}}}<extra></extra>",
        hoverongaps=False,
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed")


def _draw_sankey(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    sources, targets = drawn.values(picture.x), drawn.values(picture.y[0])
    names = list(dict.fromkeys([*sources, *targets]))
    # A node stands in the column of its step, so its name need not repeat the number.
    told = [_STEP.sub("", str(name)) for name in names]
    figure.add_sankey(
        node={
            "label": told,
            "color": [SERIES[place % len(SERIES)] for place in range(len(names))],
            "pad": 14,
            "thickness": 12,
        },
        link={
            "source": [names.index(name) for name in sources],
            "target": [names.index(name) for name in targets],
            "value": drawn.values(picture.value),
            "customdata": drawn.keys(),
            "color": "var(--line-strong)",
        },
    )


def _sankey_height(figure: go.Figure) -> int:
    """Return a height at which the names of the fullest step do not touch, in pixels."""
    links = figure.data[0].link
    starts = set(links.source) - set(links.target)
    return max(_CHART_HEIGHT, _NODE_HEIGHT * max(len(starts), len(figure.data[0].node.label) // 4))


def _draw_funnel(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    for place, (name, column, rows) in enumerate(_traces(picture, drawn)):
        figure.add_funnel(
            y=drawn.values(picture.x, rows),
            x=drawn.values(column, rows),
            customdata=drawn.keys(rows),
            name=name,
            marker={"color": SERIES[place % len(SERIES)]},
            textinfo="value+percent initial",
        )


_KINDS: Final[dict[PictureKind, Callable[[go.Figure, Picture, _Drawn], None]]] = {
    "bar": _draw_bars,
    "line": _draw_lines,
    "area": _draw_lines,
    "heatmap": _draw_heat,
    "sankey": _draw_sankey,
    "funnel": _draw_funnel,
    "scatter": _draw_points,
    "upset": _draw_bars,
}


def _axes(figure: go.Figure, picture: Picture, drawn: _Drawn) -> None:
    units = {drawn.column(name).unit for name in picture.y}
    if units == {"share"}:
        figure.update_yaxes(tickformat=_ticks(drawn, *picture.y), rangemode="tozero")
    else:
        figure.update_yaxes(tickformat=",", rangemode="tozero")
    x = drawn.column(picture.x)
    if x.unit == "share":
        figure.update_xaxes(tickformat=_ticks(drawn, picture.x))
    elif x.unit == "text":
        figure.update_xaxes(type="category")


def _ticks(drawn: _Drawn, *names: str) -> str:
    """Return how an axis of shares is written: a few per cent want a decimal."""
    most = max((v for name in names for v in drawn.values(name) if v is not None), default=1.0)
    return ".1%" if most < _SMALL_SHARE else ".0%"


def _spec(unit: Unit) -> str:
    """Return how plotly writes a value of a unit."""
    specs: dict[str, str] = {"share": ":.1%", "money": ":,.2f", "number": ":,.3~f"}
    return specs.get(unit, ":,.4~g" if unit == "days" else ":,")
