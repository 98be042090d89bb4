"""Why customers leave: how long they stay, for which reasons they go, and what goes with it."""

from collections.abc import Iterator, Mapping, Sequence
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
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.behaviour.hazards import Factor, fit_hazards
from amity.analysis.logic.behaviour.leaving import FACTORS, QUIET, express_customers
from amity.analysis.logic.behaviour.reasons import Incidence, estimate_incidence
from amity.analysis.logic.behaviour.steps import read_names
from amity.analysis.logic.behaviour.survival import Curve, estimate_curve
from amity.analysis.logic.overview_statistics import NOTHING, Measure
from amity.analysis.logic.reporting import row_rules
from amity.analysis.logic.reporting.tables import cells, columns
from amity.analysis.report import REPORTS, Asked, Report, Rows
from amity.kernel.money import exponent_of

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_MARKS: Final = (30, 60, 90, 120, 180, 270, 365, 545, 730)
_POINTS: Final = 40
_REASONS: Final = 8
_OTHERS: Final = "(other reasons)"


@REPORTS.register("leaving")
class Leaving(Report):
    """Survival, reasons and hazards of customers; see docs/algorithms/leaving.md."""

    name = "leaving"
    title = "Why customers leave"
    question = "How long do customers stay, why do they go, and who goes sooner?"
    group = "retention"
    uses = frozenset(("window", "comparison", "segment", "currency"))
    days = 730
    definition = (
        "Customers whose first order was in the window, watched from it until now. A customer has "
        "left when an event says so (its `reason` is the reason), or on the day the last order is "
        "as many days ago as said; coming back later does not undo it. Those still there count as "
        "long as they have been watched (Kaplan and Meier); reasons compete (Aalen and Johansen). "
        "Factors are known at the first order; each ratio is that of the hazard of leaving with "
        "all other factors the same (Cox). Intervals are of 95 %."
    )
    parameters = (
        Parameter(
            name="quiet_days",
            title="Has left after days without an order",
            kind="whole",
            default=90,
            least=1,
            most=1000,
        ),
        Parameter(
            name="left_by",
            title="Events that say that a customer leaves",
            kind="text",
            default="Subscription Cancelled, Account Closed, Contract Ended",
            help="Between commas; the text property “reason” says why.",
        ),
    )
    columnar = frozenset(("customers",))

    def check(self, asked: Asked) -> None:
        read_names(str(asked.choices["left_by"]))

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        customers = express_customers(tables, asked)
        return {
            "customers": customers.drop("customer_id").order_by(
                "days", "has_left", "reason", "value_minor", "items", "discounted", "looked"
            )
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        table = cast("pa.Table", rows["customers"])
        if not len(table):
            return ReportAnswer(
                sentence="Nobody ordered for the first time in this time.",
                empty="There is nobody to watch. A longer window may have some.",
            )
        days = _whole(table, "days")
        left = _whole(table, "has_left")
        curve = estimate_curve(days, left, np.ones(len(days), np.int64))
        names, places = _reasons(table)
        incidences = estimate_incidence(days, places, names)
        factors, doubt = _factors(table, days, left, asked.currency)
        tables = [_reason_table(incidences), _curve_table(curve), _mark_table(incidences, curve)]
        if factors:
            tables.append(_factor_table(factors))
        return ReportAnswer(
            sentence=_sentence(curve, incidences, len(days), int(left.sum())),
            figures=_figures(curve),
            tables=tuple(tables),
            pictures=_pictures(curve, incidences, factors),
            notes=_notes(factors, doubt, asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        customers = express_customers(tables, asked)
        if row["reason"] != _OTHERS:
            return customers.filter(customers.reason == str(row["reason"])).select("customer_id")
        left = customers.filter(customers.reason.notnull())
        counted = left.group_by("reason").aggregate(customers=left.count())
        named = counted.order_by(counted.customers.desc(), "reason").limit(_REASONS)
        return left.anti_join(named, "reason").select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who began in the window and has gone quiet, or first said that they leave so."""
        reason = str(row["reason"])
        if reason == _OTHERS or row_rules.is_of_past_members(asked):
            return None
        began = row_rules.in_window(asked, "profile.first_order_at")
        if reason == QUIET:
            quiet = int(cast("int", asked.choices["quiet_days"]))
            gone = row_rules.check("profile.last_order_at", "more_than_ago", days=quiet)
            told = [row_rules.did(name) for name in read_names(str(asked.choices["left_by"]))]
            silent = [{"node": "not", "of": row_rules.any_of(told)}] if told else []
            return RowRule(
                rule=row_rules.all_of(asked, began, gone, *silent),
                differs="who orders again or says that they leave is no longer in it",
            )
        said = row_rules.any_of(_left_by(asked, reason))
        return RowRule(
            rule=row_rules.all_of(asked, began, said),
            differs="who had been quiet so long before saying it is in it too",
        )


def _left_by(asked: Asked, reason: str) -> Iterator[row_rules.Node]:
    """Return that the first event of a name gave the reason; without one its name is the reason."""
    for name in read_names(str(asked.choices["left_by"])):
        told = [row_rules.text("reason", reason)]
        yield {"node": "first_event", "event": name, "has": told}
        if name == reason:
            untold = [{"property": "reason", "is": {"op": "missing"}}]
            yield {"node": "first_event", "event": name, "has": untold}


def _whole(table: "pa.Table", name: str) -> IntArray:
    import pyarrow as pa  # noqa: PLC0415  # loads slowly

    whole: IntArray = table[name].cast(pa.int64()).to_numpy()
    return whole


def _reasons(table: "pa.Table") -> tuple[list[str], IntArray]:
    """Return the most frequent reasons, all others as one, and each customer's place in them."""
    said = table["reason"].to_pylist()
    counts: dict[str, int] = {}
    for one in said:
        if one is not None:
            counts[one] = counts.get(one, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))
    places = {name: min(place, _REASONS) for place, name in enumerate(names)}
    kept = names[:_REASONS] + ([_OTHERS] if len(names) > _REASONS else [])
    return kept, np.array([-1 if one is None else places[one] for one in said], np.int64)


def _factors(
    table: "pa.Table", days: IntArray, left: IntArray, currency: str
) -> tuple[list[Factor], str]:
    """Return what goes with leaving, or why that cannot be said.

    Only customers whose first order has a value in the currency asked for are compared; what is
    the same for all of them is no factor.
    """
    import pyarrow as pa  # noqa: PLC0415  # loads slowly

    value = table["value_minor"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    known = np.isfinite(value) & (value >= 0)
    if not known.any():
        return [], "No first order has a value in this currency."
    told: dict[str, FloatArray] = {
        "log_value": np.log2(1 + value[known] / 10 ** exponent_of(currency)),
        **{
            name: _whole(table, name)[known].astype(np.float64)
            for name in ("items", "discounted", "looked")
        },
    }
    told = {name: column for name, column in told.items() if np.ptp(column) > 0}
    if not told:
        return [], "All first orders are alike; there is nothing to compare."
    try:
        factors = fit_hazards(
            days[known], left[known], np.stack(list(told.values()), axis=1), list(told)
        )
    except Refused as error:
        return [], f"What goes with leaving cannot be said: {error.message}."
    return factors, ""


def _curve_table(curve: Curve) -> ReportTable:
    marks = range(0, curve.longest + 1, curve.longest // _POINTS + 1)
    known = [(days, _there(curve, days)) for days in marks]
    return ReportTable(
        name="curve",
        title="Still there after",
        columns=columns(
            ("days", "Days since the first order", "number"),
            ("share", "Still there", "share", "low", "high"),
        ),
        rows=tuple((days, *cells(there)) for days, there in known if there.value is not None),
    )


def _there(curve: Curve, days: int) -> Measure:
    known = curve.at(days)
    return Measure(value=known[0], low=known[1], high=known[2]) if known else NOTHING


def _reason_table(incidences: Sequence[Incidence]) -> ReportTable:
    left = sum(one.customers for one in incidences)
    return ReportTable(
        name="reasons",
        title="Reasons",
        columns=columns(
            ("reason", "Reason", "text"),
            ("customers", "Customers", "customers"),
            ("share", "Of those who left", "share"),
        ),
        rows=tuple((one.reason, one.customers, one.customers / left) for one in incidences),
        key=("reason",),
    )


def _mark_table(incidences: Sequence[Incidence], curve: Curve) -> ReportTable:
    rows: list[tuple[Cell, ...]] = []
    for days in _MARKS:
        if days <= curve.longest:
            rows += [(days, one.reason, *cells(one.at(days))) for one in incidences]
    return ReportTable(
        name="by_reason",
        title="Have left for each reason after",
        columns=columns(
            ("days", "Days since the first order", "number"),
            ("reason", "Reason", "text"),
            ("share", "Have left", "share", "low", "high"),
        ),
        rows=tuple(rows),
    )


def _factor_table(factors: Sequence[Factor]) -> ReportTable:
    return ReportTable(
        name="factors",
        title="What goes with leaving",
        columns=columns(
            ("factor", "What is different", "text"),
            ("ratio", "Hazard of leaving, times", "number", "low", "high"),
            ("chance", "Chance alone (p)", "number"),
            ("is_changing", "Changes with time", "text"),
        ),
        rows=tuple(
            (
                FACTORS[one.name],
                round(one.ratio, 4),
                round(one.low, 4),
                round(one.high, 4),
                round(one.p_value, 4),
                one.is_changing,
            )
            for one in factors
        ),
    )


def _figures(curve: Curve) -> tuple[ReportFigure, ...]:
    figures = [
        ReportFigure(
            name="median_days",
            title="Half have left after",
            unit="days",
            value=curve.median(),
            definition="The days after the first order by which half of the customers have left; "
            "not known while fewer have.",
            good="up",
        )
    ]
    for days in (180, 365):
        figures.append(
            ReportFigure(
                name=f"there_{days}",
                title=f"Still there after {days} days",
                unit="share",
                definition=f"The share who have not left {days} days after their first order.",
                good="up",
            ).of(_there(curve, days))
        )
    return tuple(figures)


def _sentence(curve: Curve, incidences: Sequence[Incidence], customers: int, left: int) -> str:
    if not left:
        return f"Of {customers:,} customers who first ordered in this time nobody has left yet."
    said = f"Of {customers:,} customers who first ordered in this time {left:,} have left"
    half = curve.median()
    said += f"; half are gone after {half:,} days" if half is not None else ""
    told = [one for one in incidences if not one.reason.startswith("(")]
    if told:
        said += f". The reason given most is “{told[0].reason}” ({told[0].customers:,})"
    return f"{said}."


def _pictures(
    curve: Curve, incidences: Sequence[Incidence], factors: Sequence[Factor]
) -> tuple[Picture, ...]:
    pictures = [
        Picture(
            kind="line",
            table="curve",
            title="How many are still there",
            x="days",
            y=("share",),
            low="low",
            high="high",
            x_title="days since the first order",
        )
    ]
    if len(incidences) > 1 and curve.longest >= _MARKS[0]:
        pictures.append(
            Picture(
                kind="line",
                table="by_reason",
                title="How many have left for each reason",
                x="days",
                y=("share",),
                series="reason",
                x_title="days since the first order",
            )
        )
    if factors:
        pictures.append(
            Picture(
                kind="bar",
                table="factors",
                title="Above 1: leave sooner; below 1: stay longer",
                x="factor",
                y=("ratio",),
                low="low",
                high="high",
            )
        )
    return tuple(pictures)


def _notes(factors: Sequence[Factor], doubt: str, asked: Asked) -> tuple[str, ...]:
    notes: list[Any] = [
        f"Nobody can have gone quiet before {asked.choices['quiet_days']} days are over.",
        "Factors go with leaving; none of them is shown to cause it.",
        doubt,
    ]
    changing = [FACTORS[one.name] for one in factors if one.is_changing]
    if changing:
        notes.append(
            f"{'; '.join(changing)}: its ratio is not the same early and late, so the one shown "
            "is a mean over time."
        )
    return tuple(note for note in notes if note)
