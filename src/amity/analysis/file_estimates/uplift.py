"""`amity estimate uplift`: for whom a treatment drawn at random works."""

from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts_estimates import FileEstimate, ModelCard, Option
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Estimated,
    Example,
    FileEstimator,
    Options,
    OutTable,
    Table,
)
from amity.analysis.logic.experiments.reading import CONTROLS
from amity.analysis.logic.learning.cells import as_binary, as_numbers, find_binary
from amity.analysis.logic.learning.columns import Typed, type_columns
from amity.analysis.logic.uplift.judging import rank
from amity.analysis.logic.uplift.learners import LEARNERS
from amity.analysis.logic.uplift.reading import (
    Given,
    Reading,
    advise,
    read_trial,
    refuse_too_little,
)
from amity.kernel.errors import Invalid

_SEED: Final = 20_190_312

CARD: Final = ModelCard(
    title="Uplift",
    purpose="To say for whom a treatment that was drawn at random works, and whom to treat.",
    assumes=[
        "Who was treated was drawn at random with the declared chance, and all drawn are there.",
        "Every other column was known before the draw.",
        "Units do not influence each other.",
    ],
    needs=[
        "A row a unit: whether it was treated, what came of it, what was known of it before.",
        "The chance of being treated: --random RATE, or --propensity COL when it differed.",
        "At least 100 rows of each arm, and 20 whose outcome is not like the others'.",
    ],
    refuses=[
        "A treatment that nobody declares to have been drawn at random.",
        "Arms whose sizes chance makes of the declared chances less than once in 1,000 times.",
        "A treatment that the other columns tell beforehand, more than chance gives.",
    ],
    cannot_know=[
        "What another treatment, or the same at another time, would do.",
        "The effect on one customer: what is told is the mean of customers who look alike.",
    ],
    sources=[
        "Künzel, Sekhon, Bickel, Yu (2019), Metalearners for estimating heterogeneous treatment "
        "effects, PNAS 116.",
        "Kennedy (2023), Towards optimal doubly robust estimation of heterogeneous causal effects, "
        "Electronic Journal of Statistics 17.",
        "Robins, Rotnitzky, Zhao (1994), Estimation of regression coefficients when some "
        "regressors are not always observed, JASA 89.",
        "Chernozhukov, Demirer, Duflo, Fernández-Val (2018), Generic machine learning inference on "
        "heterogeneous treatment effects, NBER 24678.",
        "Radcliffe (2007), Using control groups to target on predicted lift.",
        "Yadlowsky, Fleming, Shah, Brunskill, Wager (2024), Evaluating treatment prioritization "
        "rules via rank-weighted average treatment effects, JASA.",
    ],
)


