"""Satisfaction: what customers say when they are asked, over time and by listening post."""

from collections.abc import Mapping, Sequence
from datetime import date
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
    Unit,
)
from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.behaviour.answers import (
    ANSWERED,
    asked_by_post,
    express_answers,
    express_asked,
    express_asks,
    latest,
)
from amity.analysis.logic.behaviour.opinions import (
    RANGES,
    TITLES,
    Camp,
    Kind,
    Opinion,
    camp_bounds,
    sum_up,
)
from amity.analysis.logic.overview_statistics import Measure, share
from amity.analysis.logic.reporting import frames, row_rules
from amity.analysis.logic.reporting.tables import Told, cells, columns
from amity.analysis.report import REPORTS, Asked, Report, Rows

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_CAMPS: Final[dict[Camp, str]] = {
    "well": "think well of us",
    "between": "are in between",
    "badly": "think badly of us",
}
_SEED: Final = 7


@REPORTS.register("satisfaction")
class Satisfaction(Report):
    """NPS, CSAT or CES from survey events; see docs/algorithms/satisfaction.md."""

    name = "satisfaction"
    title = "Satisfaction"
    question = "What do customers say of us, when, and where were they asked?"
    group = "service"
    uses = frozenset(("window", "comparison", "segment", "granularity"))
    days = 180
    definition = (
        "The events Survey Answered of the window with the `kind` chosen and a whole number as "
        "`answer`: NPS is the share of promoters (9, 10) less that of detractors (0 to 6), from "
        "−100 to 100; CSAT the share of 4 and 5 of 5; CES the mean of 1 to 7. Of each customer "
        "the latest answer counts, in each period and at each post. Intervals (95 %): Wilson’s "
        "for shares, else that of a mean. Corrected is what all who were asked (Survey Asked) "
        "would have said, as far as what is known of them tells."
    )
    parameters = (
        Parameter(
            name="kind",
            title="Survey",
            kind="choice",
            default="nps",
            choices=(
                ("nps", "would they recommend us (NPS, 0 to 10)"),
                ("csat", "are they satisfied (CSAT, 1 to 5)"),
                ("ces", "was it easy (CES, 1 to 7)"),
            ),
        ),
    )
    columnar = frozenset(("asked",))

    def shared(self, tables: Mapping[str, "ibis.Table"], asked: Asked) -> dict[str, "ibis.Table"]:
        return {
            "answers": express_answers(tables, asked, _kind(asked)),
            "asks": express_asks(tables, asked, _kind(asked)),
        }

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked
    ) -> dict[str, "ibis.Table"]:
        kind = _kind(asked)
        answers = express_answers(tables, asked, kind)
        timed = answers.mutate(period=frames.period(answers.occurred_at, asked.granularity))
        by_period, by_post = latest(timed, ["period"]), latest(answers, ["post"])
        alone = latest(answers, [])
        odd = answers.filter(answers["value"].isnull())
        return {
            "all": alone.group_by("value").aggregate(customers=alone.count()),
            "periods": by_period.group_by("period", "value").aggregate(customers=by_period.count()),
            "posts": by_post.group_by("post", "value").aggregate(customers=by_post.count()),
            "asked_posts": asked_by_post(tables, asked, kind),
            "odd": odd.aggregate(answers=odd.count()),
            "asked": express_asked(tables, asked, kind).order_by("customer_id"),
        }

    def finish(self, rows: Rows, asked: Asked) -> ReportAnswer:
        kind = _kind(asked)
        everyone = sum_up(rows["all"], kind)
        odd = rows["odd"][0]["answers"] if rows["odd"] else 0
        notes = _notes(odd, kind)
        if not everyone.answers:
            return ReportAnswer(
                sentence="Nobody has answered such a survey in this time.",
                empty=f"There is no readable event Survey Answered of the kind {kind} in these "
                "days. Send one for each answer, with `kind`, `answer` and `post`, where it was "
                "asked.",
                notes=notes,
            )
        corrected, doubts = _correct(cast("pa.Table", rows["asked"]), kind)
        periods = _by(rows["periods"], "period", kind)
        return ReportAnswer(
            sentence=_sentence(everyone, corrected, kind),
            figures=_figures(everyone, corrected, rows["asked"], kind),
            tables=(
                _period_table(periods, kind),
                _post_table(_by(rows["posts"], "post", kind), rows["asked_posts"], kind),
                _camp_table(everyone),
            ),
            pictures=_pictures(periods, kind),
            notes=(*notes, *doubts),
        )

    def drill(
        self, tables: Mapping[str, "ibis.Table"], asked: Asked, table: str, row: Mapping[str, Cell]
    ) -> "ibis.Table | None":
        kind = _kind(asked)
        answers = express_answers(tables, asked, kind)
        if table == "periods":
            timed = answers.mutate(period=frames.period(answers.occurred_at, asked.granularity))
            in_period = latest(timed, ["period"])
            begun = date.fromisoformat(str(row["period"]))
            return in_period.filter(in_period.period == begun).select("customer_id")
        if table == "posts":
            at_post = latest(answers, ["post"])
            return at_post.filter(at_post.post == str(row["post"])).select("customer_id")
        if table == "camps":
            alone = latest(answers, [])
            low, high = camp_bounds(cast("Camp", row["camp"]), kind)
            return alone.filter(alone["value"].between(low, high)).select("customer_id")
        return None

    def segment_rule(self, asked: Asked, table: str, row: Mapping[str, Cell]) -> RowRule | None:
        """Return whose latest readable answer is one of the camp’s."""
        days, kind = row_rules.days_until_now(asked), _kind(asked)
        if table != "camps" or days is None:
            return None
        camp = camp_bounds(cast("Camp", row["camp"]), kind)
        answered = {
            "node": "last_event",
            "event": ANSWERED,
            "within_days": days,
            "where": [
                {"property": "kind", "is": {"op": "eq", "value": kind}},
                {"property": "answer", "is": row_rules.between(*RANGES[kind])},
            ],
            "has": [{"property": "answer", "is": row_rules.between(*camp)}],
        }
        return RowRule(rule=row_rules.all_of(asked, answered))


