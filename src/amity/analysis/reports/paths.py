"""Paths: what customers do next, or did before, visit by visit."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from amity.analysis.contracts_reports import (
    Cell,
    Parameter,
    Picture,
    ReportAnswer,
    ReportFigure,
    ReportTable,
)
from amity.analysis.logic.behaviour.paths import BEGAN, ENDED, OTHERS, Flow, gather_flows
from amity.analysis.logic.behaviour.visits import Walk, done_by_customers, express_paths, label
from amity.analysis.logic.overview_statistics import share
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.reporting.tables import cells, columns
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis

_LISTED: Final = 30
_ARROW: Final = " → "


@REPORTS.register("paths")
class Paths(Report):
    """Counts what follows an event in a visit, or leads to it; see docs/algorithms/paths.md."""

    name = "paths"
    title = "Paths"
    question = "What do customers do next, and what did they do before?"
    group = "behaviour"
    uses = frozenset(("window", "segment"))
    days = 30
    definition = (
        "A visit is a run of a customer’s events without a longer pause than said. In each visit "
        "that has the event looked at, its first occurrence is where the path begins (or ends), "
        "and the next (or earlier) events of the same visit follow. Without an event, paths begin "
        "with the visit. What Amity records of its own doing is no step. Shares are of visits, "
        "their intervals (95 %) Wilson’s."
    )
    parameters = (
        Parameter(
            name="around",
            title="Event to look at",
            kind="text",
            default="",
            help="Such as “Product Added”; empty for the beginning of the visit. A page with a "
            "name is “Page: Home”.",
        ),
        Parameter(
            name="direction",
            title="Look",
            kind="choice",
            default="after",
            choices=(("after", "at what comes after"), ("before", "at what came before")),
        ),
        Parameter(name="steps", title="Steps", kind="whole", default=3, least=1, most=8),
        Parameter(name="named", title="Events to name", kind="whole", default=8, least=1, most=30),
        Parameter(
            name="pause_minutes",
            title="A visit ends after a pause of minutes",
            kind="number",
            default=30,
            least=1,
            most=7 * 24 * 60,
        ),
        Parameter(
            name="is_collapsed",
            title="Count what is repeated in a row once",
            kind="flag",
            default=True,
        ),
        Parameter(
            name="is_theirs",
            title="Only what customers do",
            kind="flag",
            default=True,
            help="“no” adds what is done to them: segments entered, traits learned, messages sent.",
        ),
    )

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        return {"paths": _paths(tables, asked)}

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        paths = _paths(tables, asked)
        worded = _word(paths, asked)
        counted = worded.group_by("path").aggregate(
            visits=worded.count(), customers=worded.customer_id.nunique()
        )
        return {
            "flows": _flows(paths, asked),
            "paths": counted.order_by(counted.visits.desc(), "path").limit(_LISTED),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        is_after = asked.choices["direction"] == "after"
        flows = gather_flows(
            rows["flows"], most=_count(asked, "named"), end=ENDED if is_after else BEGAN
        )
        around = str(asked.choices["around"]).strip()
        if not flows:
            what = f"the event “{around}”" if around else "an event"
            return ReportAnswer(
                sentence="There is no path to show.",
                empty=f"No customer has {what} in these days. Events come in by the tracker and "
                "by the API.",
            )
        visits = sum(flow.visits for flow in flows if not flow.position)
        nearest = _nearest(flows)
        return ReportAnswer(
            sentence=_sentence(nearest, visits, around, is_after=is_after),
            figures=(
                ReportFigure(
                    name="visits",
                    title="Visits looked at",
                    unit="number",
                    value=visits,
                    definition="Visits with the event looked at, each once.",
                ),
            ),
            tables=(
                _nearest_table(nearest, visits, is_after=is_after),
                _path_table(rows["paths"], visits),
                _flow_table(flows, is_after=is_after),
            ),
            pictures=(
                Picture(
                    kind="sankey",
                    table="flows",
                    title=f"{visits:,} visits, step by step",
                    x="source",
                    y=("target",),
                    value="visits",
                ),
            ),
            notes=(
                "The interval takes visits as independent; a customer with many visits makes it a "
                "little too narrow.",
                "What comes after something need not come from it.",
            ),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table | None":
        if table != "paths":
            return None
        paths = _word(_paths(tables, asked), asked)
        return paths.filter(paths.path == str(row["path"])).select("customer_id").distinct()


def _count(asked: Asked, name: str) -> int:
    return int(cast("int", asked.choices[name]))


def _paths(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return a row a visit: `customer_id` and the labels `l0`, `l1` … on its path."""
    events = frames.events(tables, asked)
    if asked.choices["is_theirs"]:
        events = done_by_customers(events)
    events = label(events).select("customer_id", "occurred_at", "event_id", "label")
    walk = Walk(
        around=str(asked.choices["around"]).strip(),
        is_after=asked.choices["direction"] == "after",
        steps=_count(asked, "steps"),
        pause_minutes=float(asked.choices["pause_minutes"]),
        is_collapsed=bool(asked.choices["is_collapsed"]),
    )
    return express_paths(events, walk)


