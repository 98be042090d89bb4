"""The whole read-out of an experiment: its sizes, its arms, then each against the control."""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts_learning import Adjustment, ArmReading, Comparison, ExperimentReading
from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.experiments.adjusting import adjust
from amity.analysis.logic.experiments.comparing import Group, Kind, Question, compare
from amity.analysis.logic.experiments.tails import warn_of_few
from amity.analysis.logic.experiments.units import Units
from amity.kernel import lift
from amity.kernel.errors import Invalid

MOST_ARMS: Final = 20
CONTROLS: Final = ("control", "holdout", "held out", "baseline", "0", "false", "no", "none")
"""What the arm to compare with is called when nobody says, in this order."""

_ALIKE: Final = 1e-12
_NEARLY_EQUAL: Final = 1.5
"""Arms whose sizes are farther apart were hardly meant to be of one size."""


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided before: the arms by name, the control, the kind of outcome, the shares."""

    arms: list[str]
    control: str
    kind: Kind
    shares: dict[str, float] = {}
    before: str = ""
    """The column known from before, when there is one."""


def find_control(arms: list[str]) -> str:
    """Return the arm that is called like one to compare with; raise Invalid when none is."""
    for name in CONTROLS:
        for arm in arms:
            if arm.lower() == name:
                return arm
    there = ", ".join(repr(arm) for arm in arms[:10])
    raise Invalid(f"none of the arms ({there}) is called control: name it with --control")


def read_experiment(
    units: Units, design: Design, rng: np.random.Generator
) -> tuple[ExperimentReading, list[str]]:
    """Return the read-out, and warnings for people.

    Raises Refused when there are too many or too few arms, the sizes are not those declared, or
    no arm can be compared at all.
    """
    _refuse_arms(design)
    sizes = _check_sizes(units, design)
    k = len(design.arms) - 1
    question = Question(kind=design.kind, level=1 - (1 - lift.LEVEL) / k)
    active = _active(units, design)
    plain = _compare_all(units.outcome, units, design, question, active, rng)
    adjustment: Adjustment | None = None
    comparisons, warnings = plain, []
    if units.before is not None:
        warnings = _warn_before(units, design)
        outcome, adjustment = adjust(units.outcome, units.before, units.arm, design.before)
        asked = msgspec.structs.replace(question, is_adjusted=True)
        comparisons = _compare_all(outcome, units, design, asked, active, rng)
    if all(each.refused for each in comparisons):
        raise Refused(f"no claim can be made: {comparisons[0].refused}")
    if design.kind == "continuous":
        warnings += warn_of_few(
            {arm: units.outcome[units.arm == place] for place, arm in enumerate(design.arms)}
        )
    if sizes is None:
        warnings.append(_warn_unchecked(units, design))
    return (
        ExperimentReading(
            outcome=design.kind,
            control=design.control,
            level=question.level,
            units=len(units),
            arms=_read_arms(units, design),
            sizes_p_value=sizes,
            comparisons=comparisons,
            adjustment=adjustment,
            unadjusted=plain if adjustment else [],
            verdict=" ".join(each.verdict for each in comparisons),
        ),
        warnings,
    )


def _refuse_arms(design: Design) -> None:
    if len(design.arms) < 2:
        raise Refused("everybody is in one arm: there is nobody to compare with")
    if len(design.arms) > MOST_ARMS:
        raise Refused(
            f"there are {len(design.arms):,} arms, and at most {MOST_ARMS} are compared: is it "
            "the right column?"
        )
    if design.control not in design.arms:
        raise Invalid(f"there is no arm {design.control!r}; there are {', '.join(design.arms)}")


def _check_sizes(units: Units, design: Design) -> float | None:
    """Return the p-value of the arms' sizes; raise Refused when chance hardly ever gives them."""
    if not design.shares:
        return None
    if set(design.shares) != set(design.arms):
        raise Invalid("the declared shares must name every arm, and no other")
    counts = np.bincount(units.arm, minlength=len(design.arms)).tolist()
    shares = [design.shares[arm] for arm in design.arms]
    chance = lift.chance_of_sizes(counts, shares)
    if chance < lift.SUSPECT:
        found = ", ".join(
            f"{arm} has {count:,} where {len(units) * share / sum(shares):,.0f} were to be"
            for arm, count, share in zip(design.arms, counts, shares, strict=True)
        )
        raise Refused(
            f"no claim can be made: the arms are not the sizes they were drawn to be ({found}). "
            f"Chance does that once in {1 / max(chance, 1e-12):,.0f} times or less, so units are "
            "missing from an arm, and what is left cannot be compared"
        )
    return chance


