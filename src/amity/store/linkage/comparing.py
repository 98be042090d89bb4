"""How far each pair agrees on each field: strings are compared once for each pair of values."""

from collections.abc import Sequence

import msgspec
import numpy as np

from amity.store.linkage.model import MISSING, Grades, Rows
from amity.store.linkage.table import Column, Table


class Patterns(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The combinations of agreement that occur: ``grades`` has a row for each field and a column
    for each pattern; ``of_pair`` says which one each pair has."""

    grades: Grades
    of_pair: Rows


def find_exchangeable(columns: Sequence[Column]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of columns whose values are sometimes filled in for each other."""
    waiting: dict[str, int] = {}
    found = []
    for place, column in enumerate(columns):
        word = column.matcher.swaps
        if not word:
            continue
        if word in waiting:
            found.append((waiting.pop(word), place))
        else:
            waiting[word] = place
    return tuple(found)


def count_levels(columns: Sequence[Column]) -> list[int]:
    """Return how many grades each field has; one more where it can be exchanged."""
    first = {one for one, _ in find_exchangeable(columns)}
    return [len(c.matcher.levels) + (place in first) for place, c in enumerate(columns)]


def grade_pairs(table: Table, left: Rows, right: Rows) -> Grades:
    """Return the grade of each pair on each field, a row a field; -1 where a value is missing."""
    grades = np.empty((len(table.columns), len(left)), np.int8)
    for place, column in enumerate(table.columns):
        grades[place] = _grade(column, column.codes[left], column.codes[right])
    for one, other in find_exchangeable(table.columns):
        exchanged = _exchanged(table.columns[one], table.columns[other], left, right)
        exchanged &= grades[one] < len(table.columns[one].matcher.levels) - 1
        grades[one, exchanged] = len(table.columns[one].matcher.levels)
        grades[other, exchanged] = MISSING
    return grades


def _grade(column: Column, left: Rows, right: Rows) -> Grades:
    top = len(column.matcher.levels) - 1
    result = np.full(len(left), top, np.int8)
    missing = (left == 0) | (right == 0)
    result[missing] = MISSING
    different = np.flatnonzero((left != right) & ~missing)
    if not len(different):
        return result
    if top == 1 and column.matcher.levels[0] == "differs" and _is_plain(column):
        result[different] = 0
        return result
    low = np.minimum(left[different], right[different])
    high = np.maximum(left[different], right[different])
    distinct, inverse = np.unique(low * len(column.values) + high, return_inverse=True)
    values = column.values
    ones = [values[place] for place in (distinct // len(values)).tolist()]
    others = [values[place] for place in (distinct % len(values)).tolist()]
    result[different] = column.matcher.compare(ones, others)[inverse]
    return result


def _is_plain(column: Column) -> bool:
    """Say whether a matcher knows only equal and not: then there is nothing to compare."""
    return column.matcher.levels == ("differs", "same")


def _exchanged(
    one: Column, other: Column, left: Rows, right: Rows
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Say of which pairs the one column holds what the other column of the partner holds."""
    places = {value: place for place, value in enumerate(one.values)}
    translated = np.asarray([places.get(value, -1) for value in other.values])
    translated[0] = -1
    crossed_left = translated[other.codes[left]] == one.codes[right]
    crossed_right = translated[other.codes[right]] == one.codes[left]
    return np.asarray(crossed_left & crossed_right)


def find_patterns(grades: Grades, levels: Sequence[int]) -> Patterns:
    """Return the distinct columns of the grades: a few thousand, however many pairs there are."""
    code = np.zeros(grades.shape[1], np.int64)
    for place, count in enumerate(levels):
        code *= count + 1
        code += grades[place] + 1
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return Patterns(grades=grades[:, first], of_pair=inverse)
