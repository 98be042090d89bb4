"""The scorecard of the six E's: where the company stands in e-CRM, against its own targets.

The six are electronic channels, enterprise, empowerment, economics, evaluation and external
information.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from amity.analysis.contracts_reports import (
    Aim,
    Cell,
    Picture,
    ReportAnswer,
    ReportColumn,
    ReportFigure,
    ReportTable,
    RowRule,
    Unit,
    say_value,
)
from amity.analysis.logic import overview_statistics as statistics
from amity.analysis.logic.measuring.shown import express_changed, show
from amity.analysis.logic.overview_statistics import Measure
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import columns, for_files
from amity.analysis.report import REPORTS, Asked, Report, Rows
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_visits import INTERESTS_TRAIT

if TYPE_CHECKING:
    import ibis

Counts = Mapping[str, int]


class _Line(msgspec.Struct, frozen=True):
    """One line of the scorecard: which E, which figure, how it is found, what to do."""

    e: str
    name: str
    title: str
    unit: Unit
    definition: str
    measure: Callable[[Counts], Measure]
    next_step: str
    metric: str = ""
    """The metric of the catalogue it shows, where it is one."""


def _part(part: str, whole: str) -> Callable[[Counts], Measure]:
    return lambda counts: statistics.share(counts[part], counts[whole])


def _mean(total: str, number: str) -> Callable[[Counts], Measure]:
    def measure(counts: Counts) -> Measure:
        if not counts[number]:
            return statistics.NOTHING
        return Measure(value=counts[total] / counts[number])

    return measure


_LINES: Final = (
    _Line(
        "Electronic channels",
        "reachable",
        "Reachable by mail or phone",
        "share",
        "Share of customers with an order ever who have a mail address or a phone number.",
        _part("reachable", "buyers"),
        "Ask for an address at the till and after checkout, and say what for.",
    ),
    _Line(
        "Electronic channels",
        "online",
        "Seen online",
        "share",
        "Share of the window's customers who also viewed a page or a product in it.",
        _part("online", "active"),
        "Give customers of the store a reason to sign in: receipts, lists, points.",
    ),
    _Line(
        "Enterprise",
        "joined",
        "Known to several sources",
        "share",
        "Share of the window's customers whose events came from more than one source.",
        _part("joined", "active"),
        "Connect the next source, and review pairs that may be one person.",
    ),
    _Line(
        "Empowerment",
        "chose",
        "Said what they want",
        "share",
        "Share of customers with an order ever who have said something about consent.",
        _part("chose", "buyers"),
        "Link the preference centre from every message and every receipt.",
    ),
    _Line(
        "Economics",
        "per_customer",
        "Revenue a customer",
        "money",
        "Revenue of the window, refunds taken off, divided by who ordered in it.",
        _mean("net", "active"),
        "See the 80/20 page: whom to keep, to grow, to serve otherwise.",
        "revenue_per_customer",
    ),
    _Line(
        "Economics",
        "retention",
        "Came again",
        "share",
        "Of the customers of the window before, the share who ordered in this one.",
        _part("again", "base"),
        "See who is slipping away in the grid of recency and frequency, and write to them.",
        "repeat_rate",
    ),
    _Line(
        "Evaluation",
        "measured",
        "Campaigns with a group held out",
        "share",
        "Of the campaigns that drew customers in the window, the share that held some out.",
        _part("held_out", "campaigns"),
        "Hold out some customers of every campaign: without them nobody knows what it caused.",
    ),
    _Line(
        "Evaluation",
        "asked",
        "Answered a survey",
        "share",
        "Share of the window's customers who answered a survey in it.",
        _part("answered", "active"),
        "Ask one question after each order.",
    ),
    _Line(
        "External information",
        "described",
        "Described beyond their orders",
        "share",
        "Share of customers with an order ever who have at least one trait; interests that are "
        "read off visits and orders do not count.",
        _part("described", "buyers"),
        "Import what you know elsewhere, or ask an enrichment source.",
    ),
)
_COLUMNS: Final = (
    ReportColumn(name="e", title="E", unit="text"),
    ReportColumn(name="figure", title="Figure", unit="text"),
    ReportColumn(name="value", title="Now", unit="text"),
    ReportColumn(name="range", title="95 % interval", unit="text"),
    ReportColumn(name="target", title="Target", unit="text"),
    ReportColumn(
        name="reached", title="Reached", unit="share", definition="The value over its target."
    ),
    ReportColumn(name="verdict", title="That is", unit="text"),
    ReportColumn(name="next", title="What to do next", unit="text"),
)
_ADDRESSES: Final = ("email", "phone")
_SURVEY: Final = "Survey Answered"
_ONLY_INTERESTS: Final = rf'^\{{ *"{INTERESTS_TRAIT}" *: *\{{[^{{}}]*\}} *\}}$'
"""What Amity reads off visits and orders itself describes nobody beyond them."""
_LACKING: Final[dict[str, tuple[str, str, str]]] = {
    "reachable": ("reachable", "buyers", "Have neither a mail address nor a phone number"),
    "online": ("online", "active", "Ordered and were not seen online"),
    "joined": ("joined", "active", "Are known to one source only"),
    "chose": ("chose", "buyers", "Have said nothing about consent"),
    "retention": ("again", "base", "Ordered in the window before and not in this one"),
    "asked": ("answered", "active", "Ordered and answered no survey"),
    "described": ("described", "buyers", "Nothing is known of them beside their orders"),
}
"""Of the shares of customers: what is counted, of what, and who those are that lack it."""
_FLAGS: Final[dict[str, str]] = {
    "reachable": "is_reachable",
    "chose": "has_chosen",
    "described": "is_described",
    "online": "is_online",
    "joined": "is_joined",
    "asked": "has_answered",
}


@REPORTS.register("scorecard")
class Scorecard(Report):
    """Nine figures of six E's, each from the store, each beside the target set for it."""

    name = "scorecard"
    title = "Scorecard of the six E's"
    question = "Where do we stand, measured by our own objectives, and what comes next?"
    group = "assessment"
    definition = (
        "Six E's of electronic customer relations: electronic channels, enterprise, empowerment, "
        "economics, evaluation, external information. Each figure is computed from what is "
        "recorded; the targets are yours (under Costs and targets). "
        "A target is met when the value reaches it, missed when even the upper end of the "
        "interval stays below, and open in between, where chance alone may decide."
    )
    needs = frozenset(("targets", "metrics"))
    metrics = frozenset(line.metric for line in _LINES if line.metric)
    aims = tuple(Aim(figure=line.name, title=line.title, unit=line.unit) for line in _LINES)
    days: ClassVar[int] = 90

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        return {
            "buyers": _buyers(tables, asked),
            "seen": _seen(tables, asked),
            "campaigns": _campaigns(tables, asked),
            "others": frames.other_currencies(tables, asked),
            **express_changed(tables, asked, self.metrics),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        counts = _counts(rows)
        if not counts["buyers"]:
            return ReportAnswer(
                sentence="There is no customer to measure by.",
                empty="The scorecard measures customers with orders; none is known in "
                f"{asked.currency} until the end of this window.",
            )
        targets = {
            fact["figure"]: fact["value"]
            for fact in asked.facts.get("targets", [])
            if fact["report"] == self.name and fact["currency"] in ("", asked.currency)
        }
        figures, changed = show(
            (_figure(line, line.measure(counts)) for line in _LINES), rows, asked
        )
        measures = [(line, _measure(one)) for line, one in zip(_LINES, figures, strict=True)]
        lines = tuple(_row(line, found, targets, asked) for line, found in measures)
        return ReportAnswer(
            sentence=_sentence(lines),
            figures=figures,
            tables=(
                ReportTable(
                    name="scorecard",
                    title="The six E's",
                    columns=_COLUMNS,
                    rows=lines,
                ),
                _lacking_table(counts),
            ),
            pictures=(
                Picture(
                    kind="bar",
                    table="scorecard",
                    title="How much of each target is reached",
                    x="figure",
                    y=("reached",),
                    without=tuple(str(line[1]) for line in lines if line[5] is None),
                ),
            )
            if any(line[5] is not None for line in lines)
            else (),
            notes=(
                ()
                if targets
                else ("No target is set: define your objectives under Costs and targets.",)
            )
            + changed
            + frames.note_of_currencies(rows["others"], asked),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table":
        import ibis  # noqa: PLC0415  # loads slowly

        figure, buyers = str(row["figure"]), _known(tables, asked)
        if figure == "retention":
            found = buyers.filter(buyers.earlier > 0, buyers.now == 0)
        elif _LACKING[figure][1] == "buyers":
            found = buyers.filter(~ibis.coalesce(buyers[_FLAGS[figure]], False))
        else:
            seen = _contacts(tables, asked)
            has = seen.filter(seen[_FLAGS[figure]])
            found = buyers.filter(buyers.now > 0).anti_join(has, "customer_id")
        return found.select("customer_id")

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return who lacks an address, an answer, or an order in this window after one before."""
        days, figure = row_rules.days_until_now(asked), row["figure"]
        if days is None or figure not in {"reachable", "retention", "asked"}:
            return None
        none = {"op": "missing"}
        nodes: dict[str, list[row_rules.Node]] = {
            "reachable": [
                row_rules.ordered(asked, None, 1),
                *({"node": "check", "field": f"profile.{name}", "is": none} for name in _ADDRESSES),
            ],
            "retention": [
                row_rules.ordered(asked, 2 * days, 1),
                row_rules.ordered(asked, days, 0, 0),
            ],
            "asked": [
                row_rules.ordered(asked, days, 1),
                {"node": "not", "of": row_rules.did(_SURVEY, days=days)},
            ],
        }
        return RowRule(rule=row_rules.all_of(asked, *nodes[str(figure)]))


def _buyers(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return one row: how many ever ordered, of them now and before, and what is known of them."""
    joined = _known(tables, asked)
    return joined.aggregate(
        buyers=joined.count(),
        reachable=joined.is_reachable.sum(),
        chose=joined.has_chosen.sum(),
        described=joined.is_described.sum(),
        active=(joined.now > 0).sum(),
        base=(joined.earlier > 0).sum(),
        again=((joined.earlier > 0) & (joined.now > 0)).sum(),
        net=joined.net.sum(),
    )


def _known(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return who ever ordered: how often now and before, and what is known of them."""
    placed = frames.orders(tables, asked)
    start = asked.before().from_on
    is_now = placed.placed_on >= asked.from_on
    each = placed.group_by("customer_id").aggregate(
        now=is_now.sum(),
        earlier=((placed.placed_on >= start) & ~is_now).sum(),
        net=placed.net_minor.sum(where=is_now).fill_null(0).cast("int64"),
    )
    profiles = tables["profiles"]
    roots = profiles.filter(profiles.profile_id == profiles.root_id)
    known = roots.select(
        customer_id=roots.root_id,
        is_reachable=roots.email.notnull() | roots.phone.notnull(),
        has_chosen=roots.consents.notnull() & ~roots.consents.isin(["{}", "[]"]),
        is_described=roots.traits.notnull()
        & (roots.traits != "{}")
        & ~roots.traits.re_search(_ONLY_INTERESTS),
    )
    return each.left_join(known, "customer_id").drop("customer_id_right")


def _seen(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return one row: of the window's customers, how many were seen online, by sources, asked."""
    each = _contacts(tables, asked)
    return each.aggregate(
        online=each.is_online.sum(), joined=each.is_joined.sum(), answered=each.has_answered.sum()
    )


def _contacts(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return the window's customers with how they were seen in it."""
    placed = frames.orders(tables, asked, since=asked.from_at)
    active = placed.select("customer_id").distinct()
    seen = frames.events(tables, asked).semi_join(active, "customer_id")
    is_online = (seen["type"] == "page") | (seen["name"] == "Product Viewed")
    # What Amity records itself comes from no source that could be connected.
    outside = seen.source_id != SYSTEM_SOURCE_ID
    each = seen.group_by("customer_id").aggregate(
        pages=is_online.sum(),
        sources=seen.source_id.nunique(where=outside),
        answers=(seen["name"] == _SURVEY).sum(),
    )
    return each.select(
        "customer_id",
        is_online=each.pages > 0,
        is_joined=each.sources > 1,
        has_answered=each.answers > 0,
    )


def _campaigns(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return one row: how many campaigns drew customers in the window, how many held some out."""
    import ibis  # noqa: PLC0415  # loads slowly

    drawn = tables["participants"]
    drawn = drawn.filter(
        drawn.assigned_at >= ibis.literal(asked.from_at),
        drawn.assigned_at < ibis.literal(asked.until_at),
    )
    each = drawn.group_by("campaign_id").aggregate(held=(drawn.arm == "holdout").sum())
    return each.aggregate(campaigns=each.count(), held_out=(each.held > 0).sum())


def _counts(rows: Rows) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in ("buyers", "seen", "campaigns"):
        for row in rows[name]:
            counts |= {key: int(value or 0) for key, value in row.items()}
    return counts


def _figure(line: _Line, found: Measure) -> ReportFigure:
    return ReportFigure(
        name=line.name,
        title=line.title,
        unit=line.unit,
        definition=line.definition,
        good="up",
        metric=line.metric,
    ).of(found)


def _measure(figure: ReportFigure) -> Measure:
    return Measure(value=figure.value, low=figure.low, high=figure.high)


def _row(line: _Line, found: Measure, targets: Mapping[str, Any], asked: Asked) -> tuple[Cell, ...]:
    target = targets.get(line.name)
    interval = ""
    if found.low is not None and found.high is not None:
        low, high = (say_value(one, line.unit, asked.currency) for one in (found.low, found.high))
        interval = f"{low} to {high}"
    verdict = judge(found, target)
    return (
        line.e,
        line.title,
        say_value(found.value, line.unit, asked.currency),
        interval,
        "" if target is None else say_value(target, line.unit, asked.currency),
        found.value / target if found.value is not None and target else None,
        verdict,
        "" if verdict == "met" else line.next_step,
    )


def judge(found: Measure, target: float | None) -> str:
    """Say whether a target is met, missed, or open within the interval."""
    if found.value is None:
        return "not known"
    if target is None:
        return "no target"
    if found.value >= target:
        return "met"
    return "open" if found.high is not None and found.high >= target else "missed"


def _lacking_table(counts: Counts) -> ReportTable:
    """Return whom what comes next is about: those who lack what a figure counts."""
    named = {line.name: line for line in _LINES}
    return ReportTable(
        name="lacking",
        title="Whom what comes next is about",
        columns=for_files(("figure", "Figure", "text"))
        + columns(
            ("title", "Figure", "text"),
            ("who", "They", "text"),
            ("customers", "Customers", "customers"),
            ("next", "What to do next", "text"),
        ),
        rows=tuple(
            (name, named[name].title, who, counts[whole] - counts[part], named[name].next_step)
            for name, (part, whole, who) in _LACKING.items()
        ),
        key=("title",),
    )


def _sentence(lines: tuple[tuple[Cell, ...], ...]) -> str:
    verdicts = [line[6] for line in lines]
    met, missed = verdicts.count("met"), [line for line in lines if line[6] == "missed"]
    aimed = met + len(missed) + verdicts.count("open")
    if not aimed:
        return "No target is set, so the figures stand by themselves."
    text = f"{met} of {aimed} targets are met"
    if missed:
        worst = min(missed, key=lambda line: float(str(line[5] or 0)))
        text += f"; furthest behind is {str(worst[1]).lower()} ({worst[2]})"
    return f"{text}."
