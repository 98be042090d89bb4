"""`amity estimate propensity`: who is likely to do a thing, from a file with a row a customer."""

from datetime import datetime
from typing import Final

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
from amity.analysis.logic.learning.cells import as_binary
from amity.analysis.logic.learning.columns import Column, type_columns
from amity.analysis.logic.learning.propensity import (
    REASONS,
    Learnt,
    learn,
    list_reasons,
    refuse_too_little,
    tell,
)
from amity.kernel.errors import Invalid

_SEED: Final = 20_010_705
_MICROSECONDS: Final = 1_000_000

CARD: Final = ModelCard(
    title="Propensity",
    purpose="To say how likely each customer is to do a thing, and what makes it so.",
    assumes=[
        "Every column was known before the answer was; the file cannot show that, only hint.",
        "Those it is asked about are like those it learnt from.",
    ],
    needs=[
        "A row a customer (and moment), a column that says whether they did it, columns that say "
        "what was known of them before.",
        "At least 200 rows, 50 who did it and 50 who did not.",
        "A time for each row, to be judged on the last ones; otherwise rows drawn at random judge.",
    ],
    refuses=[
        "Too few rows, too few of either kind, or one kind only.",
        "A model that cannot be told from guessing on the rows held out.",
    ],
    cannot_know=[
        "Why: a reason says what the model looked at, not what would change the customer's mind.",
        "Whom a campaign would move: those likely to do it may do it anyway; see uplift.",
    ],
    sources=[
        "Hosmer, Lemeshow, Sturdivant (2013), Applied Logistic Regression.",
        "Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of "
        "Statistics 29.",
        "Platt (1999), Probabilistic outputs for support vector machines.",
        "Zadrozny, Elkan (2002), Transforming classifier scores into accurate multiclass "
        "probability estimates, KDD.",
        "DeLong, DeLong, Clarke-Pearson (1988), Comparing the areas under correlated ROC curves, "
        "Biometrics 44.",
        "Kaufman, Rosset, Perlich, Stitelman (2012), Leakage in data mining, ACM TKDD 6.",
        "Siddiqi (2006), Credit Risk Scorecards (population stability index).",
        "Yurdakul, Naranjo (2020), Statistical properties of the population stability index, "
        "Journal of Risk Model Validation 14.",
    ],
)


