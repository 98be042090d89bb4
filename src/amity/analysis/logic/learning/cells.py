"""What the texts of a column turn into: yes and no, or numbers.

A column is read as text first, so that one that is sometimes text and sometimes a number can be
told from one that is only numbers. Each text is looked at once.
"""

import math
import re
from collections import Counter
from typing import Final

import numpy as np

from amity.analysis.estimator import FloatArray
from amity.analysis.file_estimate import Cells
from amity.kernel.errors import Invalid

_MISSING: Final = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
_YES: Final = frozenset({"1", "1.0", "yes", "y", "true", "t"})
_NO: Final = frozenset({"0", "0.0", "no", "n", "false", "f"})
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)


def is_missing(cell: str) -> bool:
    """Say whether a cell stands for no value: empty, NA, null and the like."""
    return cell.lower() in _MISSING


def as_number(cell: str) -> float | None:
    """Return a cell as a number, NaN for a missing one, None when it is text."""
    if is_missing(cell):
        return math.nan
    return float(cell) if _NUMBER.fullmatch(cell) else None


def as_numbers(cells: Cells) -> FloatArray:
    """Return a column as numbers, NaN where missing; raise Invalid for one with text in it."""
    values = [as_number(text) for text in cells.names]
    for text, value in zip(cells.names, values, strict=True):
        if value is None:
            raise Invalid(f"column {cells.head!r} says {text[:40]!r}, which is not a number")
    return np.array(values, np.float64)[cells.whole]


def as_binary(cells: Cells, positive: str | None = None) -> FloatArray:
    """Return a column as 0 and 1, NaN where missing.

    Without ``positive`` it understands 0/1, yes/no and true/false. Raises Invalid for other
    values, with those there are.
    """
    if positive is None:
        found = find_binary(cells)
        if found is None:
            raise Invalid(
                f"column {cells.head!r} is not yes or no (it says {_common(cells)}): say with "
                "--positive which value counts as yes"
            )
        return found
    if positive not in cells.names:
        raise Invalid(f"column {cells.head!r} never says {positive!r}; it says {_common(cells)}")
    values = [math.nan if is_missing(text) else float(text == positive) for text in cells.names]
    return np.array(values)[cells.whole]


def find_binary(cells: Cells) -> FloatArray | None:
    """Return a column of 0/1, yes/no or true/false as numbers; None when it is not one."""
    words = [_binary_word(text.lower()) for text in cells.names]
    if None in words:
        return None
    return np.array(words, np.float64)[cells.whole]


def _binary_word(word: str) -> float | None:
    if word in _YES:
        return 1.0
    if word in _NO:
        return 0.0
    return math.nan if word in _MISSING else None


def _common(cells: Cells) -> str:
    counts = Counter(dict(enumerate(np.bincount(cells.whole, minlength=len(cells.names)).tolist())))
    shown = [repr(cells.names[place][:40]) for place, _ in counts.most_common(5)]
    return ", ".join(shown) + (", …" if len(cells.names) > 5 else "")
