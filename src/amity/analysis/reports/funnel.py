"""Funnels: how far customers come, step by step, and where they stop."""

from collections.abc import Mapping
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
from amity.analysis.logic.behaviour.funnel import (
    MOST_STEPS,
    FunnelStep,
    Order,
    StepEvents,
    Walk,
    count_steps,
    list_stopped,
    walk_funnel,
)
from amity.analysis.logic.behaviour.funnel_expression import express_events, express_walk
from amity.analysis.logic.behaviour.steps import Step, read_steps
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import cells, columns
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_GROUPS: Final = 8
_OTHERS: Final = "(others)"
_NOTHING: Final = "(not said)"
_HOUR: Final = 3600


@REPORTS.register("funnel")
class Funnel(Report):
    """Counts who came to each step in time, and how long it took; see docs/algorithms/funnel.md."""

    name = "funnel"
    title = "Funnel"
    question = "How far do customers come on the way to what we want, and where do they stop?"
    group = "behaviour"
    uses = frozenset(("window", "comparison", "segment"))
    definition = (
        "A customer has come to a step when the events of all steps up to it happened in this "
        "order, the last within the given hours of the first. Loose: anything may happen between; "
        "strict: no other event of the funnel. Each customer counts once. Intervals (95 %) are "
        "Wilson's; times are medians since the step before, of those who came so far. "
        "All events count that happened in the window."
    )
    parameters = (
        Parameter(
            name="steps",
            title="Steps",
            kind="text",
            default="Product Viewed > Product Added > Order Completed",
            help="Events in order, between “>”; “Product Viewed [category = Bakery]” asks for one "
            "property too.",
        ),
        Parameter(
            name="hours",
            title="Within hours of the first step",
            kind="number",
            default=24,
            least=0.01,
            most=24 * 400,
        ),
        Parameter(
            name="order",
            title="Order",
            kind="choice",
            default="loose",
            choices=(("loose", "anything may happen between"), ("strict", "nothing between")),
        ),
        Parameter(
            name="split_by",
            title="Split by a property of the first step",
            kind="text",
            default="",
            help="Such as “category”; the eight values with most customers are shown.",
        ),
    )
    columnar = frozenset(("events",))

    def check(self, asked: Asked) -> None:
        _steps(asked)

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        found = express_events(_marked(tables, asked), _names(asked))
        wanted = ["customer_id", "occurred_at", "steps"]
        if asked.choices["split_by"]:
            wanted.append("group")
        return {"events": found.select(*wanted)}

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        steps = _steps(asked)
        events, labels = _read(cast("pa.Table", rows["events"]))
        walk = walk_funnel(
            events,
            steps=len(steps),
            window_seconds=round(float(asked.choices["hours"]) * _HOUR),
            order=_order(asked),
        )
        found = count_steps(walk, steps=len(steps))
        if not found[0].customers:
            return ReportAnswer(
                sentence="Nobody did the first step in this time.",
                empty=f"There is no event “{steps[0].label}” in these days. Events come in by the "
                "tracker and by the API; another first step or a longer time may have some.",
            )
        tables = [_step_table(steps, found), _stopped_table(steps, walk)]
        if labels:
            tables.append(_group_table(steps, walk, labels))
        return ReportAnswer(
            sentence=_sentence(steps, found),
            figures=_figures(steps, found),
            tables=tuple(tables),
            pictures=(
                Picture(
                    kind="funnel",
                    table="steps",
                    title=f"{found[-1].of_all.value or 0:.1%} come to the last step",
                    x="title",
                    y=("customers",),
                ),
            ),
            notes=(
                "Who began late in the window and has not had the whole time yet counts as "
                "stopped.",
                "To have come to a later step is no proof that an earlier one caused it.",
            ),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table | None":
        walk = express_walk(
            _marked(tables, asked),
            _names(asked),
            window_seconds=round(float(asked.choices["hours"]) * _HOUR),
            order=_order(asked),
        )
        step = int(cast("int", row["step"]))
        inside = walk.furthest == step if table == "stopped" else walk.furthest >= step
        return walk.filter(inside).select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who came to one of the first two steps, or no further than the first.

        A rule knows sequences of two; of two steps strict and loose are the same.
        """
        days, step = row_rules.days_until_now(asked), int(cast("int", row["step"]))
        if days is None or step > (1 if table == "stopped" else 2):
            return None
        first, then = (_step_rule(one) for one in _steps(asked)[:2])
        began = row_rules.did(first["event"], *first["where"], days=days)
        if table == "steps" and step == 1:
            return RowRule(rule=row_rules.all_of(asked, began))
        went_on = {
            "node": "sequence",
            "first": first,
            "then": then,
            "apart_days": float(asked.choices["hours"]) / 24,
            "within_days": days,
        }
        nodes = [went_on] if table == "steps" else [began, {"node": "not", "of": went_on}]
        return RowRule(
            rule=row_rules.all_of(asked, *nodes),
            differs="the first step may lie before the window, and of two events of the very same "
            "moment neither comes first",
        )


def _steps(asked: Asked) -> list[Step]:
    return read_steps(str(asked.choices["steps"]), least=2, most=MOST_STEPS)


def _step_rule(step: Step) -> row_rules.Node:
    return {
        "event": step.event,
        "where": [row_rules.text(step.key, step.value)] if step.key else [],
    }


def _names(asked: Asked) -> list[str]:
    return [f"is_step_{place}" for place, _ in enumerate(_steps(asked))]


def _order(asked: Asked) -> Order:
    return "strict" if asked.choices["order"] == "strict" else "loose"


def _marked(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return the events that may be steps, with a flag for each step and what they are split by."""
    steps = _steps(asked)
    wanted = tuple(sorted({step.event for step in steps}))
    events = frames.events(tables, asked, names=wanted)
    marks = {name: step.matches(events) for name, step in zip(_names(asked), steps, strict=True)}
    split_by = str(asked.choices["split_by"]).strip()
    group = {"group": frames.text(events.properties, split_by)} if split_by else {}
    return events.select("customer_id", "occurred_at", "event_id", **marks, **group)


def _read(table: "pa.Table") -> tuple[StepEvents, list[str]]:
    """Return the events as columns, and the words of their groups; [] without groups."""
    import pyarrow as pa  # noqa: PLC0415  # loads slowly

    at = table["occurred_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    group, labels = None, list[str]()
    if "group" in table.column_names:
        coded = table["group"].fill_null(_NOTHING).combine_chunks().dictionary_encode()
        group = coded.indices.to_numpy().astype(np.int64)
        labels = coded.dictionary.to_pylist() or [_NOTHING]
    events = StepEvents(
        customer_id=table["customer_id"].to_numpy(),
        at=at.to_numpy(),
        steps=table["steps"].to_numpy().astype(np.uint16),
        group=group,
    )
    return events, labels


def _step_table(steps: list[Step], found: list[FunnelStep]) -> ReportTable:
    rows: list[tuple[Cell, ...]] = [
        (
            place,
            f"{place}. {step.label}",
            one.customers,
            *cells(one.of_all),
            *cells(one.of_before),
            None if one.median_seconds is None else round(one.median_seconds / 60, 2),
            None
            if one.median_from_start_seconds is None
            else round(one.median_from_start_seconds / 60, 2),
        )
        for place, (step, one) in enumerate(zip(steps, found, strict=True), start=1)
    ]
    return ReportTable(
        name="steps",
        title="Customers by step",
        columns=columns(
            ("step", "Step", "number"),
            ("title", "What happened", "text"),
            ("customers", "Customers", "customers"),
            ("of_all", "Of all who began", "share", "of_all_low", "of_all_high"),
            ("of_before", "Of the step before", "share", "of_before_low", "of_before_high"),
            ("minutes", "Minutes since the step before (median)", "number"),
            ("minutes_from_start", "Minutes since the first step (median)", "number"),
        ),
        rows=tuple(rows),
        key=("step",),
    )


def _stopped_table(steps: list[Step], walk: Walk) -> ReportTable:
    rows = tuple(
        (place, f"{place}. {step.label}", len(list_stopped(walk, step=place)))
        for place, step in enumerate(steps[:-1], start=1)
    )
    return ReportTable(
        name="stopped",
        title="Who came so far and no further",
        columns=columns(
            ("step", "Step", "number"),
            ("title", "Last that happened", "text"),
            ("customers", "Customers", "customers"),
        ),
        rows=rows,
        key=("step",),
    )


def _group_table(steps: list[Step], walk: Walk, labels: list[str]) -> ReportTable:
    """Return the steps of the groups with most customers, and of all others together."""
    group: Any = walk.group
    began = group[walk.furthest > 0]
    sizes = np.bincount(began, minlength=len(labels))
    order = sorted(range(len(labels)), key=lambda place: (-sizes[place], labels[place]))
    kept = [place for place in order[:_GROUPS] if sizes[place]]
    if left := [place for place in order[_GROUPS:] if sizes[place]]:
        group = np.where(np.isin(group, left), len(labels), group)
        kept.append(len(labels))
    merged = Walk(
        customer_id=walk.customer_id,
        furthest=walk.furthest,
        reached_at=walk.reached_at,
        since_start=walk.since_start,
        since_before=walk.since_before,
        group=group,
    )
    told = enumerate(steps, start=1)
    rows: list[tuple[Cell, ...]] = []
    for place in kept:
        label = labels[place] if place < len(labels) else _OTHERS
        found = count_steps(merged, steps=len(steps), group=place)
        last = found[-1].of_all
        counts: list[Cell] = [one.customers for one in found]
        rows.append((label, *counts, *cells(last)))
    return ReportTable(
        name="groups",
        title="Customers by step, for each value at the first step",
        columns=columns(
            ("group", "Value", "text"),
            *((f"step_{n}", f"{n}. {step.label}", "customers") for n, step in told),
            ("of_all", "Come to the last", "share", "of_all_low", "of_all_high"),
        ),
        rows=tuple(rows),
    )


def _figures(steps: list[Step], found: list[FunnelStep]) -> tuple[ReportFigure, ...]:
    last = found[-1]
    return (
        ReportFigure(
            name="began",
            title="Customers who began",
            unit="customers",
            value=found[0].customers,
            definition=f"Customers with the event “{steps[0].label}” in the window.",
        ),
        ReportFigure(
            name="conversion",
            title="Come to the last step",
            unit="share",
            definition="Customers who came to the last step, divided by those who began.",
            good="up",
        ).of(last.of_all),
    )


def _sentence(steps: list[Step], found: list[FunnelStep]) -> str:
    said = (
        f"Of {found[0].customers:,} customers who began, {found[-1].customers:,} "
        f"({found[-1].of_all.value or 0:.1%}) came to “{steps[-1].label}”."
    )
    worst = min(range(1, len(found)), key=lambda place: found[place].of_before.value or 0)
    if found[worst].of_before.value is None or not found[0].customers:
        return said
    return (
        f"{said} Most stop before “{steps[worst].label}”: only "
        f"{found[worst].of_before.value or 0:.1%} of those who came to the step before do it."
    )