@FILE_ESTIMATES.register("propensity")
class Propensity(FileEstimator):
    """Compares logistic regression with boosted trees, calibrates the better, judges it."""

    name = "propensity"
    summary = "How likely each row's customer is to do a thing, with reasons."
    card = CARD
    reads_others = True
    options = (
        Option(
            name="label",
            kind="column",
            is_required=True,
            help="Column that says whether they did it. Rows where it is blank are only told of.",
        ),
        Option(
            name="time",
            kind="column",
            cells="moment",
            help="Column that says as of when the row is; the last rows judge.",
        ),
        Option(name="id", kind="column", cells="name", help="Column that says who."),
        Option(name="positive", kind="text", help="The value of the label that counts as yes."),
        Option(
            name="ignore",
            kind="columns",
            help="Column not to learn from. May be given more than once.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        positive = options.text("positive") if options.is_given("positive") else None
        label = as_binary(table.columns["label"], positive)
        known = np.flatnonzero(~np.isnan(label))
        refuse_too_little(label[known])
        seconds = None
        if options.is_given("time"):
            seconds = table.columns["time"].whole / _MICROSECONDS
        if not table.others:
            raise Invalid("there is no column left to learn from")
        typed = type_columns(table.others, seconds)
        rng = np.random.default_rng(_SEED)
        learnt = learn(
            [column.take(known) for column in typed.columns],
            label[known],
            None if seconds is None else seconds[known],
            rng,
        )
        warnings = [*_warn(table, options), *typed.warnings, *learnt.warnings]
        answer = _answer(table, learnt, len(label) - len(known), warnings)
        return Estimated(answer=answer, out=_rows(table, options, learnt, typed.columns))

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        visits, plan = rng.poisson(4, size), rng.integers(0, 3, size)
        months = rng.gamma(2.0, 10.0, size)
        logit = -2.0 + 0.35 * visits - 0.03 * months + np.array([0.0, 0.8, -0.6])[plan]
        bought = rng.random(size) < 1 / (1 + np.exp(-logit))
        names = ("basic", "plus", "old")
        rows: list[tuple[object, ...]] = [
            (
                f"c{place}",
                f"2024-{1 + place * 12 // size:02}-01",
                int(visits[place]),
                f"{months[place]:.1f}",
                names[plan[place]],
                int(bought[place]),
            )
            for place in range(size)
        ]
        return Example(
            heads=("customer", "as_of", "visits", "months", "plan", "bought"),
            rows=rows,
            options={"label": "bought", "time": "as_of", "id": "customer"},
        )


def _warn(table: Table, options: Options) -> list[str]:
    """Say when customers stand in several rows: those held out may then be known."""
    if not options.is_given("id"):
        return []
    who = table.columns["id"]
    again = len(who.whole) - len(np.unique(who.whole))
    if not again or options.is_given("time"):
        return []
    return [
        f"{again:,} rows are of customers who have another row, and without a time some of them "
        "may teach what others judge"
    ]


def _answer(table: Table, learnt: Learnt, unknown: int, warnings: list[str]) -> FileEstimate:
    quality, other = learnt.quality, learnt.other
    found = quality.auc
    how = "the last rows in time" if learnt.split == "time" else "rows drawn at random"
    lift = quality.top_decile_lift
    words = [
        f"Of {quality.rows:,} rows held out ({how}), the model ranks one who does it before one "
        f"who does not {found.value:.1%} of the time (95 % interval {found.low:.1%} to "
        f"{found.high:.1%}).",
        f"The tenth it holds likeliest does it {lift.value:.2g} times as often as all "
        f"({lift.low:.2g} to {lift.high:.2g}).",
        f"Chosen: {_NAMES[learnt.chosen.model]} (calibration: {learnt.chosen.calibration}); "
        f"{_NAMES[other.model]} had AUC {other.quality.auc.value:.3f}, this one {found.value:.3f}.",
        f"What it looks at most: {', '.join(list(learnt.weight)[:REASONS])}.",
    ]
    if quality.slope is not None:
        words.append(
            f"Where it says one apart (on the logit), what came is {quality.slope.value:.2f} apart "
            f"({quality.slope.low:.2f} to {quality.slope.high:.2f}): 1 is exact, less is too sure."
        )
    return FileEstimate(
        estimate=Propensity.name,
        words=words,
        counts=table.count(
            labelled=len(table) - unknown,
            unlabelled=unknown,
            positives=round(learnt.base_rate * (len(table) - unknown)),
            **{f"{part}_rows": count for part, count in learnt.rows.items()},
        ),
        parameters={"base_rate": learnt.base_rate},
        fit={
            "split": learnt.split,
            "chosen": msgspec.to_builtins(learnt.chosen),
            "other": msgspec.to_builtins(other),
        },
        result={
            "auc": msgspec.to_builtins(found),
            "brier": quality.brier,
            "log_loss": quality.log_loss,
            "calibration_error": quality.calibration_error,
            "calibration_slope": msgspec.to_builtins(quality.slope),
            "calibration_intercept": msgspec.to_builtins(quality.intercept),
            "top_decile_lift": msgspec.to_builtins(lift),
            "weight": learnt.weight,
            "auc_alone": learnt.watch.auc_alone,
            "drift": learnt.watch.drift,
        },
        calibration={"groups": msgspec.to_builtins(quality.groups)},
        card=CARD,
        warnings=warnings,
        rejected=table.rejected,
    )


_NAMES: Final = {
    "logistic_regression": "logistic regression",
    "boosted_trees": "boosted trees",
}


def _rows(table: Table, options: Options, learnt: Learnt, columns: list[Column]) -> OutTable:
    told = tell(learnt, columns)
    reasons = list_reasons(learnt, columns)
    if options.is_given("id"):
        cells = table.columns["id"]
        head, who = cells.head, [cells.names[place] for place in cells.whole.tolist()]
    else:
        head, who = "row", [str(row) for row in table.row.tolist()]
    padded = [[*each, *[""] * (REASONS - len(each))] for each in reasons]
    return OutTable(
        heads=(
            head,
            "probability",
            "probability_low",
            "probability_high",
            "decile",
            *(f"reason_{place + 1}" for place in range(REASONS)),
        ),
        columns=(
            who,
            told.probability,
            told.low,
            told.high,
            told.decile,
            *([each[place] for each in padded] for place in range(REASONS)),
        ),
    )