def _kind(asked: Asked) -> Kind:
    return cast("Kind", str(asked.choices["kind"]))


def _by(rows: Sequence[Mapping[str, Any]], name: str, kind: Kind) -> dict[str, Opinion]:
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return {
        key.isoformat() if isinstance(key, date) else str(key): sum_up(some, kind)
        for key, some in sorted(groups.items())
    }


def _unit(kind: Kind) -> Unit:
    return "share" if kind == "csat" else "number"


def _correct(table: "pa.Table", kind: Kind) -> tuple[Measure | None, tuple[str, ...]]:
    """Return the figure of all who were asked, and what to doubt about it."""
    # With a model of who answers; loads slowly, and most never get here.
    from amity.analysis.logic.learning.columns import Column  # noqa: PLC0415
    from amity.analysis.logic.surveys.satisfaction import (  # noqa: PLC0415
        estimate_satisfaction,
        values_of,
    )

    if not len(table):
        return None, (
            "Nobody is known to have been asked (Survey Asked), so it is not known who did not "
            "answer, and nothing could be corrected.",
        )
    known = {name: _numbers(table, name) for name in ("orders", "days_since_order", "seen")}
    told = [
        Column(name=name, kind="number", values=values)
        for name, values in known.items()
        if len(np.unique(values[~np.isnan(values)])) > 1
    ]
    values = values_of(_numbers(table, "value"), kind)
    try:
        found = estimate_satisfaction(values, told, np.random.default_rng(_SEED), measure=kind)
    except Refused as error:
        return None, (f"Not corrected for who answers: {error.message}.",)
    doubts = tuple(f"About the correction: {warning}." for warning in found.warnings)
    if found.corrected is None:
        return None, doubts
    scale = 100.0 if kind == "nps" else 1.0
    one = found.corrected
    return Measure(value=one.value * scale, low=one.low * scale, high=one.high * scale), doubts


def _numbers(table: "pa.Table", name: str) -> FloatArray:
    import pyarrow as pa  # noqa: PLC0415  # loads slowly

    numbers: FloatArray = (
        table[name].cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    )
    return numbers


def _value_column(kind: Kind) -> Told:
    return "figure", TITLES[kind], _unit(kind), "low", "high"


