"""Anomaly watch: days on which the main figures were not what such days usually are."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    Unit,
    say_value,
)
from amity.analysis.logic.behaviour.day_parts import (
    PARTS,
    WEEKS,
    Change,
    Moved,
    express_parts,
    find_moved,
    read_parts,
)
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.reporting.tables import bounded
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_LEAST_WEEKS: Final = 4
_SPREAD: Final = 1.4826
"""Makes the median absolute deviation of a normal law its standard deviation."""
_FAR: Final = 3.0
_WATCHED: Final[dict[str, tuple[str, Unit]]] = {
    "orders": ("Orders", "orders"),
    "net": ("Revenue", "money"),
    "newcomers": ("New customers", "customers"),
    "refunds": ("Orders later refunded", "orders"),
}


@REPORTS.register("anomalies")
class Anomalies(Report):
    """Each of the last days beside the same weekday of the eight weeks before it."""

    name = "anomalies"
    title = "Anomaly watch"
    question = "Which days were not as usual, and what was different on them?"
    group = "assessment"
    definition = (
        "A day (UTC) is compared with the same weekday of the eight weeks before it: their median "
        "is what is usual, and the day is out of the ordinary when it is further from it than "
        "three times their spread (1.4826 times the median absolute deviation, and never less "
        "than the square root of the usual count, or the same share of usual revenue). With less "
        "than four such weeks nothing is said. What went with it is sought among sources, goods, "
        "new and known customers, the channels they were won by, the channels and campaigns of the "
        "address by which they came in the day before, and our campaigns that had written in two "
        "days: of each, what moved furthest beyond what it would have by moving as the whole day "
        "did, by more than twice what chance moves. It need not be why. Today is left out: it is "
        "not over."
    )
    parameters = (
        Parameter(
            name="figure",
            title="Figure to draw",
            kind="choice",
            default="orders",
            choices=tuple((key, words) for key, (words, _) in _WATCHED.items()),
        ),
    )
    uses = frozenset(("window", "segment", "currency"))
    needs = frozenset(("sources", "campaigns"))
    days: ClassVar[int] = 28

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        return {"recent": _recent(tables, asked)}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        recent = _recent(tables, asked)
        days = recent.group_by("placed_on").aggregate(
            orders=recent.count(),
            net=recent.net_minor.sum(),
            newcomers=recent.customer_id.nunique(where=recent.first_on == recent.placed_on),
            refunds=(recent.refunded_minor > 0).sum(),
            customers=recent.customer_id.nunique(),
        )
        return {"days": days, **express_parts(tables, recent, asked, _since(asked))}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        days = {row["placed_on"]: row for row in rows["days"]}
        if not days:
            return ReportAnswer(
                sentence="There are no orders to watch.",
                empty=f"No order in {asked.currency} is known in this window nor in the eight "
                "weeks before it.",
            )
        begun = min(days)
        last = min(asked.until_on, asked.now.date()) - timedelta(days=1)
        watched = [
            asked.from_on + timedelta(days=number)
            for number in range((last - asked.from_on).days + 1)
        ]
        judged = [
            (name, day, _judge(days, name, day, begun)) for name in _WATCHED for day in watched
        ]
        odd = [one for one in judged if one[2] is not None and one[2][3]]
        said = [one for one in judged if one[2] is not None]
        chosen = str(asked.choices["figure"])
        parts = [row for name, found in rows.items() if name.startswith(PARTS) for row in found]
        drawn = _series(days, [one for one in judged if one[0] == chosen], chosen)
        words = _WATCHED[chosen][0]
        return ReportAnswer(
            sentence=_sentence(odd, len(said), days, asked),
            figures=(
                ReportFigure(
                    name="odd",
                    title="Out of the ordinary",
                    unit="number",
                    value=len(odd),
                    definition="Days and figures further from usual than three spreads.",
                ),
                ReportFigure(
                    name="looked_at",
                    title="Looked at",
                    unit="number",
                    value=len(said),
                    definition="Days and figures with enough weeks before them to compare with.",
                ),
            ),
            tables=(drawn, _odd_table(odd, days, parts, asked)),
            pictures=(
                Picture(
                    kind="line",
                    table="days",
                    title=f"{words} by day, with what is usual",
                    x="day",
                    y=("value",),
                    low="low",
                    high="high",
                    y_title=words.lower(),
                    band="as usual",
                ),
            )
            if drawn.rows
            else (),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        placed = frames.orders(tables, asked)
        day = date.fromisoformat(str(row["day"]))
        return placed.filter(placed.placed_on == day).select("customer_id").distinct()


def _judge(
    days: Mapping[date, Mapping[str, Any]], name: str, day: date, begun: date
) -> tuple[float, float, float, bool] | None:
    """Return what is usual, from where to where, and whether the day is beyond; None if unknown."""
    weeks = [day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    past = [_value(days, name, each) for each in weeks if each >= begun]
    if len(past) < _LEAST_WEEKS:
        return None
    usual = float(np.median(past))
    spread = _SPREAD * float(np.median(np.abs(np.array(past) - usual)))
    orders = [_value(days, "orders", each) for each in weeks if each >= begun]
    typical = float(np.median(orders))
    # By chance alone a count strays by its root; revenue by as large a share as orders do.
    least = max(usual, 1.0) ** 0.5
    if name == "net":
        least = usual / typical**0.5 if typical >= 1 else _average_order(days, [*weeks, day])
    reach = _FAR * max(spread, least)
    value = _value(days, name, day)
    return usual, max(usual - reach, 0.0), usual + reach, abs(value - usual) > reach


def _average_order(days: Mapping[date, Mapping[str, Any]], some: list[date]) -> float:
    """Return what an order of some days brought on average; 0 without any."""
    orders = sum(_value(days, "orders", each) for each in some)
    return sum(_value(days, "net", each) for each in some) / orders if orders else 0.0


def _value(days: Mapping[date, Mapping[str, Any]], name: str, day: date) -> float:
    return float(days[day][name] or 0) if day in days else 0.0


def _series(
    days: Mapping[date, Mapping[str, Any]],
    judged: list[tuple[str, date, tuple[float, float, float, bool] | None]],
    name: str,
) -> ReportTable:
    unit = _WATCHED[name][1]
    rows: list[tuple[Cell, ...]] = []
    for _, day, verdict in judged:
        usual, low, high = verdict[:3] if verdict else (None, None, None)
        customers = int(days[day]["customers"]) if day in days else 0
        is_odd = "out of the ordinary" if verdict and verdict[3] else "as usual"
        rows.append(
            (
                day.isoformat(),
                _value(days, name, day),
                usual,
                low,
                high,
                is_odd if verdict else "not known",
                customers,
            )
        )
    return ReportTable(
        name="days",
        title=_WATCHED[name][0],
        columns=(
            ReportColumn(name="day", title="Day", unit="day"),
            ReportColumn(name="value", title=_WATCHED[name][0], unit=unit),
            *bounded(ReportColumn(name="usual", title="Usual", unit=unit)),
            ReportColumn(name="verdict", title="That is", unit="text"),
            ReportColumn(name="customers", title="Customers", unit="customers"),
        ),
        rows=tuple(rows),
        key=("day",),
    )


def _odd_table(
    odd: list[tuple[str, date, Any]],
    days: Mapping[date, Mapping[str, Any]],
    found: list[dict[str, Any]],
    asked: Asked,
) -> ReportTable:
    parts, names = read_parts(found), _names(asked)
    rows = []
    for name, day, verdict in sorted(odd, key=lambda one: (one[1], one[0]), reverse=True):
        change = Change(
            figure=name,
            day=day,
            was=_value(days, name, day),
            usual=verdict[0],
            orders=_usual_orders(days, day),
            begun=min(days),
        )
        words, unit = _WATCHED[name]
        rows.append(
            (
                day.isoformat(),
                words,
                say_value(change.was, unit, asked.currency),
                say_value(change.usual, unit, asked.currency),
                _say_moved(find_moved(change, parts, names), unit, asked),
            )
        )
    return ReportTable(
        name="odd",
        title="Out of the ordinary, the latest first",
        columns=(
            ReportColumn(name="day", title="Day", unit="day"),
            ReportColumn(name="figure", title="Figure", unit="text"),
            ReportColumn(name="value", title="Was", unit="text"),
            ReportColumn(name="usual", title="Usually", unit="text"),
            ReportColumn(name="moved", title="What went with it", unit="text"),
        ),
        rows=tuple(rows),
    )


def _since(asked: Asked) -> datetime:
    return asked.from_at - timedelta(weeks=WEEKS)


def _recent(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return the orders of the window and the weeks before, with the customer's first day."""
    placed = frames.orders(tables, asked)
    first = placed.group_by("customer_id").aggregate(first_on=placed.placed_on.min())
    joined = placed.join(first, "customer_id")
    return joined.filter(joined.placed_on >= _since(asked).date())