@FILE_ESTIMATES.register("uplift")
class Uplift(FileEstimator):
    """Learns effects by three learners, each row's by models that never saw it, and judges them."""

    name = "uplift"
    summary = "For whom a treatment drawn at random works, and which share to treat."
    card = CARD
    reads_others = True
    options = (
        Option(
            name="treatment",
            kind="column",
            cells="name",
            is_required=True,
            help="Column that says who was treated: yes or no (0/1), or two names.",
        ),
        Option(
            name="outcome",
            kind="column",
            is_required=True,
            help="Column that says what came of it: yes or no (0/1), or a number.",
        ),
        Option(
            name="random",
            kind="share",
            help="The chance each had of being treated, drawn at random: 0.5 for half.",
        ),
        Option(
            name="propensity",
            kind="column",
            cells="number",
            help="Column with that chance, when it was drawn with different chances.",
        ),
        Option(name="treated", kind="text", help="The value of the treatment that means treated."),
        Option(name="id", kind="column", cells="name", help="Column that says who."),
        Option(
            name="cost",
            kind="number",
            default=0.0,
            help="What treating one costs, in units of the outcome.",
        ),
        Option(
            name="ignore",
            kind="columns",
            help="Column not to look at. May be given more than once.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        chance = _read_chance(table, options)
        treated = _read_treatment(table, options)
        cells = table.columns["outcome"]
        binary = find_binary(cells)
        outcome = as_numbers(cells) if binary is None else binary
        told = ~np.isnan(outcome) & ~np.isnan(treated)
        known = np.flatnonzero(told & (chance > 0) & (chance < 1))
        refuse_too_little(treated[known], outcome[known])
        _refuse_repeats(table, options)
        typed = type_columns(table.others, None)
        rng = np.random.default_rng(_SEED)
        cost = options.number("cost")
        given = Given(
            columns=[column.take(known) for column in typed.columns],
            treated=treated[known],
            outcome=outcome[known],
            chance=chance[known],
        )
        found = read_trial(given, rng, cost=cost)
        warnings = _warn(np.where(told, outcome, np.nan), chance, typed) + found.warnings
        answer = _answer(table, found, cost, warnings)
        return Estimated(answer=answer, out=_rows(table, options, found, known))

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        treated, visits = rng.integers(0, 2, size), rng.poisson(4, size)
        spend, plan = rng.gamma(2.0, 20.0, size), rng.integers(0, 2, size)
        effect = np.where(plan == 1, 12.0, -2.0)
        outcome = 0.5 * spend + 2.0 * visits + effect * treated + rng.normal(0, 8, size)
        rows: list[tuple[object, ...]] = [
            (
                f"c{place}",
                int(treated[place]),
                int(visits[place]),
                f"{spend[place]:.2f}",
                ("basic", "plus")[plan[place]],
                f"{outcome[place]:.2f}",
            )
            for place in range(size)
        ]
        return Example(
            heads=("customer", "letter", "visits", "spent_before", "plan", "spent"),
            rows=rows,
            options={"treatment": "letter", "outcome": "spent", "random": 0.5, "id": "customer"},
        )


def _read_chance(table: Table, options: Options) -> FloatArray:
    """Return the declared chance of each row; raise Refused when nobody declares one."""
    rate = options.find_number("random")
    if rate is not None and options.is_given("propensity"):
        raise Invalid("give --random or --propensity, not both")
    if options.is_given("propensity"):
        chance = table.columns["propensity"].real
        if np.any((chance < 0) | (chance > 1)):
            raise Invalid("a chance in --propensity is not in 0..1")
        return chance
    if rate is None:
        raise Refused(
            f"nobody says that the treatment of these {len(table):,} rows was drawn at random, and "
            "without that no difference is the treatment's doing: declare the chance with "
            "--random RATE or --propensity COL"
        )
    return np.full(len(table), rate)


def _read_treatment(table: Table, options: Options) -> FloatArray:
    cells = table.columns["treatment"]
    if options.is_given("treated"):
        return as_binary(cells, options.text("treated"))
    found = find_binary(cells)
    if found is not None:
        return found
    others = [name for name in cells.names if name.lower() not in CONTROLS]
    if len(cells.names) != 2 or len(others) != 1:
        there = ", ".join(repr(name) for name in cells.names[:6])
        raise Invalid(f"column {cells.head!r} says {there}: say with --treated which is treated")
    return as_binary(cells, others[0])


def _refuse_repeats(table: Table, options: Options) -> None:
    if not options.is_given("id"):
        return
    who = table.columns["id"].whole
    again = len(who) - len(np.unique(who))
    if again:
        raise Refused(
            f"{again:,} rows are of units that have another row; one row a unit is needed"
        )


def _warn(outcome: FloatArray, chance: FloatArray, typed: Typed) -> list[str]:
    warnings = list(typed.warnings)
    unknown, certain = int(np.isnan(outcome).sum()), int(((chance <= 0) | (chance >= 1)).sum())
    if unknown:
        warnings.append(
            f"{unknown:,} rows have no outcome, or do not say who was treated, and were left out"
        )
    if certain:
        warnings.append(
            f"overlap missing: {certain:,} rows could not have been drawn otherwise (chance 0 or "
            "1) and were left out"
        )
    return warnings


def _answer(table: Table, found: Reading, cost: float, warnings: list[str]) -> FileEstimate:
    verdict, draw = found.verdict, found.draw
    mean = verdict.mean_effect
    qini = next(each.qini for each in verdict.learners if each.learner == verdict.learner)
    words = [
        f"Being treated changes the outcome by {mean.value:.3g} on average (95 % interval "
        f"{mean.low:.3g} to {mean.high:.3g}).",
        f"Effects said by the {_NAMES[verdict.learner]} differ by chance alone as much with "
        f"p = {verdict.heterogeneity_p_value:.2g}; Qini {qini.value:.3g} ({qini.low:.3g} to "
        f"{qini.high:.3g}).",
        advise(found, cost),
        f"The draw: {draw.treated_share:.1%} treated, {draw.declared_share:.1%} declared; what is "
        f"known before tells who was treated with AUC {draw.balance_auc.value:.2f} "
        f"({draw.balance_auc.low:.2f} to {draw.balance_auc.high:.2f}).",
    ]
    return FileEstimate(
        estimate=Uplift.name,
        words=words,
        counts=table.count(judged=len(found.effects.score)),
        parameters={"mean_effect": mean.value, "slope": verdict.slope.value},
        fit={"base": found.effects.base, "draw": msgspec.to_builtins(draw)},
        result=msgspec.to_builtins(verdict),
        calibration={"groups": msgspec.to_builtins(verdict.groups)},
        card=CARD,
        warnings=warnings,
        rejected=table.rejected,
    )


_NAMES: Final = {"t": "T-learner", "x": "X-learner", "dr": "DR-learner"}


def _rows(table: Table, options: Options, found: Reading, known: IntArray) -> OutTable:
    """Return the rows judged: effects by each learner, and the percent by the one chosen."""
    if options.is_given("id"):
        cells = table.columns["id"]
        head, who = cells.head, [cells.names[place] for place in cells.whole[known].tolist()]
    else:
        head, who = "row", [str(row) for row in table.row[known].tolist()]
    effects = found.effects
    chosen = next(name for name in LEARNERS if name == found.verdict.learner)
    percent = rank(effects.said[chosen], effects.fold)
    groups = found.verdict.groups
    fifth = percent * len(groups) // 100
    return OutTable(
        heads=(head, "effect", "group_effect", "group_low", "group_high", "top_percent"),
        columns=(
            who,
            effects.said[chosen],
            np.array([group.actual for group in groups])[fifth],
            np.array([group.actual_low for group in groups])[fifth],
            np.array([group.actual_high for group in groups])[fifth],
            percent + 1,
        ),
    )
