"""What a report shows is what its files hold: the same rows, values, types and gaps."""

import csv
import io
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from amity.analysis.contracts_reports import ReportAnswer, ReportColumn, ReportRun, ReportTable
from amity.analysis.logic.reporting.exporting import write_table
from amity.analysis.report import load_reports
from amity.kernel.cells import unguard_cell, write_cell
from amity.kernel.money import exponent_of, format_minor
from amity.testing import reports_oracle as oracle
from amity.testing.reports_kit import NOW, find

NASTY = (
    '=HYPERLINK("http://x";"y")',
    "+49 30 1",
    "-5",
    "@cmd",
    "\ttab",
    "two\nlines",
    'say "no", please',
    "Käse 🧀 日本",
    "",
    None,
    "'quoted",
    " =1+1",
)
MONEY = (0, -5, 1, 12_345, -1_234_567, 2**53 + 1, 0.5, 13.5, -0.4, None, 99.5, -250)
UNITS = ("text", "money", "customers", "share", "number", "text")


def run_of(answer, currency="EUR"):
    return ReportRun(
        report="tried",
        parameters={},
        currency=currency,
        as_of=NOW,
        took_seconds=0.1,
        answer=answer,
    )


def nasty(currency="EUR"):
    names = ("words", "amount", "people", "part", "many", "is_so")
    shown = zip(names, UNITS, strict=True)
    shares = (None, 0.1, 1e-7, 1.0, 0.0, -0.25, *([0.3] * 6))
    rows = tuple(
        (word, MONEY[place], None if place == 3 else place, shares[place], place / 2, place == 99)
        for place, word in enumerate(NASTY)
    )
    told = tuple(ReportColumn(name=name, title=name, unit=unit) for name, unit in shown)
    table = ReportTable(name="rows", title="Rows", columns=told, rows=rows)
    return run_of(ReportAnswer(sentence="One.", tables=(table,)), currency)


def read_csv(run, name):
    return list(csv.reader(io.StringIO(write_table(run, name, "csv").decode(), newline="")))


def read_parquet(run, name):
    return pq.read_table(pa.BufferReader(write_table(run, name, "parquet")))


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_csv_has_every_value_as_the_page_says_it_and_no_formula(currency):
    run = nasty(currency)
    head, *rows = read_csv(run, "rows")
    assert head == ["words", f"amount_{currency}", "people", "part", "many", "is_so"]
    assert len(rows) == len(NASTY)
    for row, told in zip(rows, run.answer.tables[0].rows, strict=True):
        assert unguard_cell(row[0]) == (told[0] or "")
        assert row[0].lstrip(" ")[:1] not in {"=", "+", "-", "@", "\t"}
        if told[1] is None:
            assert row[1] == ""
        else:
            said = format_minor(round(told[1]), currency).removesuffix(f" {currency}")
            assert row[1] == said.replace(",", "")
            assert Decimal(row[1]).as_tuple().exponent == -exponent_of(currency)
        assert row[2] == ("" if told[2] is None else str(told[2]))
        assert row[3] == ("" if told[3] is None else repr(told[3]))
        assert row[5] == "false"


def test_parquet_has_types_that_do_not_hang_on_the_rows_and_null_for_what_is_not_known():
    run = nasty()
    table = read_parquet(run, "rows")
    kinds = [pa.string(), pa.float64(), pa.int64(), pa.float64(), pa.float64(), pa.bool_()]
    assert table.schema.types == kinds
    assert table.column_names == ["words", "amount_minor", "people", "part", "many", "is_so"]
    told = run.answer.tables[0].rows
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (row[0], None if row[1] is None else float(row[1]), *row[2:]) for row in told
    ]
    assert table.schema.metadata[b"currency"] == b"EUR"
    assert table.schema.metadata[b"as_of"] == NOW.isoformat().encode()


@pytest.mark.parametrize("name", ["dimensions", "penetration", "pareto", "paths", "rfm_grid"])
def test_files_of_a_report_hold_what_its_tables_hold(name):
    answer = find(load_reports()[name], oracle.crowd(3))
    run = run_of(answer)
    assert answer.tables
    for table in answer.tables:
        stored = read_parquet(run, table.name)
        assert stored.num_rows == len(table.rows)
        assert [tuple(row.values()) for row in stored.to_pylist()] == list(table.rows)
        head, *lines = read_csv(run, table.name)
        assert len(head) == len(set(head)) == len(table.columns)
        for line, row in zip(lines, table.rows, strict=True):
            for text, value, column in zip(line, row, table.columns, strict=True):
                if column.unit == "money" and value is not None:
                    assert Decimal(text) == Decimal(round(value)).scaleb(-2)
                else:
                    assert unguard_cell(text) == ("" if value is None else str(value))


def test_figures_of_pages_are_numbers_in_their_files_whatever_their_sign():
    told = [write_cell(value) for value in (-3, -0.25, 7, None, "-3", "=1", "ü", date(2026, 2, 28))]
    assert told == ["-3", "-0.25", "7", "", "'-3", "'=1", "ü", "2026-02-28"]