def _flows(paths: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return how many visits went from a label to the next: position, label, next_label, visits."""
    import ibis  # noqa: PLC0415  # loads slowly

    steps = _count(asked, "steps")
    alike = paths.group_by([f"l{place}" for place in range(steps + 1)])
    counted = alike.aggregate(visits=paths.count())
    parts = []
    for place in range(steps):
        here = counted.filter(counted[f"l{place}"].notnull())
        flow = here.select(
            position=ibis.literal(place, "int64"),
            label=here[f"l{place}"],
            next_label=here[f"l{place + 1}"],
            visits=here.visits,
        )
        parts.append(flow)
    flows = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return flows.group_by("position", "label", "next_label").aggregate(
        visits=flows.visits.sum().cast("int64")
    )


def _word(paths: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return a row a visit: `customer_id` and its `path` in words, in the order of time."""
    is_after = asked.choices["direction"] == "after"
    path = paths["l0"]
    for place in range(1, _count(asked, "steps") + 1):
        more = paths[f"l{place}"]
        told = more.isnull().ifelse("", _ARROW + more if is_after else more + _ARROW)
        path = path + told if is_after else told + path
    return paths.select("customer_id", path=path)


def _nearest(flows: list[Flow]) -> list[tuple[str, int]]:
    """Return what is one step away, the most frequent first."""
    counts: Counter[str] = Counter()
    for flow in flows:
        if not flow.position:
            counts[flow.target] += flow.visits
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _sentence(nearest: list[tuple[str, int]], visits: int, around: str, *, is_after: bool) -> str:
    where = f"“{around}”" if around else "the first event" if is_after else "the last event"
    what, number = nearest[0]
    often = f"in {number:,} of {visits:,} visits ({number / visits:.0%})."
    if what in (ENDED, BEGAN):
        return f"Most often the visit {'ends with' if is_after else 'begins with'} {where}: {often}"
    told = what if what == OTHERS else f"“{what}”"
    return f"{'After' if is_after else 'Before'} {where}, {told} comes most often: {often}"


def _nearest_table(nearest: list[tuple[str, int]], visits: int, *, is_after: bool) -> ReportTable:
    return ReportTable(
        name="nearest",
        title="What comes next" if is_after else "What came just before",
        columns=columns(
            ("label", "Event", "text"),
            ("visits", "Visits", "number"),
            ("share", "Share", "share", "low", "high"),
        ),
        rows=tuple((what, number, *cells(share(number, visits))) for what, number in nearest),
    )


def _path_table(rows: list[dict[str, object]], visits: int) -> ReportTable:
    return ReportTable(
        name="paths",
        title="The most frequent paths",
        columns=columns(
            ("path", "Path", "text"),
            ("visits", "Visits", "number"),
            ("share", "Share of visits", "share"),
            ("customers", "Customers", "customers"),
        ),
        rows=tuple(
            (
                str(row["path"]),
                cast("int", row["visits"]),
                cast("int", row["visits"]) / visits,
                cast("int", row["customers"]),
            )
            for row in rows
        ),
        key=("path",),
    )


def _back(position: int) -> str:
    return f"−{position}" if position else "0"


def _flow_table(flows: list[Flow], *, is_after: bool) -> ReportTable:
    """Return the flows in the order of time; a node is named with its place."""
    rows: list[tuple[Cell, ...]] = []
    for flow in flows:
        here, there = flow.position + 1, flow.position + 2
        near, far = f"{here}. {flow.source}", f"{there}. {flow.target}"
        if not is_after:
            # The event looked at is 0; what came before it counts backwards.
            near, far = f"−{here}. {flow.target}", f"{_back(flow.position)}. {flow.source}"
        rows.append((near, far, flow.visits))
    return ReportTable(
        name="flows",
        title="From step to step",
        columns=columns(
            ("source", "From", "text"), ("target", "To", "text"), ("visits", "Visits", "number")
        ),
        rows=tuple(rows),
    )