def _period_table(periods: Mapping[str, Opinion], kind: Kind) -> ReportTable:
    return ReportTable(
        name="periods",
        title="Over time",
        columns=columns(
            ("period", "From", "day"),
            ("customers", "Answered", "customers"),
            _value_column(kind),
        ),
        rows=tuple((name, one.answers, *cells(one.figure)) for name, one in periods.items()),
        key=("period",),
    )


def _post_table(
    posts: Mapping[str, Opinion], asked: Sequence[Mapping[str, Any]], kind: Kind
) -> ReportTable:
    known = {row["post"]: row["customers"] for row in asked}
    return ReportTable(
        name="posts",
        title="By listening post",
        columns=columns(
            ("post", "Asked at", "text"),
            ("asked", "Asked", "customers"),
            ("customers", "Answered", "customers"),
            _value_column(kind),
        ),
        rows=tuple(
            (name, known.get(name), one.answers, *cells(one.figure))
            for name, one in sorted(posts.items(), key=lambda post: (-post[1].answers, post[0]))
        ),
        key=("post",),
    )


def _camp_table(everyone: Opinion) -> ReportTable:
    return ReportTable(
        name="camps",
        title="Who says what",
        columns=columns(
            ("camp", "Camp", "text"),
            ("words", "They", "text"),
            ("customers", "Customers", "customers"),
            ("share", "Share", "share", "low", "high"),
        ),
        rows=tuple(
            (
                camp,
                _CAMPS[camp],
                everyone.camps[camp],
                *cells(share(everyone.camps[camp], everyone.answers)),
            )
            for camp in _CAMPS
        ),
        key=("camp",),
    )


def _figures(
    everyone: Opinion, corrected: Measure | None, asked: "pa.Table", kind: Kind
) -> tuple[ReportFigure, ...]:
    figures = [
        ReportFigure(
            name="figure",
            title=TITLES[kind],
            unit=_unit(kind),
            definition="Of those who answered, each customer’s latest answer.",
            good="up",
        ).of(everyone.figure),
        ReportFigure(
            name="answers",
            title="Customers who answered",
            unit="customers",
            value=everyone.answers,
            definition="Customers with a readable answer in the window.",
        ),
    ]
    if corrected is not None:
        figures.append(
            ReportFigure(
                name="corrected",
                title="Corrected for who answers",
                unit=_unit(kind),
                definition="What all who were asked would have said, as far as their orders and "
                "what they did before tell who answers and what they say (doubly robust).",
                good="up",
            ).of(corrected)
        )
    if len(asked):
        told = share(len(asked) - asked["value"].null_count, len(asked))
        figures.append(
            ReportFigure(
                name="response",
                title="Answered, of those asked",
                unit="share",
                definition="Of the customers asked in the window, those who have answered since.",
                good="up",
            ).of(told)
        )
    return tuple(figures)


def _say(value: float | None, kind: Kind) -> str:
    if value is None:
        return "not known"
    if kind == "csat":
        return f"{value:.0%}"
    return f"{value:+.0f}" if kind == "nps" else f"{value:.1f} of 7"


def _sentence(everyone: Opinion, corrected: Measure | None, kind: Kind) -> str:
    figure = everyone.figure
    said = f"{TITLES[kind]}: {_say(figure.value, kind)}"
    if figure.low is not None:
        said += f" ({_say(figure.low, kind)} to {_say(figure.high, kind)})"
    said += f", by {everyone.answers:,} customers who answered"
    if corrected is not None:
        said += f"; corrected for who answers it is {_say(corrected.value, kind)}"
    return f"{said}."


def _pictures(periods: Mapping[str, Opinion], kind: Kind) -> tuple[Picture, ...]:
    pictures = [
        Picture(
            kind="bar",
            table="camps",
            title="How many think well of us, and how many badly",
            x="words",
            y=("customers",),
        )
    ]
    if len(periods) > 1:
        pictures.insert(
            0,
            Picture(
                kind="line",
                table="periods",
                title=f"{TITLES[kind]} over time",
                x="period",
                y=("figure",),
                low="low",
                high="high",
            ),
        )
    return tuple(pictures)


def _notes(odd: int, kind: Kind) -> tuple[str, ...]:
    said = ("Who answers is not who was asked: the pleased and the angry answer sooner.",)
    if not odd:
        return said
    return (
        *said,
        f"{odd:,} answers are left out: no whole number in the range of {kind.upper()}.",
    )
