"""How pages of reports write what an answer says: numbers, days, what was before, where to go."""

import pytest

from amity.analysis.contracts_reports import ReportColumn, ReportFigure
from amity.web.templatetags.amity import tidy
from amity.web.templatetags.reports import cell, report_before, report_range


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("63% of all; 12.5% more", "63 % of all; 12.5 % more"),
        ("already 12 %", "already 12 %"),
        ("-37 (-56 to -18)", "−37 (−56 to −18)"),
        ("from 2026-03-01, e-mail, 80-20, p-7", "from 2026-03-01, e-mail, 80-20, p-7"),
    ],
)
def test_numbers_in_sentences_are_written_as_elsewhere(said, written):
    assert tidy(said) == written


def test_a_day_is_written_as_people_do_and_what_is_none_as_it_is():
    day = ReportColumn(name="from", title="From", unit="day")
    assert cell("2026-03-01", day, "EUR") == "1 Mar 2026"
    assert cell("all", day, "EUR") == "all"
    assert cell(None, day, "EUR") == "–"
    number = ReportColumn(name="score", title="Score", unit="number")
    assert cell(-3.5, number, "EUR") == "−3.50"
    text = ReportColumn(name="name", title="Name", unit="text")
    assert cell("-3% off", text, "EUR") == "-3% off", "what somebody named is nobody's to change"


def test_a_figure_says_what_it_was_before_where_that_is_known():
    figure = ReportFigure(
        name="won", title="Won", unit="money", value=-150, before=0, low=-200, high=-100,
        definition="",
    )  # fmt: skip
    assert report_before(figure, "EUR") == "0.00 EUR before"
    assert report_range(figure, "EUR") == "−2.00 EUR to −1.00 EUR"
    unknown = ReportFigure(name="won", title="Won", unit="money", value=None, definition="")
    assert report_before(unknown, "EUR") == ""
