"""Charts: figures made here with plotly, sent as JSON, drawn by the reader's browser.

Colours are the style sheet's own names, such as `var(--s1)`; the script resolves them, so one
figure serves both themes. Series differ by dash and symbol too, so that grey is enough.
"""

from typing import Any, Final

import msgspec
import plotly.graph_objects as go

INK: Final = "var(--ink-2)"
LINE: Final = "var(--line)"
SERIES: Final = ("var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)")
_CLEAR: Final = "rgba(0,0,0,0)"


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A figure ready for the page; ``title`` says the finding, in words."""

    title: str
    figure: dict[str, Any]
    is_broad: bool = False
    """It cannot be read on a narrow screen, where it is scrolled sideways."""


def make_chart(figure: go.Figure, *, title: str, x: str = "", y: str = "") -> Chart:
    """Give a figure Amity's look and turn it into data; the title goes beside it, not in it."""
    axis = {
        "gridcolor": LINE,
        "linecolor": LINE,
        "zerolinecolor": LINE,
        "title": {"font": {"size": 12}},
        "automargin": True,
    }
    figure.update_layout(
        template="none",
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        font={"color": INK, "size": 12, "family": "system-ui, Roboto, Noto Sans, sans-serif"},
        margin={"l": 8, "r": 24, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.08, "x": 0, "yanchor": "bottom"},
        hoverlabel={"bgcolor": "var(--surface)", "bordercolor": LINE, "font": {"color": INK}},
        hovermode=figure.layout.hovermode or "x unified",
        height=figure.layout.height or 300,
    )
    lies = figure.layout.hovermode == "y unified"
    figure.update_xaxes(**axis, showgrid=lies)
    figure.update_yaxes(**axis, showgrid=not lies)
    # Only now the words, so that an update of the axes cannot lose them.
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=y)
    return Chart(title=title, figure=figure.to_plotly_json() | {"frames": []})
