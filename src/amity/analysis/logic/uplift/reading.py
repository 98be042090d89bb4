"""A trial from beginning to end: enough rows, a draw as declared, effects learnt and judged."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, Refused
from amity.analysis.logic.experiments.tails import warn_of_few
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.models import learn_encoding, spread, stack
from amity.analysis.logic.uplift.judging import Verdict, judge
from amity.analysis.logic.uplift.learners import Effects, Trial, learn_effects
from amity.analysis.logic.uplift.randomness import Draw, check_draw
from amity.analysis.logic.uplift.regressions import Base, Matrices

FEWEST_OF_EACH: Final = 100
_FEWEST_OUTCOMES: Final = 20
_SURE: Final = 0.05
_YES_AND_NO: Final = 2


class Given(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of every row from before, who was treated, with what chance, what came."""

    columns: Sequence[Column]
    treated: FloatArray
    outcome: FloatArray
    chance: FloatArray


class Reading(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """All that came of it."""

    draw: Draw
    effects: Effects
    verdict: Verdict
    warnings: list[str]

    @property
    def differs(self) -> bool:
        """Say whether effects differ between customers more than chance gives."""
        return self.verdict.heterogeneity_p_value < _SURE


def make_matrices(columns: Sequence[Column]) -> Matrices:
    """Return columns as the regressions want them."""
    encodings = [learn_encoding(column) for column in columns]
    return Matrices(
        linear=spread(columns, encodings)[0],
        trees=stack(columns, encodings),
        is_level=[each.kind == "level" for each in encodings],
    )


def refuse_too_little(treated: FloatArray, outcome: FloatArray) -> None:
    """Raise Refused when an arm is too small, or hardly anything came of anybody."""
    sizes = {"treated": int(treated.sum()), "not treated": int(len(treated) - treated.sum())}
    for name, count in sizes.items():
        if count < FEWEST_OF_EACH:
            raise Refused(f"{count:,} were {name}, and it takes at least {FEWEST_OF_EACH}")
    if np.ptp(outcome) == 0:
        raise Refused(f"the outcome of all {len(outcome):,} rows is the same")
    values, counts = np.unique(outcome, return_counts=True)
    rarer = int(len(outcome) - counts.max()) if len(values) > 2 else int(counts.min())
    if rarer < _FEWEST_OUTCOMES:
        raise Refused(
            f"only {rarer:,} rows have another outcome than the rest, and it takes at least "
            f"{_FEWEST_OUTCOMES}"
        )


def read_trial(
    given: Given, rng: np.random.Generator, *, cost: float = 0.0, base: Base | None = None
) -> Reading:
    """Return for whom the treatment works, judged on rows each model never saw.

    ``cost`` is that of treating one, in units of the outcome. Raises Refused when there is too
    little, or the draw was not as declared.
    """
    refuse_too_little(given.treated, given.outcome)
    if not given.columns:
        raise Refused("no column is left to tell customers apart by")
    draw, warnings = check_draw(given.columns, given.treated, given.chance, rng)
    if len(np.unique(given.outcome)) > _YES_AND_NO:
        arms = (("the treated", 1), ("those not treated", 0))
        warnings += warn_of_few({name: given.outcome[given.treated == arm] for name, arm in arms})
    trial = Trial(
        matrices=make_matrices(given.columns),
        treated=given.treated,
        outcome=given.outcome,
        chance=given.chance,
    )
    effects = learn_effects(trial, rng, base)
    verdict = judge(effects, cost, rng)
    return Reading(draw=draw, effects=effects, verdict=verdict, warnings=warnings)


def advise(reading: Reading, cost: float) -> str:
    """Say in one sentence whom to treat."""
    verdict = reading.verdict
    mean, share = verdict.mean_effect, verdict.share
    if reading.differs:
        return (
            f"It works for some more than for others: treat the {share.share:.0%} with the highest "
            f"effects (any share from {share.low:.0%} to {share.high:.0%} may be the best); that "
            f"gains {share.gain.value:.3g} per customer of all over treating nobody "
            f"({share.gain.low:.3g} to {share.gain.high:.3g})."
        )
    begin = "That it works for some more than for others cannot be told from chance: "
    if mean.low > cost:
        return f"{begin}treat everybody."
    if mean.high < cost:
        return f"{begin}treat nobody."
    return f"{begin}nor can it be told whether to treat everybody or nobody."
