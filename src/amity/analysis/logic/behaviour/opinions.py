"""What surveys say (pure): net promoter score, satisfaction and effort, each with an interval."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
import numpy as np

from amity.analysis.logic.overview_statistics import NOTHING, Measure, share, student

Kind = Literal["nps", "csat", "ces"]
Camp = Literal["well", "between", "badly"]
RANGES: Final[dict[Kind, tuple[int, int]]] = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
"""The least and the greatest answer."""
_WELL_FROM: Final[dict[Kind, int]] = {"nps": 9, "csat": 4, "ces": 5}
_BADLY_TO: Final[dict[Kind, int]] = {"nps": 6, "csat": 2, "ces": 3}
TITLES: Final[dict[Kind, str]] = {
    "nps": "Net promoter score",
    "csat": "Satisfied (CSAT)",
    "ces": "Ease (CES)",
}


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What some customers said: how many, the figure, and how they fall into three camps."""

    answers: int
    figure: Measure
    """NPS from -100 to 100, CSAT a share, CES the mean of 1 to 7."""
    camps: dict[Camp, int]


def camp_of(value: int, kind: Kind) -> Camp:
    """Return whether an answer thinks well, badly or neither: for NPS promoter and detractor."""
    if value >= _WELL_FROM[kind]:
        return "well"
    return "badly" if value <= _BADLY_TO[kind] else "between"


def camp_bounds(camp: Camp, kind: Kind) -> tuple[int, int]:
    """Return the least and the greatest answer of a camp."""
    low, high = RANGES[kind]
    return {
        "well": (_WELL_FROM[kind], high),
        "between": (_BADLY_TO[kind] + 1, _WELL_FROM[kind] - 1),
        "badly": (low, _BADLY_TO[kind]),
    }[camp]


def sum_up(rows: Iterable[Mapping[str, Any]], kind: Kind) -> Opinion:
    """Return what answers say that are counted as `customers` by `value`."""
    counts: dict[int, int] = {}
    for row in rows:
        counts[row["value"]] = counts.get(row["value"], 0) + row["customers"]
    camps: dict[Camp, int] = {"well": 0, "between": 0, "badly": 0}
    for value, customers in counts.items():
        camps[camp_of(value, kind)] += customers
    total = sum(counts.values())
    return Opinion(answers=total, figure=_measure(counts, camps, total, kind), camps=camps)


def _measure(
    counts: Mapping[int, int], camps: Mapping[Camp, int], total: int, kind: Kind
) -> Measure:
    if kind == "csat":
        return share(camps["well"], total)
    if not total:
        return NOTHING
    if kind == "nps":
        worth = {100.0: camps["well"], 0.0: camps["between"], -100.0: camps["badly"]}
        edges = (-100.0, 100.0)
    else:
        worth = {float(value): customers for value, customers in sorted(counts.items())}
        edges = (float(RANGES[kind][0]), float(RANGES[kind][1]))
    mean = sum(value * number for value, number in worth.items()) / total
    if total < 2:
        return Measure(value=mean)
    squares = sum(number * (value - mean) ** 2 for value, number in worth.items())
    variance = squares / (total - 1) / total
    half = student(total) * float(np.sqrt(variance))
    if not variance:
        # Everybody said the same: that says little about those who were not asked.
        return Measure(value=mean)
    return Measure(
        value=mean,
        low=max(mean - half, edges[0]),
        high=min(mean + half, edges[1]),
        variance=variance,
    )
