"""How reports are drawn: every point knows the row it stands for, and nothing is drawn twice."""

from amity.analysis.contracts_reports import (
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportTable,
)
from amity.web.reports.drawing import draw

COLUMNS = (
    ReportColumn(name="attitude", title="Attitude", unit="text"),
    ReportColumn(name="behaviour", title="Behaviour", unit="text"),
    ReportColumn(name="customers", title="Customers", unit="customers"),
)
ROWS = (("likes us", "stays", 30), ("likes us", "goes", 4), ("does not", "goes", 7))


def draw_rows(kind, *, key, **asked):
    table = ReportTable(name="cells", title="Cells", columns=COLUMNS, rows=ROWS, key=key)
    picture = Picture(kind=kind, table="cells", title="Most like us and stay.", **asked)
    answer = ReportAnswer(sentence="", tables=(table,), pictures=(picture,))
    return draw(answer, picture, "EUR").figure["data"]


def test_bars_of_a_series_know_the_rows_behind_them():
    bars = draw_rows("bar", key=("attitude", "behaviour"), x="behaviour", y=("customers",))
    assert [list(one["customdata"]) for one in bars] == [
        ["likes us~stays", "likes us~goes", "does not~goes"]
    ]
    cut = draw_rows(
        "bar",
        key=("attitude", "behaviour"),
        x="behaviour",
        y=("customers",),
        series="attitude",
    )
    assert [list(one["customdata"]) for one in cut] == [
        ["likes us~stays", "likes us~goes"],
        ["does not~goes"],
    ]


def test_cells_of_a_heat_map_know_theirs_and_a_cell_without_a_row_opens_nothing():
    (heat,) = draw_rows(
        "heatmap",
        key=("attitude", "behaviour"),
        x="behaviour",
        y=("attitude",),
        value="customers",
    )
    assert [list(line) for line in heat["z"]] == [[30, 4], [None, 7]]
    assert [list(line) for line in heat["customdata"]] == [
        ["likes us~stays", "likes us~goes"],
        ["", "does not~goes"],
    ]


def test_a_table_whose_rows_cannot_be_opened_gives_its_points_no_keys():
    for kind, asked in (
        ("bar", {"x": "behaviour", "y": ("customers",)}),
        ("heatmap", {"x": "behaviour", "y": ("attitude",), "value": "customers"}),
    ):
        assert all(one.get("customdata") is None for one in draw_rows(kind, key=(), **asked))


def test_a_row_left_out_of_the_picture_moves_no_key():
    (bars,) = draw_rows(
        "bar",
        key=("attitude", "behaviour"),
        x="behaviour",
        y=("customers",),
        without=("stays",),
    )
    assert list(bars["customdata"]) == ["likes us~goes", "does not~goes"]
    assert list(bars["y"]) == [4, 7]


def test_bars_with_long_names_lie_beside_them():
    table = ReportTable(
        name="channels",
        title="Channels",
        columns=(
            ReportColumn(name="channel", title="Channel", unit="text"),
            ReportColumn(name="share", title="Share", unit="share"),
            ReportColumn(name="low", title="Low", unit="share"),
            ReportColumn(name="high", title="High", unit="share"),
        ),
        rows=(
            ("A leaflet in the letter box of the whole neighbourhood and the next", 0.5, 0.4, 0.7),
            *((f"Channel {number}", 0.1, 0.0, 0.2) for number in range(5)),
        ),
    )
    picture = Picture(
        kind="bar", table="channels", title="", x="channel", y=("share",), low="low", high="high"
    )
    answer = ReportAnswer(sentence="", tables=(table,), pictures=(picture,))
    figure = draw(answer, picture, "EUR").figure
    (bars,) = figure["data"]
    assert (bars["orientation"], bars["y"][1], bars["x"][1]) == ("h", "Channel 0", 0.1)
    assert bars["error_x"]["array"][0] == 0.7 - 0.5
    first = figure["layout"]["yaxis"]["ticktext"][0]
    assert first.count("<br>") == 1
    assert first.endswith("…")
    assert figure["layout"]["hovermode"] == "y unified"
    assert figure["layout"]["xaxis"]["tickformat"] == ".0%"
    assert figure["layout"]["xaxis"]["title"]["text"] == "Share"
