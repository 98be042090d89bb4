"""The life of a customer: engage, transact, fulfil, service, and where it leaks."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from amity.analysis.contracts_reports import (
    Aim,
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportFigure,
    ReportTable,
    RowRule,
)
from amity.analysis.logic.behaviour.leaks import LEAKS, LIFECYCLE, leak_table
from amity.analysis.logic.behaviour.lifecycle import Stage, summarise_stage
from amity.analysis.logic.behaviour.steps import read_names
from amity.analysis.logic.behaviour.visits import done_by_customers
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import cells, columns
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_FOREVER_DAYS: Final = 36_500
_TITLES: Final = {
    "engage": "until the first order",
    "transact": "until the order is fulfilled",
    "fulfil": "until they ask for service",
    "service": "until the request is closed",
}


@REPORTS.register("lifecycle")
class Lifecycle(Report):
    """Follows what began in the window through the stages; see docs/algorithms/lifecycle.md."""

    name = LIFECYCLE
    title = "Lifecycle"
    question = "How long do customers stay in each stage, and where do we lose or forget them?"
    group = "service"
    uses = frozenset(("window", "comparison", "segment"))
    definition = (
        "Engage: customers by the first event of theirs in the window (not what Amity records of "
        "its own doing), until their next order. Transact: orders of the window, until an event "
        "with their order_id says they were fulfilled. "
        "Fulfil: fulfilled orders, until the customer asks for service. Service: requests of the "
        "window, until an event says that one of the customer was closed. What has not gone on "
        "within the days said for its stage has leaked; what is younger still waits. Leaking is "
        "the share of what is decided, its interval (95 %) Wilson’s. Times are whole hours, of "
        "what went on. Whose a leak is, is who owns the target entered for its figure."
    )
    needs = frozenset(("targets",))
    aims = tuple(
        Aim(figure=f"leaking_{stage}", title=f"Leaks at {stage}, at most", unit="share")
        for stage in LEAKS
    )
    parameters = (
        Parameter(
            name="fulfilled_by",
            title="An order is fulfilled by",
            kind="text",
            default="Order Shipped, Order Fulfilled, Order Delivered",
            help="Names of events with the order’s order_id, between commas; the first counts.",
        ),
        Parameter(
            name="asked_by",
            title="Service is asked for by",
            kind="text",
            default="Email Received, Call Started, Live Chat Conversation Started, Ticket Opened",
        ),
        Parameter(
            name="closed_by",
            title="A request is closed by",
            kind="text",
            default="Call Ended, Live Chat Conversation Ended, Ticket Closed, Ticket Solved",
        ),
        *(
            Parameter(
                name=f"{stage}_days",
                title=f"{title}, days at most",
                kind="number",
                default=default,
                least=0.04,
                most=400,
            )
            for stage, title, default in (
                ("engage", "Engage", 30),
                ("transact", "Transact", 7),
                ("service", "Service", 3),
            )
        ),
    )

    def check(self, asked: Asked) -> None:
        for name in ("fulfilled_by", "asked_by", "closed_by"):
            read_names(str(asked.choices[name]))

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        return {"told": _told(tables, asked), "placed": _placed(tables, asked)}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        found = {}
        for stage in _TITLES:
            cases = _cases(tables, asked, stage)
            found[stage] = cases.group_by("outcome", "hours").aggregate(cases=cases.count())
            is_leaked = cases.outcome == "leaked"
            found[f"{stage}_customers"] = cases.aggregate(
                entered=cases.customer_id.nunique(),
                leaked=cases.customer_id.nunique(where=is_leaked),
            )
        return found

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        stages = {
            # That nobody ordered is known; that nothing was fulfilled may only not be told.
            stage: summarise_stage(rows[stage], is_told=_is_told(stage, rows[stage]))
            for stage in _TITLES
        }
        if not any(stage.entered for stage in stages.values()):
            return ReportAnswer(
                sentence="Nobody engaged, ordered or asked in this time.",
                empty="There is no event of a customer in these days.",
            )
        entered = {stage: rows[f"{stage}_customers"][0]["entered"] for stage in _TITLES}
        leaks = {
            stage: rows[f"{stage}_customers"][0]["leaked"]
            for stage in LEAKS
            if stages[stage].leaked is not None
        }
        return ReportAnswer(
            sentence=_sentence(stages),
            figures=tuple(_figure(stage, stages[stage]) for stage in LEAKS),
            tables=(_stage_table(stages, entered), leak_table(stages, leaks, asked)),
            pictures=(
                Picture(
                    kind="bar",
                    table="stages",
                    title="What went on, what still waits, and what leaked",
                    x="stage",
                    y=("moved", "waiting", "leaked"),
                    is_stacked=True,
                ),
            ),
            notes=_notes(stages),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        cases = _cases(tables, asked, str(row["stage"]))
        if table == "leaks":
            cases = cases.filter(cases.outcome == "leaked")
        return cases.select("customer_id").distinct()

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who ordered or asked for service in the window, who engaged cannot be said."""
        days, stage = row_rules.days_until_now(asked), row["stage"]
        if table != "stages" or days is None:
            return None
        if stage == "transact":
            ordered = row_rules.check("profile.last_order_at", "within_last", days=days)
            return RowRule(rule=row_rules.all_of(asked, ordered))
        if stage == "service" and (names := _names(asked, "asked_by")):
            asks = row_rules.any_of(row_rules.did(name, days=days) for name in names if name)
            return RowRule(rule=row_rules.all_of(asked, asks))
        return None


