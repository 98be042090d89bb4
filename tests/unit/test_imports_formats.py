"""Workbooks, Parquet, JSON lines and archives, and those of them that are made to do harm."""

import io
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from amity.kernel.errors import Invalid
from amity.store.logic.importing.cells import cell_text
from amity.store.logic.importing.files import count_rows, iter_rows, read_layout


def read(path):
    layout = read_layout(path)
    return layout, list(iter_rows(path, layout))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.csv"  # whatever it is called, its first bytes tell


def save(path, rows, *, sheets=()):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name in sheets:
        book.create_sheet(name)
    book.save(path)


def test_a_workbook_is_read_as_texts(path):
    save(
        path,
        [
            ["Id", "Born", "Since", "Paid", "Card", "Yes"],
            [1, date(1990, 2, 3), datetime(2024, 1, 2, 3, 4, 5), 12.5, 44791112345600, True],
            [None, None, None, None, None, None],
            ["x", None, None, "#N/A", 3.0, False],
        ],
        sheets=("Notes",),
    )
    layout, rows = read(path)
    assert (layout.format, layout.rows) == ("excel", None)
    assert layout.notes == ["Read from the sheet 'Sheet'; not read: Notes."]
    assert [row.cells for row in rows] == [
        ["1", "1990-02-03", "2024-01-02T03:04:05", "12.5", "44791112345600", "true"],
        ["x", "", "", "", "3", "false"],
    ]


def test_a_formula_is_the_value_it_had_and_nothing_is_computed(path):
    save(path, [["Id", "Sum"], ["a", "=1+1"]])
    members = {}
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    assert b"<f>1+1</f>" in sheet
    _, rows = read(path)
    assert rows[0].cells == ["a", ""], "it was never computed"
    members["xl/worksheets/sheet1.xml"] = sheet.replace(
        b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>"
    ).replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
    with zipfile.ZipFile(path, "w") as book:
        for name, content in members.items():
            book.writestr(name, content)
    assert read(path)[1][0].cells == ["a", "2"]


def replace_member(path, name, content):
    with zipfile.ZipFile(path) as book:
        members = {each: book.read(each) for each in book.namelist()}
    members[name] = content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for each, held in members.items():
            book.writestr(each, held)


def test_a_workbook_that_would_burst_is_refused_before_it_is_unpacked(path):
    save(path, [["Id"], ["a"]])
    replace_member(path, "xl/worksheets/sheet1.xml", b"<worksheet>" + b" " * (64 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(Invalid, match="unpacks to far more"):
        read(path)


def test_entities_that_grow_are_refused(path):
    save(path, [["Id"], ["a"]])
    lol = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY a%d "%s">' % (n, b"&a%s;" % (str(n - 1).encode() if n else b"") * 10)
        for n in range(9)
    )
    sheet = lol + b']><worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>&a8;</t></is></c>'
    replace_member(path, "xl/worksheets/sheet1.xml", sheet + b"</row></sheetData></worksheet>")
    with pytest.raises(Invalid, match="cannot be read"):
        read(path)


def test_a_row_number_beyond_the_last_ends_the_sheet(path):
    save(path, [["Id"], ["a"]])
    with zipfile.ZipFile(path) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    far = sheet.replace(b'r="2"', b'r="99999999999"')
    replace_member(path, "xl/worksheets/sheet1.xml", far)
    assert len(read(path)[1]) <= 1


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04rubbish", b"PAR1rubbish", b"PAR1" + b"\0" * 60 + b"PAR1"]
)
def test_broken_files_are_refused_with_words(path, content):
    path.write_bytes(content)
    with pytest.raises(Invalid, match="cannot be read"):
        read(path)


def test_parquet_is_read_by_batches_with_structs_as_columns(path):
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array(range(5_000), pa.int64()),
            "paid": pa.array([Decimal("12.50")] * 5_000, pa.decimal128(9, 2)),
            "at": pa.array([at] * 5_000, pa.timestamp("us", tz="UTC")),
            "place": [{"city": "Ghent", "geo": {"lat": 51.05}}] * 5_000,
            "tags": [["a", "b"], None] * 2_500,
        }
    )
    pq.write_table(table, path, row_group_size=1_700)
    layout, rows = read(path)
    assert layout.columns == ["id", "paid", "at", "place.city", "place.geo.lat", "tags"]
    assert layout.rows == len(rows) == 5_000
    moment = "2026-01-02T03:04:05+00:00"
    assert rows[4_999].cells == ["4999", "12.50", moment, "Ghent", "51.05", ""]
    assert rows[0].cells[5] == '["a","b"]'


def test_json_lines_are_flattened_and_bad_lines_named(path):
    lines = [
        json.dumps({"id": 1, "who": {"name": "Ada", "at": {"city": "Ghent"}}, "tags": [1]}),
        "",
        "[1]",
        '{"id": 2, "paid": 12.50, "gone": null, "more": {}}',
        '{"id": "' + "x" * 1_100_000 + '"}',
        '{"id": 3}',
    ]
    path.write_text("\ufeff" + "\n".join(lines))
    layout, rows = read(path)
    assert layout.columns == ["id", "who.name", "who.at.city", "tags", "paid", "gone", "more"]
    assert rows[0].cells == ["1", "Ada", "Ghent", "[1]", "", "", ""]
    assert "not a JSON object" in rows[1].problem
    assert rows[2].cells == ["2", "", "", "", "12.50", "", "{}"]
    assert "longer than" in rows[3].problem
    assert rows[4].cells[0] == "3"
    assert layout.rows == 5


def test_an_archive_of_csv_files_is_one_table(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("export/b.csv", "Email,Left\nb@example.com,yes\n")
        archive.writestr("export/a.csv", "Name;Email\nAda;a@example.com\nshort\n")
        archive.writestr("__MACOSX/._a.csv", "rubbish")
        archive.writestr("readme.md", "rubbish")
    layout, rows = read(path)
    assert layout.columns == ["File", "Name", "Email", "Left"]
    assert count_rows(path, layout) is None
    assert [row.cells for row in rows] == [
        ["a.csv", "Ada", "a@example.com", ""],
        [],
        ["b.csv", "", "b@example.com", "yes"],
    ]
    assert rows[1].problem.startswith("in a.csv, row 2:")
    assert list(path.parent.glob(".member-*")) == []


def test_archives_that_burst_or_are_locked_or_empty_are_refused(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"a" * (32 << 20))
    with pytest.raises(Invalid, match="unpacks to far more"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(2_001):
            archive.writestr(f"{n}.csv", "")
    with pytest.raises(Invalid, match="2,001 members"):
        read(path)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("readme.md", "x")
    path.write_bytes(inner.getvalue())
    with pytest.raises(Invalid, match="no CSV file"):
        read(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), ""),
        (1e300, "1e+300"),
        (1e-7, "0.0000001"),
        (5.0, "5"),
        (Decimal("1.10"), "1.10"),
        (b"\xff\xfe", "//4="),
        (b"tea", "tea"),
        ({"b": Decimal("1.5"), "a": None}, '{"a":null,"b":"1.5"}'),
        (" x ", "x"),
    ],
)
def test_values_become_texts(value, text):
    assert cell_text(value) == text
