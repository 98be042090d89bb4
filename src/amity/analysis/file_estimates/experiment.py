"""`amity estimate experiment`: the plain read-out of an experiment, with interval and verdict."""

from datetime import datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.contracts_estimates import FileEstimate, ModelCard, Option
from amity.analysis.contracts_learning import ExperimentReading
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.file_estimate import (
    FILE_ESTIMATES,
    Cells,
    Estimated,
    Example,
    FileEstimator,
    Options,
    Table,
)
from amity.analysis.logic.experiments.reading import Design, find_control, read_experiment
from amity.analysis.logic.experiments.units import Units, gather
from amity.analysis.logic.learning.cells import as_numbers, find_binary, is_missing
from amity.kernel import lift
from amity.kernel.errors import Invalid

_SEED: Final = 20_130_204


@FILE_ESTIMATES.register("experiment")
class Experiment(FileEstimator):
    """Difference between arms drawn at random, one row a unit."""

    name = "experiment"
    summary = "What an experiment with arms drawn at random says, with interval and verdict."
    card = ModelCard(
        title="Experiment",
        purpose="To say whether arms drawn at random differ by more than chance, and by how much.",
        assumes=[
            "Who got what was drawn at random; the file cannot show that, only contradict it.",
            "Units do not influence each other.",
            "The end was decided beforehand, not when the difference looked good.",
        ],
        needs=[
            "A row a unit, all who were drawn, whether or not the treatment reached them.",
            "At least 30 units in each arm, and outcomes in at least a handful of the smaller.",
        ],
        refuses=[
            "Units that stand in two arms, or in several rows when nothing was said about that.",
            "Arms whose sizes chance makes of the declared shares less than once in a thousand.",
            "So few outcomes that chance puts fewer than 5 into the smaller arm.",
        ],
        cannot_know=[
            "For whom it worked: that is the estimate uplift.",
            "What happens after the time the outcome was counted in.",
        ],
        sources=[
            "Newcombe (1998), Interval estimation for the difference between independent "
            "proportions, Statistics in Medicine 17.",
            "Welch (1947), The generalization of Student's problem, Biometrika 34.",
            "Janssen (1997), Studentized permutation tests, Statistics & Probability Letters 36.",
            "Fieller (1954), Some problems in interval estimation, JRSS B 16.",
            "Donner, Zou (2012), Closed-form confidence intervals for functions of the normal mean "
            "and standard deviation, Statistical Methods in Medical Research 21.",
            "Hall (1992), On the removal of skewness by transformation, JRSS B 54.",
            "Deng, Xu, Kohavi, Walker (2013), Improving the sensitivity of online controlled "
            "experiments by utilizing pre-experiment data, WSDM.",
            "Fabijan et al. (2019), Diagnosing sample ratio mismatch, KDD.",
        ],
    )
    options = (
        Option(
            name="treatment",
            kind="column",
            cells="name",
            is_required=True,
            help="Column that says into which arm a unit was drawn.",
        ),
        Option(
            name="outcome",
            kind="column",
            is_required=True,
            help="Column that says what came of it: yes or no (0/1), or a number.",
        ),
        Option(
            name="unit",
            kind="column",
            cells="name",
            help="Column that says who was drawn. Without it every row is a unit of its own.",
        ),
        Option(
            name="before",
            kind="column",
            help="Column with a number from before the draw, to see more clearly (CUPED).",
        ),
        Option(name="control", kind="text", help="The arm to compare the others with."),
        Option(
            name="shares",
            kind="text",
            help="What the arms were drawn to be, such as a=0.9,b=0.1; sizes are checked by it.",
        ),
        Option(
            name="repeated",
            kind="choice",
            choices=("refuse", "sum", "mean", "max", "first"),
            default="refuse",
            help="What to do with several rows of one unit.",
        ),
    )

    def run(self, table: Table, options: Options, *, now: datetime) -> Estimated:
        binary = find_binary(table.columns["outcome"])
        units, arms, warnings = _read_units(table, options, binary)
        design = Design(
            arms=arms,
            control=options.text("control") if options.is_given("control") else find_control(arms),
            kind="continuous" if binary is None or _is_summed(units.outcome) else "binary",
            shares=_parse_shares(options.text("shares")) if options.is_given("shares") else {},
            before=options.text("before") if options.is_given("before") else "",
        )
        found, doubts = read_experiment(units, design, np.random.default_rng(_SEED))
        return Estimated(answer=_answer(self.card, table, found, [*warnings, *doubts]))

    @classmethod
    def example(cls, rng: np.random.Generator, size: int) -> Example:
        arm = rng.random(size) < 0.5
        before = rng.gamma(2.0, 10.0, size)
        outcome = before + rng.normal(0, 5, size) + np.where(arm, 4.0, 0.0)
        rows: list[tuple[object, ...]] = [
            (f"c{place}", "letter" if arm[place] else "control", f"{value:.2f}", f"{past:.2f}")
            for place, (value, past) in enumerate(zip(outcome, before, strict=True))
        ]
        return Example(
            heads=("customer", "arm", "spent", "spent_before"),
            rows=rows,
            options={
                "treatment": "arm",
                "outcome": "spent",
                "unit": "customer",
                "before": "spent_before",
                "shares": "letter=0.5,control=0.5",
            },
        )


