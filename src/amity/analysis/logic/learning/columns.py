"""What a model learns from: columns of numbers and of kinds, told apart by what they hold.

A column in which every value is a number is one; one of dates becomes days before the row's own
time (or since 1970); everything else is a kind. When at least nine of ten values are numbers the
others count as missing, and a warning says so.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.learning.cells import as_number, is_missing
from amity.kernel.clock import parse_instant

MOSTLY: Final = 0.9
_FEW: Final = 20
_ID_HEAD: Final = re.compile(r"(^|[_ .-])(id|uuid|guid|key)$", re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?", re.ASCII)
_DAY_SECONDS: Final = 86_400.0


class Column(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One thing known of every row.

    ``values`` are numbers with NaN where missing, or places in ``levels``, which holds every text
    once; a missing kind is the level "".
    """

    name: str
    kind: Literal["number", "level"]
    values: FloatArray
    levels: list[str] = []

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: IntArray) -> "Column":
        """Return the rows at some places."""
        return msgspec.structs.replace(self, values=self.values[places])

    def show(self, row: int) -> str:
        """Return the value of one row, for people."""
        value = float(self.values[row])
        if self.kind == "level":
            return self.levels[int(value)] or "not known"
        return "not known" if math.isnan(value) else f"{value:.4g}"


class Typed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The columns there is something to learn from, and what was left out and why."""

    columns: list[Column]
    left_out: dict[str, str]
    warnings: list[str]


def type_columns(texts: Mapping[str, Sequence[str]], seconds: FloatArray | None) -> Typed:
    """Tell numbers, dates and kinds apart; leave out what is constant or looks like an id.

    ``seconds`` is the time of each row, since 1970 (UTC), when it is known.
    """
    columns: list[Column] = []
    left_out: dict[str, str] = {}
    warnings: list[str] = []
    for name, cells in texts.items():
        unique, codes = _factorise(cells)
        column = _type_one(name, unique, codes, seconds, warnings)
        reason = why_useless(column) or _why_an_id(column, unique, codes)
        if reason:
            left_out[name] = reason
        else:
            columns.append(column)
    warnings += [f"column {name!r} is left out: {reason}" for name, reason in left_out.items()]
    return Typed(columns=columns, left_out=left_out, warnings=warnings)


def why_useless(column: Column) -> str:
    """Say why nothing can be learnt from a column, or return nothing."""
    if column.kind == "level":
        return "it always says the same" if len(np.unique(column.values)) < 2 else ""
    known = column.values[~np.isnan(column.values)]
    if not len(known):
        return "it says nothing"
    if np.ptp(known) == 0 and len(known) == len(column):
        return "it always says the same"
    return ""


def _factorise(cells: Sequence[str]) -> tuple[list[str], IntArray]:
    places: dict[str, int] = {}
    codes = np.array(
        [places.setdefault("" if is_missing(cell) else cell, len(places)) for cell in cells],
        np.int64,
    )
    return list(places), codes


def _type_one(
    name: str,
    unique: list[str],
    codes: IntArray,
    seconds: FloatArray | None,
    warnings: list[str],
) -> Column:
    numbers = [as_number(text) for text in unique]
    is_known = np.array([bool(text) for text in unique])[codes]
    is_number = np.array([number is not None for number in numbers])[codes] & is_known
    share = is_number.sum() / max(1, is_known.sum())
    if share >= MOSTLY:
        values = np.array([math.nan if number is None else number for number in numbers])[codes]
        if share < 1:
            warnings.append(
                f"column {name!r} is text in {int((is_known & ~is_number).sum()):,} rows, which "
                "count as not known"
            )
        return Column(name=name, kind="number", values=values)
    moments = _as_moments(unique)
    if moments is not None:
        return _as_age(name, moments[codes], seconds, warnings)
    return Column(name=name, kind="level", values=codes.astype(np.float64), levels=unique)


def _as_moments(unique: list[str]) -> FloatArray | None:
    """Return seconds since 1970 when every text that says something is a date."""
    found: list[float] = []
    for text in unique:
        moment = parse_instant(text) if _DATE.fullmatch(text) else None
        if moment is None and text:
            return None
        found.append(math.nan if moment is None else moment.astimezone(UTC).timestamp())
    return np.array(found)


def _as_age(
    name: str, moments: FloatArray, seconds: FloatArray | None, warnings: list[str]
) -> Column:
    if seconds is None:
        return Column(name=name, kind="number", values=moments / _DAY_SECONDS)
    days = (seconds - moments) / _DAY_SECONDS
    later = float(np.mean(days[~np.isnan(days)] < -1)) if not np.isnan(days).all() else 0.0
    if later:
        warnings.append(
            f"leakage suspected: in {later:.0%} of the rows the date {name!r} lies after the time "
            "of the row itself, so it was not known then; leave it out with --ignore"
        )
    return Column(name=name, kind="number", values=days)


def _why_an_id(column: Column, unique: list[str], codes: IntArray) -> str:
    """Say when nearly every row has a value of its own, as ids, names and e-mails have."""
    known = np.count_nonzero(np.array([bool(text) for text in unique])[codes])
    distinct = len(unique) - ("" in unique)
    if distinct <= _FEW or distinct < MOSTLY * known:
        return ""
    if column.kind == "level":
        return "nearly every row has a value of its own, as an id has"
    if distinct == known and _ID_HEAD.search(column.name):
        return "it is called an id, and every row has its own"
    if distinct == known == len(column) and np.ptp(column.values) == len(column) - 1:
        return "it only numbers the rows"
    return ""
