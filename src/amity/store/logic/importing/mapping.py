"""Which column is which: guessed from the headings, checked before anything is imported."""

import difflib
import re
from collections.abc import Sequence
from typing import Final

from amity.store.connector import Connector, Field, Row
from amity.store.logic.importing.layout import RawRow

_WORDS: Final = re.compile(r"[^a-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SLUG_LENGTH: Final = 60


def guess_mapping(kind: type[Connector], columns: list[str]) -> dict[str, str]:
    """Say for each column which field its heading means; the rest are kept as extras.

    Each field is taken once: by the column whose heading is nearest the front of its names.
    """
    taken: dict[str, str] = {}
    for field in kind.fields:
        names = [slug_of(name) for name in (field.name, field.label, *field.aliases)]
        free = {slug_of(column): column for column in reversed(columns) if column not in taken}
        match = next((free[name] for name in names if name in free), None)
        if match is not None:
            taken[match] = field.name
    return {
        column: taken.get(column, f"{kind.extras}.{slug_of(column)}")
        for column in columns
        if column
    }


def slug_of(heading: str) -> str:
    """Return a heading as a name: `Loyalty Card No.` becomes `loyalty_card_no`."""
    return _WORDS.sub("_", _CAMEL.sub("_", heading).lower()).strip("_")[:_SLUG_LENGTH] or "column"


def check_mapping(kind: type[Connector], columns: list[str], mapping: dict[str, str]) -> list[str]:
    """Return what is wrong with a mapping, in words that name what is there; empty when nothing."""
    there = ", ".join(repr(column) for column in columns if column)
    problems = [
        f"There is no column {column!r}{_nearest(column, columns)}; the file has {there}."
        for column in mapping
        if column not in columns
    ]
    fields = {field.name: field for field in kind.fields}
    used = [field for column, field in mapping.items() if field and column in columns]
    problems += [
        f"{field!r} is nothing a column of {kind.name} can be; use "
        f"{', '.join(fields)} or {kind.extras}.NAME."
        for field in dict.fromkeys(used)
        if field not in fields and not _is_extra(kind, field)
    ]
    problems += [
        f"More than one column is mapped to {field!r}: "
        f"{', '.join(repr(column) for column, name in mapping.items() if name == field)}."
        for field in sorted({field for field in used if used.count(field) > 1})
    ]
    problems += [
        f"No column is mapped to {_call(field)}, which is needed; the file has {there}."
        for field in kind.fields
        if field.required and field.name not in used
    ]
    problems += [
        f"One of {', '.join(_call(fields[name]) for name in group)} is needed; "
        f"the file has {there}."
        for group in kind.one_of
        if not set(group) & set(used)
    ]
    return problems


def _is_extra(kind: type[Connector], field: str) -> bool:
    prefix, dot, name = field.partition(".")
    return prefix == kind.extras and bool(dot) and bool(name.strip())


def _call(field: Field) -> str:
    return f"{field.label} ({field.name!r})"


def _nearest(column: str, columns: list[str]) -> str:
    near = difflib.get_close_matches(column, columns, n=1)
    return f" (is it {near[0]!r}?)" if near else ""


def make_row(columns: Sequence[str], mapping: dict[str, str], row: RawRow) -> Row:
    """Name the filled cells of a row by the field each column was mapped to."""
    cells = {
        mapping[column]: cell
        for column, cell in zip(columns, row.cells, strict=True)
        if cell and mapping.get(column)
    }
    return Row(row.number, cells)
