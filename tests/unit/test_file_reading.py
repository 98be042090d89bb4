"""Files as spreadsheets and databases write them are read as they are meant, or refused."""

import gzip

import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.file_estimate import Options, load_file_estimates
from amity.analysis.logic.files.cells import parse_moment
from amity.analysis.logic.files.doubting import describe_doubts
from amity.analysis.logic.files.purchases import as_purchases
from amity.analysis.logic.files.reading import Form, list_wanted, read_table
from amity.analysis.logic.files.running import choose
from amity.kernel.errors import Invalid
from amity.testing.file_estimates_kit import NOW

HEADS = "customer,date,amount\n"
OPTIONS = {"customer": "customer", "date": "date", "amount": "amount"}


@pytest.fixture
def read(tmp_path):
    """Return what reads a file as `amity estimate clv` does; the options chosen come too."""

    def run(text, written="utf-8", **more):
        path = tmp_path / "file.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(written))
        estimator = load_file_estimates()["clv"]()
        chosen: Options = choose(estimator, {**OPTIONS, **more})
        wanted = list_wanted(estimator.options, chosen)
        return read_table(path, wanted, form=Form.of(chosen)), chosen

    return run


@pytest.mark.parametrize(
    ("text", "encoding", "more"),
    [
        pytest.param(
            f"sep=;\n\n{HEADS}é,2024-01-02,12.5\n".replace(",", ";"),
            "utf-8",
            {},
            id="hint of the separator",
        ),
        pytest.param(
            "customer;date;amount\né;2024-01-02;12,50\n",
            "cp1252",
            {"encoding": "cp1252", "decimal_comma": True},
            id="spreadsheet",
        ),
        pytest.param(f'{HEADS}"é", "2024-01-02", 12.5\n', "utf-8", {}, id="blanks before quotes"),
        pytest.param(
            '"the\ncustomer",date,amount\né,2024-01-02,12.5\n',
            "utf-8",
            {"customer": "the\ncustomer"},
            id="line break in a head",
        ),
    ],
)
def test_what_spreadsheets_write_is_read_as_it_is_meant(read, text, encoding, more):
    table, _ = read(text, encoding, **more)
    assert table.rejected == []
    assert table.columns["customer"].names == ["é"]
    assert table.columns["amount"].real.tolist() == [12.5]


def test_a_comma_for_decimals_is_no_point_and_thousands_are_no_decimals(read):
    rows = "a;2024-01-02;1.234,50\na;2024-01-03;1.234\na;2024-01-04;12.50\n"
    table, _ = read(
        f"{HEADS}{rows}".replace("r,d", "r;d").replace("e,a", "e;a"), decimal_comma=True
    )
    assert table.columns["amount"].real.tolist() == [1234.5, 1234.0]
    assert "'12.50', not one like 1.234,50" in table.rejected[0].reason


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        (gzip.compress(b"customer", mtime=0), {}, "is compressed: unpack it"),
        (b"PK\x03\x04rest", {}, "save the sheet as CSV"),
        (HEADS, {"encoding": "base64"}, "there is no encoding 'base64'"),
        (HEADS, {"date": "customer"}, "column 'customer' is named by --customer and --date"),
    ],
)
def test_what_is_no_csv_or_named_twice_is_said(read, text, more, reason):
    with pytest.raises(Invalid, match=reason):
        read(text, **more)


def test_currencies_are_not_added_whether_or_not_the_column_is_named(read):
    text = "customer,date,amount,Currency\na,2024-01-02,1,EUR\na,2024-01-03,1,JPY\n"
    for more in ({}, {"currency": "Currency"}):
        table, chosen = read(text, **more)
        with pytest.raises(Refused, match=r"2 currencies \(EUR, JPY\).* without a rate"):
            as_purchases(table, chosen, now=NOW)
    alike, chosen = read(text.replace("JPY", "eur"))
    assert as_purchases(alike, chosen, now=NOW).counts["used"] == 2
    without, chosen = read(text, amount=None)
    assert as_purchases(without, chosen, now=NOW).counts["used"] == 2


def test_a_quote_that_is_not_closed_does_not_lose_rows_in_silence(read):
    rows = [f"c{place},2024-01-02,1" for place in range(200)]
    whole, _ = read(HEADS + "\n".join(rows))
    assert describe_doubts(whole, now=NOW) == []
    rows[100] = '"c100,2024-01-02,1'
    [doubt] = describe_doubts(read(HEADS + "\n".join(rows))[0], now=NOW)
    assert "row 101 goes on from line 102 to line 201" in doubt


@pytest.mark.parametrize("zone", [" UTC", "+00", "+0000", "Z", "", ".000+00:00"])
def test_moments_as_databases_write_them(zone):
    wanted = np.datetime64("2024-01-02T10:00:00", "us").astype(int)
    assert parse_moment(f"2024-01-02 10:00:00{zone}") == wanted
