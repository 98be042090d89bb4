"""Cohorts: of those who began together, how many are still there later."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportFigure,
    ReportTable,
    RowRule,
)
from amity.analysis.logic.behaviour.cohorts import (
    CohortCell,
    add_periods,
    count_cohorts,
    pool,
)
from amity.analysis.logic.behaviour.local_time import find_zone, local_day, period_of
from amity.analysis.logic.behaviour.survival import Curve, estimate_curve
from amity.analysis.logic.behaviour.visits import done_by_customers
from amity.analysis.logic.overview_statistics import NOTHING, Measure
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import cells, columns
from amity.analysis.report import REPORTS, Asked, Report, Rows
from amity.rules.period import midnight

if TYPE_CHECKING:
    import ibis

_MARKS: Final = (7, 14, 30, 60, 90, 180, 365)
_NOUNS: Final = {"day": "day", "week": "week", "month": "month"}


@REPORTS.register("cohorts")
class Cohorts(Report):
    """Counts who came back in each period after the first; see docs/algorithms/cohorts.md."""

    name = "cohorts"
    title = "Cohorts and retention"
    question = "Of the customers who began together, how many are still there later?"
    group = "retention"
    uses = frozenset(("window", "comparison", "segment", "granularity"))
    days = 180
    definition = (
        "A cohort is everyone whose first order ever (or first event) was in the same day, week "
        "(from Monday) or month, of those that began in the window. Retained in period k: ordered "
        "(or was seen) in the k-th period after it. A period that is not over yet is left empty. "
        "Days are those of the time zone said. Orders of every currency count, cancelled ones do "
        "not. Intervals (95 %): Wilson's for shares, for the curve Kaplan and Meier's estimate "
        "with Greenwood's variance."
    )
    parameters = (
        Parameter(
            name="of",
            title="Who began, and who is still there",
            kind="choice",
            default="orders",
            choices=(
                ("orders", "first order, ordered again"),
                ("events", "first seen, seen again"),
                ("orders_seen", "first order, seen again"),
            ),
        ),
        Parameter(
            name="periods",
            title="Periods after the first",
            kind="whole",
            default=12,
            least=1,
            most=60,
        ),
        Parameter(
            name="zone",
            title="Time zone of the calendar",
            kind="text",
            default="UTC",
            help="Such as “Europe/Berlin”.",
        ),
    )

    def check(self, asked: Asked) -> None:
        find_zone(str(asked.choices["zone"]))

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        days = {kind: _days(tables, asked, kind) for kind in dict.fromkeys(_kinds(asked))}
        return days | {"first": _first(tables, asked)}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        stays = _stays(tables, asked)
        cohorts = stays.group_by("cohort", "period").aggregate(customers=stays.count())
        return {"cohorts": cohorts, "returns": _returns(tables, asked)}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        found = count_cohorts(
            rows["cohorts"],
            granularity=asked.granularity,
            periods=int(cast("int", asked.choices["periods"])),
            today=_today(asked),
        )
        if not found:
            return ReportAnswer(
                sentence="Nobody began in this time.",
                empty="No customer’s first order (or event) was in a whole period of this window. "
                "A longer window may have some.",
            )
        curve = _curve(rows["returns"])
        noun = _NOUNS[asked.granularity]
        figures = (_retained(found, noun), *_within(curve))
        return ReportAnswer(
            sentence=_sentence(found, curve, noun),
            figures=figures,
            tables=(_cohort_table(found), _period_table(found), _curve_table(curve)),
            pictures=_pictures(found, curve, noun),
            notes=(
                "Cohorts differ in more than when they began: the season, the campaigns, the "
                "goods. A better cohort is no proof of what made it better.",
            ),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table | None":
        if table != "cohorts":
            return None
        import ibis  # noqa: PLC0415  # loads slowly

        cohort = date.fromisoformat(str(row["cohort"]))
        period = add_periods(cohort, int(cast("int", row["offset"])), asked.granularity)
        stays = _stays(tables, asked)
        inside = (stays.cohort == ibis.literal(cohort)) & (stays.period == ibis.literal(period))
        return stays.filter(inside).select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who began in the cohort's period; of later ones no rule says who was there."""
        if table != "cohorts" or row["offset"] != 0 or row_rules.is_of_past_members(asked):
            return None
        zone = str(asked.choices["zone"]).strip()
        cohort = date.fromisoformat(str(row["cohort"]))
        begin, end = (
            midnight(day, zone) for day in (cohort, add_periods(cohort, 1, asked.granularity))
        )
        is_seen = _kinds(asked)[0] == "events"
        field = "first_seen_at" if is_seen else "first_order_at"
        began = row_rules.is_between(f"profile.{field}", begin, end)
        return RowRule(
            rule=row_rules.all_of(asked, began),
            differs="whatever made a customer known counts as being seen" if is_seen else "",
        )


