"""One arm against the control: difference, relative lift, chance, and what could have been seen.

The maths of two groups are those of campaigns (`kernel.lift`, docs/algorithms/lift.md), so that an
experiment in a file and one in the store are read alike.
"""

import math
from statistics import NormalDist
from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis.contracts_learning import Comparison
from amity.analysis.estimator import FloatArray
from amity.kernel import lift
from amity.kernel.estimate import Estimate
from amity.kernel.lift import Arm, Lift

Kind = Literal["binary", "continuous"]
POWER: Final = 0.8
_MOST_WORK: Final = 200_000_000
_FEWEST_DRAWS: Final = 499
_NORMAL: Final = NormalDist()


class Group(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One arm: the outcome of each unit, and of how many it is other than nothing."""

    name: str
    values: FloatArray
    active: int

    @property
    def arm(self) -> Arm:
        """Return it as the maths of two groups want it."""
        spent = self.values[self.values != 0]
        return Arm(customers=len(self.values), converted=len(spent), spent=spent.tolist())


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of every pair: the kind of outcome and the level of the intervals."""

    kind: Kind
    level: float
    is_adjusted: bool = False

    @property
    def is_rate(self) -> bool:
        """Say whether the outcome is still 0 or 1."""
        return self.kind == "binary" and not self.is_adjusted


def compare(
    group: Group, control: Group, question: Question, rng: np.random.Generator
) -> Comparison:
    """Return what one arm did against the control; `refused` says why when nothing can be."""
    refusal = _refuse(group, control)
    found = None if refusal else _difference(group, control, question, rng)
    if not refusal and found is None:
        refusal = "everybody's outcome is the same"
    if found is None:
        return Comparison(
            arm=group.name,
            against=control.name,
            difference=None,
            relative=None,
            p_value=None,
            is_significant=None,
            smallest_effect=None,
            verdict=f"No claim can be made about {group.name}: {refusal}.",
            refused=refusal,
        )
    is_significant = found.p_value < 1 - question.level
    smallest = _smallest_effect(group, control, question.level)
    return Comparison(
        arm=group.name,
        against=control.name,
        difference=found.estimate,
        relative=relative_lift(group, control, question, found),
        p_value=found.p_value,
        is_significant=is_significant,
        smallest_effect=smallest,
        verdict=_judge(group, control, question, found, smallest),
    )


def _refuse(group: Group, control: Group) -> str:
    for each in (group, control):
        if len(each.values) < lift.FEWEST_CUSTOMERS:
            return (
                f"{each.name} has {len(each.values):,} units, and it takes at least "
                f"{lift.FEWEST_CUSTOMERS} in each arm"
            )
    smaller = min(len(group.values), len(control.values))
    share = smaller / (len(group.values) + len(control.values))
    active = group.active + control.active
    if active * share < lift.FEWEST_BUYERS:
        return (
            f"{active:,} units of both arms had an outcome at all, and chance puts "
            f"{active * share:.1f} of them into the smaller one; it takes at least "
            f"{lift.FEWEST_BUYERS}"
        )
    return ""


def _difference(
    group: Group, control: Group, question: Question, rng: np.random.Generator
) -> Lift | None:
    if question.is_rate:
        return rate_lift(group.arm, control.arm, question.level)
    units = len(group.values) + len(control.values)
    is_many = min(group.active, control.active) >= lift.MANY_BUYERS
    return lift.revenue_difference(
        group.arm,
        control.arm,
        rng,
        many=0 if is_many else units,
        draws=min(lift.DRAWS, max(_FEWEST_DRAWS, _MOST_WORK // units)),
        level=question.level,
    )


def rate_lift(group: Arm, control: Arm, level: float) -> Lift | None:
    """Return the difference of two rates and the p-value that goes with its interval.

    The p-value is one minus the level at which Newcombe's interval just reaches zero, so the two
    never disagree. None when all or none converted.
    """
    if group.converted + control.converted in {0, group.customers + control.customers}:
        return None
    estimate = lift.rate_difference(group, control, level=level)
    assert estimate is not None
    low, high = 0.0, 40.0
    for _ in range(60):
        z = (low + high) / 2
        # erfc keeps what is left of the tail far out, where 1 - level is lost in rounding.
        if _reaches_zero(group, control, z):
            high = z
        else:
            low = z
    return Lift(estimate=estimate, p_value=math.erfc(low / math.sqrt(2)))


def _reaches_zero(group: Arm, control: Arm, z: float) -> bool:
    one, other = (_score_interval(arm, z) for arm in (group, control))
    rates = group.converted / group.customers, control.converted / control.customers
    difference = rates[0] - rates[1]
    low = difference - math.hypot(rates[0] - one[0], other[1] - rates[1])
    high = difference + math.hypot(one[1] - rates[0], rates[1] - other[0])
    return low <= 0 <= high


def _score_interval(arm: Arm, z: float) -> tuple[float, float]:
    rate, weight = arm.converted / arm.customers, z * z / arm.customers
    half = math.sqrt(weight * (rate * (1 - rate) + weight / 4))
    middle = rate + weight / 2
    return (middle - half) / (1 + weight), (middle + half) / (1 + weight)


def relative_lift(group: Group, control: Group, question: Question, found: Lift) -> Estimate | None:
    """Return the difference as a share of the control's mean; never at odds with the difference.

    Of rates the interval is made of both arms' score intervals (MOVER: Donner and Zou, Statistical
    Methods in Medical Research 21 (2012) 347-359), of numbers it is Fieller's with the quantiles
    the difference has. None when the control's mean cannot be told from zero: any share is then
    possible.
    """
    if question.is_rate:
        return _ratio_of_rates(group.arm, control.arm, question.level)
    return _ratio_of_means(group.values, control.values, found.estimate)


def _ratio_of_rates(group: Arm, control: Arm, level: float) -> Estimate | None:
    one, other = lift.rate_of(group, level=level), lift.rate_of(control, level=level)
    if one is None or other is None or not other.value:
        return None
    both = one.value * other.value
    low_parts = one.low * (2 * one.value - one.low), other.high * (2 * other.value - other.high)
    high_parts = one.high * (2 * one.value - one.high), other.low * (2 * other.value - other.low)
    low_root, high_root = (
        math.sqrt(max(both * both - part * rest, 0.0)) for part, rest in (low_parts, high_parts)
    )
    low = low_parts[0] / (both + low_root) if both else 0.0
    high = (both + high_root) / high_parts[1]
    return Estimate(value=one.value / other.value - 1, low=low - 1, high=high - 1)


def _ratio_of_means(
    values: FloatArray, control: FloatArray, difference: Estimate
) -> Estimate | None:
    """Return the ratios R for which (m1 - R m0) / sqrt(v1 + R2 v0) is no farther out than chance.

    E. C. Fieller, Journal of the Royal Statistical Society B 16 (1954) 175-185.
    """
    one, other = float(values.mean()), float(control.mean())
    noise = float(values.var(ddof=1)) / len(values)
    noise_control = float(control.var(ddof=1)) / len(control)
    error = math.sqrt(noise + noise_control)
    ends, way = [], 1 if other > 0 else -1
    for limit, end in ((difference.low, -1), (difference.high, 1)):
        z2 = ((difference.value - limit) / error) ** 2
        a, c = other * other - z2 * noise_control, one * one - z2 * noise
        under_root = one * one * other * other - a * c
        if a <= 0 or under_root < 0:
            return None
        ends.append((one * other + way * end * math.sqrt(under_root)) / a)
    low, high = sorted(ends)
    return Estimate(value=one / other - 1, low=low - 1, high=high - 1)


def _smallest_effect(group: Group, control: Group, level: float) -> float:
    error = math.sqrt(
        sum(float(each.values.var(ddof=1)) / len(each.values) for each in (group, control))
    )
    return (_NORMAL.inv_cdf((1 + level) / 2) + _NORMAL.inv_cdf(POWER)) * error


def _judge(group: Group, control: Group, question: Question, found: Lift, smallest: float) -> str:
    estimate = found.estimate
    scale, unit = (100, " percentage points") if question.kind == "binary" else (1, "")
    direction = "higher" if estimate.value >= 0 else "lower"
    low, high = estimate.low * scale, estimate.high * scale
    sentence = (
        f"{group.name} is {abs(estimate.value) * scale:.3g}{unit} {direction} than "
        f"{control.name} ({question.level:.4g} interval {low:.3g} to {high:.3g}): "
    ).replace(f"{question.level:.4g} interval", f"{question.level * 100:.4g} % interval")
    if found.p_value < 1 - question.level:
        return f"{sentence}more than chance."
    return (
        f"{sentence}within what chance gives. A difference of {smallest * scale:.3g}{unit} would "
        "have been found in eight of ten such experiments."
    )
