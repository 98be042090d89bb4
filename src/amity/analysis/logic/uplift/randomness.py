"""Whether a treatment was drawn as declared: nothing is learnt of effects unless it was.

A draw with known chances cannot be told beforehand from what is known of the units. So the best
guess of who was treated, made by models that did not see them, must go with the draw no more
than chance makes it.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.learning.calibrating import expit
from amity.analysis.logic.learning.columns import Column
from amity.analysis.logic.learning.measures import auc_interval
from amity.analysis.logic.learning.models import fit_adding, fit_trees
from amity.analysis.logic.uplift.learners import draw_folds
from amity.kernel.estimate import Estimate
from amity.kernel.lift import SUSPECT

THIN: Final = 0.05
FOLDS: Final = 3
_TREES: Final = 50


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """How the draw looks: sizes, balance, overlap."""

    treated_share: float
    declared_share: float
    sizes_p_value: float
    balance_auc: Estimate
    """How well the columns tell who was treated; 0.5 is not at all."""
    balance_p_value: float
    least_chance: float
    most_chance: float


def check_draw(
    columns: Sequence[Column],
    treated: FloatArray,
    chance: FloatArray,
    rng: np.random.Generator,
) -> tuple[Draw, list[str]]:
    """Return how the draw looks and warnings; raise Refused when it was not as declared."""
    _refuse_strata(columns, treated, chance)
    sizes = _check_sizes(treated, chance)
    guess = _guess(columns, treated, rng)
    balance = _test_balance(guess - chance, treated, chance)
    found = auc_interval(guess, treated)
    if balance < SUSPECT:
        raise Refused(
            "the treatment was not drawn at random as declared: what is known of the customers "
            f"tells who was treated (AUC {found.value:.2f}, 95 % interval {found.low:.2f} to "
            f"{found.high:.2f}; chance makes that less than once in a thousand times), so a "
            "difference between them is not the treatment's doing alone"
        )
    thin = float(np.mean((chance < THIN) | (chance > 1 - THIN)))
    warnings = []
    if thin:
        warnings.append(
            f"overlap missing: {thin:.1%} of the rows had a chance below {THIN:.0%} or above "
            f"{1 - THIN:.0%} of being treated; of such customers hardly anything can be learnt"
        )
    return (
        Draw(
            treated_share=float(treated.mean()),
            declared_share=float(chance.mean()),
            sizes_p_value=sizes,
            balance_auc=found,
            balance_p_value=balance,
            least_chance=float(chance.min()),
            most_chance=float(chance.max()),
        ),
        warnings,
    )


def _refuse_strata(columns: Sequence[Column], treated: FloatArray, chance: FloatArray) -> None:
    """Raise Refused when all rows, or none, that say one thing were treated, beyond chance.

    Of such rows nothing is known of what else would have come, and the models would make it up.
    """
    surely, never = np.log(chance), np.log1p(-chance)
    worst, where = 0.0, ""
    strata = 0
    for column in columns:
        codes, names = _strata_of(column)
        rows = np.bincount(codes, minlength=len(names))
        count = np.bincount(codes, treated, len(names))
        strata += int(np.count_nonzero(rows))
        for said, is_so, logs in (("all", count == rows, surely), ("none", count == 0, never)):
            luck = np.where(is_so & (rows > 0), np.bincount(codes, logs, len(names)), 0.0)
            place = int(np.argmin(luck))
            if luck[place] < worst:
                worst = float(luck[place])
                where = f"{said} of the {rows[place]:,} rows in which {names[place]} were treated"
    if math.exp(worst) * 2 * strata < SUSPECT:
        raise Refused(
            f"overlap missing: {where}, which the declared chances hardly ever give, so they were "
            "not drawn and nothing tells what else would have come of them; leave those rows out"
        )


def _strata_of(column: Column) -> tuple[IntArray, list[str]]:
    """Return in which part of the rows each is: a kind, or whether a number is known at all."""
    if column.kind == "number":
        known = (~np.isnan(column.values)).astype(np.int64)
        return known, [f"{column.name!r} is not known", f"{column.name!r} is known"]
    said = [f"{column.name!r} is {level!r}" if level else "" for level in column.levels]
    names = [name or f"{column.name!r} is not known" for name in said]
    return column.values.astype(np.int64), names


def _check_sizes(treated: FloatArray, chance: FloatArray) -> float:
    surplus = float(np.sum(treated - chance))
    error = math.sqrt(float(np.sum(chance * (1 - chance))))
    p_value = math.erfc(abs(surplus) / error / math.sqrt(2))
    if p_value < SUSPECT:
        raise Refused(
            f"of {len(treated):,} rows {int(treated.sum()):,} were treated where "
            f"{float(chance.sum()):,.0f} were to be; chance does that less than once in a "
            "thousand times, so rows are missing or the declared rate is wrong"
        )
    return p_value


def _guess(columns: Sequence[Column], treated: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return the chance of being treated as two models together tell it of rows left out."""
    fold = draw_folds(treated, FOLDS, rng)
    seed = int(rng.integers(2**31))
    guess = np.empty(len(treated))
    for each in range(FOLDS):
        inside, outside = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        taught = [column.take(inside) for column in columns]
        asked = [column.take(outside) for column in columns]
        models = (
            fit_adding(taught, treated[inside], strength=0.1).model,
            fit_trees(taught, treated[inside], seed=seed, rounds=_TREES).model,
        )
        guess[outside] = sum(expit(model.logit(asked)) for model in models) / len(models)
    return guess


def _test_balance(lean: FloatArray, treated: FloatArray, chance: FloatArray) -> float:
    """Return how often chance lets the draw go with a guess so much (one-sided score test)."""
    lean = lean - lean.mean()
    together = float(np.sum(lean * (treated - chance)))
    error = math.sqrt(float(np.sum(lean**2 * chance * (1 - chance))))
    return 0.5 * math.erfc(together / error / math.sqrt(2)) if error > 0 else 1.0
