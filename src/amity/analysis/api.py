"""The analysis engine's door: keyword-only functions, contracts in and out."""

from datetime import date as date_
from datetime import datetime
from pathlib import Path
from typing import Literal

from amity.analysis.contracts import ClvEstimate, Concentration, Figure, ModelRun, Score
from amity.analysis.logic import clv_file, scores
from amity.analysis.logic import overview as overview_
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


def refresh_scores(*, now: datetime) -> list[ModelRun]:
    """Fit RFM, BG/NBD and Gamma-Gamma to all orders up to ``now`` and replace every score.

    Scores: `rfm` (3 to 15, its label such as "5-4-3 Champion"), `p_alive`, `expected_purchases`
    (90 days) and `clv` (12 months, discounted, in the home currency). What the data cannot carry
    is left out; the report of its run says why under "refused". The run of `bgnbd` carries a
    check against held-out time under "calibration". Takes seconds at a hundred thousand customers.
    """
    return scores.refresh_scores(now=now)


def list_scores(*, profile_id: int) -> list[Score]:
    """Return the scores of a profile, by name; none when it has never ordered."""
    return scores.list_scores(profile_id=profile_id)


def get_latest_run(*, estimator: str) -> ModelRun:
    """Return the latest fitting of `rfm`, `bgnbd` or `gamma_gamma`.

    Raises NotFound when there is none yet.
    """
    return scores.get_latest_run(estimator=estimator)


def overview(*, now: datetime, days: int = 90) -> list[Figure]:
    """Return acquisition, expansion, retention, active customers and revenue, in this order.

    The window is the last ``days`` days (7 to 730, today included, UTC); see `Figure`. Shares are
    in 0..1 (unit "share"), counts have the unit "customers", money is in units of the home
    currency (the unit is its code). Trends are by week, each dated with its first day.
    """
    return overview_.overview(now=now, days=days)


def concentration() -> Concentration:
    """Return how far revenue hangs on few customers, with the whole curve to draw."""
    return overview_.concentration()
