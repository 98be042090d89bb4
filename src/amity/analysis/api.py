"""The analysis engine's door: keyword-only functions, contracts in and out."""

from datetime import date as date_
from datetime import datetime
from pathlib import Path
from typing import Literal

from amity.analysis.contracts import ClvEstimate
from amity.analysis.logic import clv_file
from amity.analysis.logic.clv_file_reading import Columns

# Estimators and reports


def estimate_clv_file(  # noqa: PLR0913  # one argument an option of the command
    *,
    path: Path,
    customer: str,
    date: str,
    amount: str | None = None,
    unit: Literal["day", "week"] = "day",
    until: date_ | None = None,
    horizon: float | None = None,
    out: Path | None = None,
    now: datetime,
) -> ClvEstimate:
    """Estimate customer lifetime value from a CSV file, touching no database.

    ``customer``, ``date`` and ``amount`` name columns; ``until`` is the last day looked at, by
    default the last in the file; ``horizon`` is in units, by default 90 days or 13 weeks. ``out``
    is written with a row a customer. Raises Invalid for a wrong column or option, Refused when
    the purchases cannot carry the estimate, OSError when a file cannot be read or written.
    """
    return clv_file.estimate_clv_file(
        clv_file.ClvRequest(
            path=path,
            columns=Columns(customer=customer, date=date, amount=amount),
            unit=unit,
            until=until,
            horizon=horizon,
            out=out,
        ),
        now=now,
    )