def _warn_unchecked(units: Units, design: Design) -> str:
    """Say that sizes were not checked, and when arms of nearly one size cannot be of one draw."""
    said = (
        "the shares the arms were drawn in are not declared (--shares), so whether somebody is "
        "missing from an arm was not checked"
    )
    counts = np.bincount(units.arm, minlength=len(design.arms)).tolist()
    if max(counts) > _NEARLY_EQUAL * min(counts):
        return said
    chance = lift.chance_of_sizes(counts, [1.0] * len(counts))
    if chance >= lift.SUSPECT:
        return said
    sizes = ", ".join(f"{arm} {count:,}" for arm, count in zip(design.arms, counts, strict=True))
    return (
        f"{said}; if they were to be of one size, they are not ({sizes}: chance does that once in "
        f"{1 / max(chance, 1e-12):,.0f} times or less), and nothing here holds"
    )


def _active(units: Units, design: Design) -> list[int]:
    """Return of how many units of each arm the outcome is other than nothing.

    Of yes and no the rarer is counted, so that "nearly all did" is as thin as "hardly any did".
    """
    done = np.bincount(units.arm, units.outcome != 0, len(design.arms))
    sizes = np.bincount(units.arm, minlength=len(design.arms))
    if design.kind == "binary" and done.sum() > sizes.sum() / 2:
        done = sizes - done
    return [int(count) for count in done]


def _compare_all(
    outcome: FloatArray,
    units: Units,
    design: Design,
    question: Question,
    active: list[int],
    rng: np.random.Generator,
) -> list[Comparison]:
    groups = {
        arm: Group(name=arm, values=outcome[units.arm == place], active=active[place])
        for place, arm in enumerate(design.arms)
    }
    control = groups.pop(design.control)
    return [compare(group, control, question, rng) for group in groups.values()]


def _warn_before(units: Units, design: Design) -> list[str]:
    """Say when what was before differs between the arms: it cannot, if they were drawn."""
    assert units.before is not None
    known = ~np.isnan(units.before)
    places = [units.before[known & (units.arm == place)] for place in range(len(design.arms))]
    if min(len(values) for values in places) < 2 or np.ptp(units.before[known]) == 0:
        return [f"{design.before!r} is hardly known or never varies, so it cannot help"]
    chance = _between(places)
    warnings = []
    if chance < lift.SUSPECT:
        warnings.append(
            f"{design.before!r} differs between the arms more than chance gives: either they were "
            "not drawn at random, or it was not measured before"
        )
    return warnings


def _between(groups: list[FloatArray]) -> float:
    """Return the p-value of Welch's test of equal means, the smallest of all pairs corrected.

    Numbers that differ by less than can be told at their size are equal.
    """
    from scipy import stats  # noqa: PLC0415  # loads slowly

    together = np.concatenate(groups)
    if np.ptp(together) <= _ALIKE * float(np.abs(together).max(initial=0.0)):
        return 1.0
    chances = [
        float(stats.ttest_ind(groups[0], other, equal_var=False).pvalue) for other in groups[1:]
    ]
    return min(chances) * len(chances)


def _read_arms(units: Units, design: Design) -> list[ArmReading]:
    total = sum(design.shares.values())
    readings = []
    for place, name in enumerate(design.arms):
        values = units.outcome[units.arm == place]
        group = Group(name=name, values=values, active=0).arm
        is_rate = design.kind == "binary"
        readings.append(
            ArmReading(
                arm=name,
                units=len(values),
                share=len(values) / len(units),
                declared_share=design.shares[name] / total if total else None,
                outcome=lift.rate_of(group) if is_rate else lift.mean_of(group),
                total=float(values.sum()),
            )
        )
    return readings
