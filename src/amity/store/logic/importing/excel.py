"""Reading Excel workbooks (.xlsx): the first sheet that holds something, row by row.

Formulas are read as the values they had when the workbook was saved; nothing is computed.
"""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from amity.kernel.cells import unguard_cell
from amity.kernel.errors import Invalid
from amity.store.logic.importing.archive import open_archive
from amity.store.logic.importing.cells import cell_text
from amity.store.logic.importing.layout import Layout, RawRow, check_headings, fit_row

_WORKBOOK: Final = "xl/workbook.xml"
_SHEETS: Final = "xl/worksheets/"
_STRINGS: Final = "xl/sharedStrings.xml"
# The texts of a workbook are held in memory as a whole, and so is what describes it; not its rows.
_STRINGS_BYTES: Final = 256 << 20
_PART_BYTES: Final = 32 << 20
_LAST_ROW: Final = 1_048_576
_HEADING_ROWS: Final = 50
_ERRORS: Final = frozenset(
    ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!")
)


def is_mine(path: Path) -> bool:
    """Say whether an archive is a workbook."""
    with open_archive(path) as archive:
        return _WORKBOOK in archive.namelist()


def read_layout(path: Path) -> Layout:
    """Read the headings: the first row that is not blank; raise Invalid when there is none."""
    with _open(path) as book:
        title, cells = _find_sheet(book)
        others = [name for name in book.sheetnames if name != title]
    while cells and not cells[-1]:
        cells.pop()
    columns = [unguard_cell(cell) for cell in cells]
    check_headings(columns)
    notes = [f"Read from the sheet {title!r}; not read: {', '.join(others)}."] if others else []
    return Layout(columns=columns, format="excel", notes=notes, is_counted=False)


def iter_rows(path: Path, layout: Layout) -> Iterator[RawRow]:
    """Read the rows below the headings; blank ones are none, and an error value is nothing."""
    width, number, is_heading = len(layout.columns), 0, True
    with _open(path) as book:
        title, _ = _find_sheet(book)
        for cells in _iter_sheet(book[title]):
            if not any(cells):
                continue
            if is_heading:
                is_heading = False
                continue
            number += 1
            padded = cells + [""] * (width - len(cells))
            yield fit_row(number, [unguard_cell(cell) for cell in padded], width)


def _find_sheet(book: Any) -> tuple[str, list[str]]:
    """Return the first sheet that is not empty, and its first row that is not."""
    for sheet in book.worksheets:
        for at, cells in enumerate(_iter_sheet(sheet)):
            if any(cells):
                return sheet.title, cells
            if at >= _HEADING_ROWS:
                break
    raise Invalid("every sheet of the workbook is empty", code="empty_file")


def _iter_sheet(sheet: Any) -> Iterator[list[str]]:
    # What a sheet says of its own size may be wrong, and made so on purpose.
    sheet.reset_dimensions()
    # No last column is asked for: rows are as wide as what they hold, and those of a gap are empty.
    for row in sheet.iter_rows(max_row=_LAST_ROW, values_only=True):
        yield ["" if value in _ERRORS else cell_text(value) for value in row]


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    import openpyxl  # noqa: PLC0415  # takes long to load, and few processes read workbooks

    with open_archive(path) as archive:
        _refuse_giant(archive)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what it does not keep: pictures, validations
            with path.open("rb") as file:
                yield openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (ParseError, zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError) as error:
        raise Invalid(f"the workbook cannot be read ({error})"[:300], code="bad_file") from error


def _refuse_giant(archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        if info.filename.startswith(_SHEETS):
            continue
        most = _STRINGS_BYTES if info.filename == _STRINGS else _PART_BYTES
        if info.filename.endswith((".xml", ".rels")) and info.file_size > most:
            raise Invalid(f"{info.filename!r} of the workbook is larger than {most >> 20} MiB")
