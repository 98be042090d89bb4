"""Tables of reports: an interval is three columns to count with and one to read."""

from amity.analysis.contracts_reports import ReportFigure, ReportTable, say_ends
from amity.analysis.logic.overview_statistics import NOTHING, Measure
from amity.analysis.logic.reporting.tables import cells, columns

MEASURE = Measure(value=0.123, low=0.101, high=0.148)


def test_an_interval_is_three_columns_of_which_one_is_shown():
    told = columns(("what", "What", "text"), ("share", "Share", "share", "share_low", "share_high"))
    table = ReportTable(name="t", title="T", columns=told, rows=(("a", *cells(MEASURE)),))
    assert [one.name for one in table.columns] == ["what", "share", "share_low", "share_high"]
    assert [one.name for one in table.shown] == ["what", "share"]
    row = table.row(0)
    share = table.shown[1]
    assert say_ends(row[share.low], row[share.high], "share", "EUR") == "10.1 to 14.8"


def test_ends_are_written_without_the_unit_of_the_value_before_them():
    assert say_ends(100_000, 120_450, "money", "EUR") == "1,000.00 to 1,204.50"
    assert say_ends(100, 250, "money", "JPY") == "100 to 250"
    assert say_ends(3.4, 5.6, "days", "EUR") == "3 to 6"
    assert say_ends(None, 5, "number", "EUR") == ""


def test_a_figure_of_an_estimate_has_its_ends_and_one_of_nothing_is_not_known():
    figure = ReportFigure(name="f", title="F", unit="share", definition="Of all.")
    assert cells(figure.of(MEASURE)) == cells(MEASURE)
    assert cells(figure.of(NOTHING)) == cells(None)