def _read_units(
    table: Table, options: Options, binary: FloatArray | None
) -> tuple[Units, list[str], list[str]]:
    """Return the units, the names of their arms, and warnings about who was left out."""
    outcome = as_numbers(table.columns["outcome"]) if binary is None else binary
    arms = table.columns["treatment"]
    known = ~np.isnan(outcome)
    warnings = _warn_missing(known, arms) if not known.all() else []
    if not known.any():
        raise Refused(f"column {table.columns['outcome'].head!r} says nothing in any row")
    before = as_numbers(table.columns["before"])[known] if options.is_given("before") else None
    units = Units(arm=arms.whole[known], outcome=outcome[known], before=before)
    if options.is_given("unit"):
        units = gather(units, table.columns["unit"].whole[known], options.text("repeated"))
    else:
        warnings.append("every row counts as a unit of its own; name the column with --unit")
    present = np.unique(units.arm)
    places: IntArray = np.searchsorted(present, units.arm).astype(np.int64)
    names = [arms.names[place] for place in present.tolist()]
    return msgspec.structs.replace(units, arm=places), names, warnings


def _is_summed(outcome: FloatArray) -> bool:
    """Say whether yes and no became numbers when rows of one unit were put together."""
    return bool(np.any((outcome != 0) & (outcome != 1)))


def _warn_missing(known: NDArray[np.bool_], arms: Cells) -> list[str]:
    """Say how many outcomes are missing, and when one arm lacks more than another."""
    left_out = int((~known).sum())
    warnings = [f"{left_out:,} rows have no outcome and were left out"]
    sizes = np.bincount(arms.whole, minlength=len(arms.names))
    missing = np.bincount(arms.whole[~known], minlength=len(arms.names))
    if len(sizes) > 1 and lift.chance_of_sizes(missing.tolist(), sizes.tolist()) < lift.SUSPECT:
        warnings.append(
            "outcomes are missing in one arm more often than in another, more than chance gives: "
            "what is left cannot be trusted to be comparable"
        )
    return warnings


def _parse_shares(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in text.split(","):
        arm, _, share = part.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = 0.0
        if not arm.strip() or not 0 < value < float("inf"):
            raise Invalid(f"--shares says {part.strip()!r}; it should be like a=0.9,b=0.1")
        shares[arm.strip()] = value
    return shares


def _answer(
    card: ModelCard, table: Table, found: ExperimentReading, warnings: list[str]
) -> FileEstimate:
    words = [each.verdict for each in found.comparisons]
    if len(found.comparisons) > 1:
        words.append(
            f"{len(found.comparisons)} arms were compared with one control, so each interval is "
            f"at {found.level * 100:.4g} %: all together are right 95 times in a hundred."
        )
    if found.adjustment is not None:
        words.append(
            f"{found.adjustment.column!r} from before explained "
            f"{found.adjustment.variance_removed:.0%} of the differences between units, which is "
            "taken out of the figures above."
        )
    words.append("This is what the arms caused, if who got what was drawn at random.")
    blank = np.array([is_missing(text) for text in table.columns["outcome"].names])
    left_out = int(blank[table.columns["outcome"].whole].sum())
    parameters = {
        each.arm: each.difference.value for each in found.comparisons if each.difference is not None
    }
    return FileEstimate(
        estimate=Experiment.name,
        words=words,
        counts=table.count(units=found.units, left_out=left_out),
        parameters=parameters,
        fit={
            "units": found.units,
            "level": found.level,
            "sizes_p_value": found.sizes_p_value,
            "adjustment": msgspec.to_builtins(found.adjustment),
        },
        result=msgspec.to_builtins(found),
        calibration={
            "refused": "a difference between arms foretells nothing that rows held out could judge"
        },
        card=card,
        warnings=warnings,
        rejected=table.rejected,
    )
