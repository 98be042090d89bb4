"""Cohorts (pure): the triangle of who is still there, with what is not known yet left out."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from amity.analysis.logic.overview_statistics import Measure, share
from amity.analysis.report import Granularity


class CohortCell(msgspec.Struct, frozen=True, kw_only=True):
    """Of a cohort of ``size``, how many were there ``offset`` periods after the first."""

    cohort: date
    offset: int
    size: int
    customers: int
    share: Measure


def count_cohorts(
    rows: Iterable[Mapping[str, Any]], *, granularity: Granularity, periods: int, today: date
) -> list[CohortCell]:
    """Return the cells that are known, by cohort and offset.

    ``rows`` count customers by `cohort` and `period`, both the first day of a period. A cell is
    known when its period is over: today is after its last day. Nobody there is 0, and known.
    """
    counts: dict[date, dict[date, int]] = {}
    for row in rows:
        counts.setdefault(row["cohort"], {})[row["period"]] = row["customers"]
    cells = []
    for cohort, there in sorted(counts.items()):
        size = there[cohort]
        for offset in range(periods + 1):
            period = add_periods(cohort, offset, granularity)
            if offset and add_periods(period, 1, granularity) > today:
                break
            customers = there.get(period, 0)
            cells.append(
                CohortCell(
                    cohort=cohort,
                    offset=offset,
                    size=size,
                    customers=customers,
                    share=_share(offset, customers, size),
                )
            )
    return cells


def pool(cells: Iterable[CohortCell]) -> list[CohortCell]:
    """Return for each offset all cohorts together of which it is known, the first cohort's name."""
    together: dict[int, list[CohortCell]] = {}
    for cell in cells:
        together.setdefault(cell.offset, []).append(cell)
    pooled = []
    for offset, some in sorted(together.items()):
        size, customers = sum(c.size for c in some), sum(c.customers for c in some)
        pooled.append(
            CohortCell(
                cohort=some[0].cohort,
                offset=offset,
                size=size,
                customers=customers,
                share=_share(offset, customers, size),
            )
        )
    return pooled


def _share(offset: int, customers: int, size: int) -> Measure:
    """Measure a cell; that all are there at first is so by definition, and no estimate."""
    return share(customers, size) if offset else Measure(value=1.0)


def add_periods(first: date, number: int, granularity: Granularity) -> date:
    """Return the first day of the period so many after the one that begins on ``first``."""
    if granularity == "month":
        months = first.year * 12 + first.month - 1 + number
        return date(months // 12, months % 12 + 1, 1)
    return first + timedelta(days=number * (7 if granularity == "week" else 1))
