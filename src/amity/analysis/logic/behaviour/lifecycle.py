"""The four stages (pure): what entered each, what went on, how long it took, and what leaks."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.logic.overview_statistics import NOTHING, Measure, share

QUANTILES: Final = (0.25, 0.5, 0.75, 0.9)


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage. ``leaked`` and ``leaking`` are None and nothing where nobody tells of the next."""

    entered: int
    moved: int
    waiting: int
    leaked: int | None
    leaking: Measure
    """Of the cases that are decided (went on, or waited too long), those that waited too long."""
    hours: tuple[float | None, ...]
    """A quarter, half, three quarters and nine tenths of those that went on took no longer."""


def summarise_stage(rows: Iterable[Mapping[str, Any]], *, is_told: bool) -> Stage:
    """Return a stage from its counts.

    ``rows`` count `cases` by `outcome` (moved, waiting, leaked) and, of those that moved, `hours`.
    ``is_told`` says whether the company tells at all of what comes next: when it does not, what has
    not moved is not known to have leaked.
    """
    counts = {"moved": 0, "waiting": 0, "leaked": 0}
    took: dict[int, int] = {}
    for row in rows:
        counts[row["outcome"]] += row["cases"]
        if row["outcome"] == "moved":
            took[row["hours"]] = took.get(row["hours"], 0) + row["cases"]
    decided = counts["moved"] + counts["leaked"]
    return Stage(
        entered=sum(counts.values()),
        moved=counts["moved"],
        waiting=counts["waiting"],
        leaked=counts["leaked"] if is_told else None,
        leaking=share(counts["leaked"], decided) if is_told else NOTHING,
        hours=tuple(find_quantile(took, one) for one in QUANTILES),
    )


def find_quantile(counts: Mapping[int, int], quantile: float) -> float | None:
    """Return the least value that at least a share of the counted do not exceed."""
    if not counts:
        return None
    values = np.array(sorted(counts), np.int64)
    below = np.cumsum([counts[int(value)] for value in values])
    place = int(np.searchsorted(below, quantile * below[-1] - 1e-9))
    return float(values[place])