def _usual_orders(days: Mapping[date, Mapping[str, Any]], day: date) -> float:
    weeks = [day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    return float(np.median([_value(days, "orders", one) for one in weeks if one >= min(days)]))


def _names(asked: Asked) -> dict[tuple[str, str], str]:
    """Return what people call the sources and campaigns."""
    known = {
        ("source", str(one["source_id"])): one["name"] for one in asked.facts.get("sources", [])
    }
    return known | {
        ("campaign", str(one["campaign_id"])): f"“{one['name']}”"
        for one in asked.facts.get("campaigns", [])
    }


def _say_moved(moved: list[Moved], unit: Unit, asked: Asked) -> str:
    if not moved:
        return "nothing stands out: sources, goods, customers, channels and campaigns moved alike"
    said = []
    for one in moved:
        was, usual = (say_value(each, unit, asked.currency) for each in (one.was, one.usual))
        share = "" if one.share is None else f" ({one.share:.0%} of the change)"
        said.append(f"{one.words}: {was}, usually {usual}{share}")
    return "; ".join(said)


def _sentence(
    odd: list[tuple[str, date, Any]],
    said: int,
    days: Mapping[date, Mapping[str, Any]],
    asked: Asked,
) -> str:
    if not said:
        return "There are not yet four weeks to compare with."
    if not odd:
        return "All days were as usual."
    name, day, verdict = max(odd, key=lambda one: (one[1], one[0]))
    words, unit = _WATCHED[name]
    usual = say_value(verdict[0], unit, asked.currency)
    times = "once" if len(odd) == 1 else f"{len(odd)} times"
    was = say_value(_value(days, name, day), unit, asked.currency)
    return (
        f"Something was out of the ordinary {times}. The last: {words.lower()} on "
        f"{day:%d %b %Y}, {was} where {usual} is usual."
    )