def _today(asked: Asked) -> date:
    return asked.now.astimezone(find_zone(str(asked.choices["zone"]))).date()


def _days(tables: Mapping[str, "ibis.Table"], asked: Asked, kind: str) -> "ibis.Table":
    """Return the days of customers, each once: `customer_id`, `on`."""
    zone = find_zone(str(asked.choices["zone"]))
    until = asked.now + timedelta(seconds=1)
    if kind == "orders":
        found = frames.of_segment(
            tables, frames.placed_orders(tables, since=None, until=until), asked
        )
        moment = found.placed_at
    else:
        since = datetime(1970, 1, 1, tzinfo=UTC)
        found = done_by_customers(frames.events(tables, asked, since=since, until=until))
        moment = found.occurred_at
    return found.select("customer_id", on=local_day(moment, zone, until=until)).distinct()


def _kinds(asked: Asked) -> tuple[str, str]:
    """Return what begins a cohort, and what counts as being there."""
    of = str(asked.choices["of"])
    return ("orders", "events") if of == "orders_seen" else (of, of)


def _first(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return the customers who began in a whole period of the window: with their first day."""
    import ibis  # noqa: PLC0415  # loads slowly

    days = _days(tables, asked, _kinds(asked)[0])
    first = days.group_by("customer_id").aggregate(first_on=days.on.min())
    first = first.mutate(cohort=period_of(first.first_on, asked.granularity))
    return first.filter(
        first.cohort >= ibis.literal(asked.from_on), first.cohort < ibis.literal(asked.until_on)
    )


def _stays(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return in which periods the customers of the cohorts were there, each once."""
    first, days = _first(tables, asked), _days(tables, asked, _kinds(asked)[1])
    known = days.join(first, "customer_id").filter(lambda t: t.on >= t.first_on)
    known = known.select("customer_id", "cohort", period=period_of(known.on, asked.granularity))
    # Whoever began was there, whether or not that is an event that is kept.
    began = first.select("customer_id", "cohort", period=first.cohort)
    return known.union(began).distinct()


def _returns(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return how many came back after how many days, and how long the others have been watched."""
    import ibis  # noqa: PLC0415  # loads slowly

    first, days = _first(tables, asked), _days(tables, asked, _kinds(asked)[1])
    later = days.join(first, "customer_id").filter(lambda t: t.on > t.first_on)
    again = later.group_by("customer_id").aggregate(again_on=later.on.min())
    known = first.left_join(again, "customer_id").select("first_on", "again_on")
    end = ibis.coalesce(known.again_on, ibis.literal(_today(asked)))
    counted = known.select(
        days=end.delta(known.first_on, unit="day").cast("int64"),
        came_back=known.again_on.notnull().cast("int64"),
    )
    return counted.group_by("days", "came_back").aggregate(customers=counted.count())


def _curve(rows: list[dict[str, Any]]) -> Curve:
    return estimate_curve(
        *(
            np.array([row[name] for row in rows], np.int64)
            for name in ("days", "came_back", "customers")
        )
    )


def _cohort_table(found: list[CohortCell]) -> ReportTable:
    return ReportTable(
        name="cohorts",
        title="Who is still there, cohort by cohort",
        columns=columns(
            ("cohort", "Began", "day"),
            ("offset", "Periods later", "number"),
            ("size", "Began", "customers"),
            ("customers", "There", "customers"),
            ("share", "Share", "share", "low", "high"),
        ),
        rows=tuple(
            (cell.cohort.isoformat(), cell.offset, cell.size, cell.customers, *cells(cell.share))
            for cell in found
        ),
        key=("cohort", "offset"),
    )


def _period_table(found: list[CohortCell]) -> ReportTable:
    return ReportTable(
        name="periods",
        title="All cohorts together",
        columns=columns(
            ("offset", "Periods later", "number"),
            ("size", "Known of", "customers"),
            ("customers", "There", "customers"),
            ("share", "Share", "share", "low", "high"),
        ),
        rows=tuple(
            (cell.offset, cell.size, cell.customers, *cells(cell.share)) for cell in pool(found)
        ),
    )


def _curve_table(curve: Curve) -> ReportTable:
    known = [(days, _back(curve, days)) for days in _MARKS]
    return ReportTable(
        name="curve",
        title="Come back within",
        columns=columns(
            ("days", "Days since the first", "number"),
            ("share", "Have come back", "share", "low", "high"),
        ),
        rows=tuple((days, *cells(back)) for days, back in known if back.value is not None),
    )


def _back(curve: Curve, days: int) -> Measure:
    """Return the share who have come back by then; the curve is of those who have not."""
    known = curve.at(days)
    if known is None:
        return NOTHING
    left, low, high = known
    return Measure(value=1 - left, low=1 - high, high=1 - low)


def _retained(found: list[CohortCell], noun: str) -> ReportFigure:
    one = next((cell for cell in pool(found) if cell.offset == 1), None)
    return ReportFigure(
        name="retained",
        title=f"There in the {noun} after the first",
        unit="share",
        definition=f"Of all customers of cohorts whose next {noun} is over, the share who were "
        "there in it.",
        good="up",
    ).of(NOTHING if one is None else one.share)


def _within(curve: Curve) -> tuple[ReportFigure, ...]:
    return tuple(
        ReportFigure(
            name=f"within_{days}",
            title=f"Come back within {days} days",
            unit="share",
            definition=f"The share who come back within {days} days of their first day, those "
            "whose time is not over yet counted as long as they were watched.",
            good="up",
        ).of(_back(curve, days))
        for days in (30, 90)
    )


def _sentence(found: list[CohortCell], curve: Curve, noun: str) -> str:
    size = sum(cell.size for cell in found if not cell.offset)
    said = f"{size:,} customers began in this time"
    one = next((cell for cell in pool(found) if cell.offset == 1), None)
    if one is not None and one.share.value is not None:
        said += f"; {one.share.value:.1%} were there again in the {noun} after"
    half = curve.median()
    return f"{said}; half come back within {half:,} days." if half else f"{said}."


def _pictures(found: list[CohortCell], curve: Curve, noun: str) -> tuple[Picture, ...]:
    if not any(cell.offset for cell in found):
        return ()
    pictures = [
        Picture(
            kind="heatmap",
            table="cohorts",
            title=f"Share of each cohort still there, {noun} by {noun}",
            x="offset",
            y=("cohort",),
            value="share",
            x_title=f"{noun}s after the first",
        ),
        Picture(
            kind="line",
            table="periods",
            title="Still there, all cohorts together",
            x="offset",
            y=("share",),
            low="low",
            high="high",
            x_title=f"{noun}s after the first",
        ),
    ]
    if curve.at(_MARKS[0]) is not None:
        pictures.append(
            Picture(
                kind="line",
                table="curve",
                title="How soon customers come back",
                x="days",
                y=("share",),
                low="low",
                high="high",
                x_title="days since the first",
            )
        )
    return tuple(pictures)