def _is_told(stage: str, rows: list[Mapping[str, object]]) -> bool:
    """Say whether what did not go on is known to have leaked.

    That somebody did not order is known. Of what a company may just not tell, it is when it told
    once. To ask for nothing after an order is no leak.
    """
    is_seen = any(row["outcome"] == "moved" for row in rows)
    return stage == "engage" or (stage in LEAKS and is_seen)


def _cases(tables: Mapping[str, "ibis.Table"], asked: Asked, stage: str) -> "ibis.Table":
    """Return the cases of a stage: customer_id, `outcome`, and `hours` of those that moved."""
    import ibis  # noqa: PLC0415  # loads slowly

    begun = {
        "engage": _engaged,
        "transact": _ordered,
        "fulfil": _fulfilled,
        "service": _requested,
    }[stage](tables, asked)
    days = float(cast("float", asked.choices.get(f"{stage}_days", _FOREVER_DAYS)))
    patient = ibis.literal(asked.now - timedelta(days=days))
    seconds = (
        begun.ended_at.truncate("s").epoch_seconds() - begun.begun_at.truncate("s").epoch_seconds()
    )
    hours = ibis.greatest(seconds.cast("int64") // 3600, 0).cast("int64")
    return begun.select(
        "customer_id",
        outcome=ibis.cases(
            (begun.ended_at.notnull(), "moved"),
            (begun.begun_at > patient, "waiting"),
            else_="leaked",
        ),
        hours=ibis.ifelse(begun.ended_at.notnull(), hours, None),
    )


def _engaged(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    every = done_by_customers(frames.events(tables, asked))
    known = [
        "Order Completed",
        "Order Refunded",
        "Order Cancelled",
        *(name for kind in ("fulfilled_by", "closed_by") for name in _names(asked, kind)),
    ]
    events = every.filter(every["name"].notin(known))
    first = events.group_by("customer_id").aggregate(begun_at=events.occurred_at.min())
    placed = _placed(tables, asked).select("customer_id", at="placed_at")
    return _end(first, placed, ["customer_id"])


def _placed(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    placed = frames.placed_orders(tables, since=asked.from_at, until=max(asked.now, asked.until_at))
    known = placed.select("customer_id", "order_id", "placed_at")
    return frames.of_segment(tables, known, asked)


def _ordered(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    import ibis  # noqa: PLC0415  # loads slowly

    placed = _placed(tables, asked)
    placed = placed.filter(placed.placed_at < ibis.literal(asked.until_at))
    told = _since(tables, asked, "fulfilled_by")
    first = told.group_by("customer_id", "order_id").aggregate(ended_at=told.occurred_at.min())
    orders = placed.select("customer_id", "order_id", begun_at="placed_at")
    return orders.left_join(first, ["customer_id", "order_id"]).select(
        "customer_id", "begun_at", "ended_at"
    )


def _fulfilled(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    orders = _ordered(tables, asked)
    done = orders.filter(orders.ended_at.notnull())
    done = done.select("customer_id", begun_at="ended_at")
    asks = _since(tables, asked, "asked_by").select("customer_id", at="occurred_at")
    return _end(done, asks, ["customer_id", "begun_at"])


def _requested(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    import ibis  # noqa: PLC0415  # loads slowly

    asks = _since(tables, asked, "asked_by")
    asks = asks.filter(asks.occurred_at < ibis.literal(asked.until_at))
    asks = asks.select("customer_id", "event_id", begun_at="occurred_at")
    closing = _since(tables, asked, "closed_by").select("customer_id", at="occurred_at")
    return _end(asks, closing, ["customer_id", "event_id", "begun_at"])


def _end(begun: "ibis.Table", later: "ibis.Table", key: list[str]) -> "ibis.Table":
    """Add `ended_at`: the first instant of ``later`` at or after `begun_at`, of the customer."""
    both = begun.join(later, "customer_id").filter(lambda t: t.at >= t.begun_at)
    ends = both.group_by(key).aggregate(ended_at=both["at"].min())
    return begun.left_join(ends, key).select("customer_id", "begun_at", "ended_at")


def _told(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return what tells of the stages from the window's beginning until now.

    Columns: customer_id, event_id, name, occurred_at, order_id.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    kinds = ("fulfilled_by", "asked_by", "closed_by")
    names = tuple(sorted({name for kind in kinds for name in _names(asked, kind)}))
    until = max(asked.now, asked.until_at)
    events = frames.events(tables, asked, names=names, until=until)
    told = events.properties.cast("json")["order_id"]
    order_id = ibis.coalesce(told.str, told.int.cast("string")).strip()
    return events.select("customer_id", "event_id", "name", "occurred_at", order_id=order_id)


def _since(tables: Mapping[str, "ibis.Table"], asked: Asked, kind: str) -> "ibis.Table":
    """Return of these the events of one kind."""
    told = _told(tables, asked)
    return told.filter(told["name"].isin(_names(asked, kind)))


def _names(asked: Asked, kind: str) -> tuple[str, ...]:
    # With no name at all nothing would be filtered; no event has an empty one.
    return tuple(read_names(str(asked.choices[kind]))) or ("",)


def _figure(name: str, stage: Stage) -> ReportFigure:
    return ReportFigure(
        name=f"leaking_{name}",
        title=f"Leaks at {name}",
        unit="share",
        definition=f"The share of what is decided that {LEAKS[name]} in the days allowed.",
        good="down",
    ).of(stage.leaking)


def _sentence(stages: Mapping[str, Stage]) -> str:
    known = {name: stage for name, stage in stages.items() if stage.leaking.value is not None}
    if not known:
        return "It is too early to say where customers are lost."
    worst = max(known, key=lambda name: known[name].leaking.value or 0.0)
    stage = known[worst]
    if not stage.leaked:
        return "Nothing leaks: everything that had its time went on."
    what = {"engage": "customers", "transact": "orders", "service": "requests"}[worst]
    return (
        f"Most is lost at {worst}: {stage.leaked:,} of {stage.moved + stage.leaked:,} {what} "
        f"({stage.leaking.value or 0:.0%}) {LEAKS[worst].split(' and ')[1]} in the days allowed."
    )


def _stage_table(stages: Mapping[str, Stage], customers: Mapping[str, int]) -> ReportTable:
    return ReportTable(
        name="stages",
        title="The stages",
        columns=columns(
            ("stage", "Stage", "text"),
            ("title", "Which lasts", "text"),
            ("customers", "Customers", "customers"),
            ("entered", "Entered", "number"),
            ("moved", "Went on", "number"),
            ("waiting", "Still in time", "number"),
            ("leaked", "Leaked", "number"),
            ("leaking", "Leaking", "share", "low", "high"),
            ("hours_25", "Hours, a quarter", "number"),
            ("hours_50", "half", "number"),
            ("hours_75", "three quarters", "number"),
            ("hours_90", "nine tenths", "number"),
        ),
        rows=tuple(
            (
                name,
                _TITLES[name],
                customers[name],
                stage.entered,
                stage.moved,
                stage.waiting,
                stage.leaked,
                *cells(stage.leaking),
                *stage.hours,
            )
            for name, stage in stages.items()
        ),
        key=("stage",),
    )


def _notes(stages: Mapping[str, Stage]) -> tuple[str, ...]:
    notes = []
    if stages["transact"].entered and stages["transact"].leaked is None:
        notes.append(
            "No event says that an order was fulfilled, so it is not known where orders stand. "
            "Send such an event with the order’s order_id, or name yours above."
        )
    if stages["service"].entered and stages["service"].leaked is None:
        notes.append("No event says that a request was closed, so it is not known who was served.")
    notes.append("To ask for service after an order is no leak; it is shown to know the load.")
    return tuple(notes)
