"""`amity estimate satisfaction`: NPS, CSAT and CES, corrected for who answers."""

from datetime import datetime
from typing import Final, cast

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, ModelCard, Option
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Estimated,
    Example,
    FileEstimator,
    Options,
    OutTable,
    Table,
)
from amity.analysis.logic.learning.cells import as_numbers
from amity.analysis.logic.learning.columns import type_columns
from amity.analysis.logic.surveys.satisfaction import (
    RANGES,
    Measure,
    Satisfaction,
    estimate_satisfaction,
    values_of,
)
from amity.kernel.estimate import Estimate

_SEED: Final = 20_031_201
_TITLES: Final[dict[Measure, str]] = {
    "nps": "Net promoter score (9 and 10 less 0 to 6, in points of 100)",
    "csat": "Satisfied customers (4 and 5 of 5)",
    "ces": "Customer effort score (mean of 1 to 7)",
}
_SCALE: Final[dict[Measure, float]] = {"nps": 100.0, "csat": 100.0, "ces": 1.0}

CARD: Final = ModelCard(
    title="Satisfaction",
    purpose="To say how satisfied all who were asked are, not only those who answered.",
    assumes=[
        "Of customers who look alike by what is known, those who answer and those who do not "
        "would say the same.",
        "Who was asked was not chosen by how satisfied they are.",
    ],
    needs=[
        "A row for everybody asked; the answer is blank for those who did not answer.",
        "At least 30 answers; to correct, 30 without one and columns known of both.",
    ],
    refuses=["Fewer than 30 answers.", "Answers outside the range of the question."],
    cannot_know=[
        "What makes customers silent that nothing known shows, such as anger itself.",
        "Whether satisfied customers come back: see the loyalty report for that.",
    ],
    sources=[
        "Reichheld (2003), The one number you need to grow, Harvard Business Review.",
        "Little, Rubin (2019), Statistical Analysis with Missing Data.",
        "Robins, Rotnitzky, Zhao (1994), Estimation of regression coefficients when some "
        "regressors are not always observed, JASA 89.",
        "Wilson (1927), Probable inference, the law of succession, and statistical inference, "
        "JASA 22.",
    ],
)


@FILE_ESTIMATES.register("satisfaction")
class SatisfactionOfAll(FileEstimator):
    """The figure of those who answered, and beside it that of all who were asked."""

    name = "satisfaction"
    summary = "NPS, CSAT or CES with intervals, corrected for who answers."
    card = CARD
    reads_others = True
    options = (
        Option(
            name="answer",
            kind="column",
            is_required=True,
            help="Column with the answer, blank for those who were asked and did not answer.",
        ),
        Option(
            name="measure",
            kind="choice",
            choices=tuple(RANGES),
            default="nps",
            help="nps (0 to 10), csat (1 to 5) or ces (1 to 7).",
        ),
        Option(name="id", kind="column", cells="name", help="Column that says who was asked."),
        Option(
            name="ignore",
            kind="columns",
            help="Column not to look at. May be given more than once.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        measure = cast(Measure, options.text("measure"))
        values = values_of(as_numbers(table.columns["answer"]), measure)
        typed = type_columns(table.others, None)
        found = estimate_satisfaction(
            values, typed.columns, np.random.default_rng(_SEED), measure=measure
        )
        warnings = [*typed.warnings, *found.warnings]
        return Estimated(
            answer=_answer(table, found, measure, warnings), out=_rows(table, options, found)
        )

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        orders, months = rng.poisson(3, size), rng.gamma(2.0, 8.0, size)
        answered = rng.random(size) < 1 / (1 + np.exp(1.5 - 0.5 * orders))
        answer = np.clip(np.round(6 + 0.6 * orders + rng.normal(0, 1.5, size)), 0, 10)
        rows: list[tuple[object, ...]] = [
            (
                f"c{place}",
                int(orders[place]),
                f"{months[place]:.1f}",
                int(answer[place]) if answered[place] else "",
            )
            for place in range(size)
        ]
        return Example(
            heads=("customer", "orders", "months", "would_recommend"),
            rows=rows,
            options={"answer": "would_recommend", "measure": "nps", "id": "customer"},
        )


def _answer(
    table: Table, found: Satisfaction, measure: Measure, warnings: list[str]
) -> FileEstimate:
    scale = _SCALE[measure]
    plain = _scaled(found.plain, scale)
    corrected = None if found.corrected is None else _scaled(found.corrected, scale)
    words = [f"{_TITLES[measure]}: {_show(plain)} among the {found.answered:,} who answered."]
    if corrected is None:
        words.append("Not corrected for who answers.")
    else:
        words.append(
            f"Of all {found.asked:,} who were asked, as far as what is known tells them apart: "
            f"{_show(corrected)}."
        )
    return FileEstimate(
        estimate=SatisfactionOfAll.name,
        words=words,
        counts=table.count(asked=found.asked, answered=found.answered),
        parameters={"plain": plain.value}
        | ({} if corrected is None else {"corrected": corrected.value}),
        fit={
            "response_rate": found.answered / found.asked,
            "answering_auc": msgspec.to_builtins(found.answering_auc),
            "effective_answers": found.effective,
        },
        result={
            "measure": measure,
            "plain": msgspec.to_builtins(plain),
            "corrected": msgspec.to_builtins(corrected),
        },
        calibration={"groups": msgspec.to_builtins(found.groups)}
        if found.groups
        else {"refused": "without a correction nothing is said of who answers"},
        card=CARD,
        warnings=warnings,
        rejected=table.rejected,
    )


def _scaled(found: Estimate, scale: float) -> Estimate:
    return Estimate(value=found.value * scale, low=found.low * scale, high=found.high * scale)


def _show(found: Estimate) -> str:
    return f"{found.value:.1f} (95 % interval {found.low:.1f} to {found.high:.1f})"


def _rows(table: Table, options: Options, found: Satisfaction) -> OutTable:
    if options.is_given("id"):
        cells = table.columns["id"]
        head, who = cells.head, [cells.names[place] for place in cells.whole.tolist()]
    else:
        head, who = "row", [str(row) for row in table.row.tolist()]
    return OutTable(
        heads=(head, "chance_to_answer", "weight"), columns=(who, found.chance, 1 / found.chance)
    )
