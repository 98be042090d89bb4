"""A model from facts to scores: moments to learn at, what was known then, what came, who is scored.

Moments lie a horizon apart, so nothing that one learns from is looked at again by another, and
the last of them judges: what was said then is compared with what has happened since.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.learning.columns import Column, why_useless
from amity.analysis.logic.learning.kept import KeptModel, keep_model
from amity.analysis.logic.learning.moments import (
    DAY_SECONDS,
    SHIFT,
    WINDOWS,
    Facts,
    History,
    Moments,
    build_features,
    known_at,
    label_of,
    never_done,
)
from amity.analysis.logic.learning.propensity import Learnt, Told, learn, list_reasons, tell
from amity.analysis.logic.learning.splitting import Split
from amity.analysis.logic.learning.watching import drift_of, warn_drift

ACTIVE_DAYS: Final = 365
"""Whoever did nothing for so long is neither learnt from nor scored."""
MOST_MOMENTS: Final = 6
FEWEST_MOMENTS: Final = 3
WARM_DAYS: Final = 14
"""Days before the first moment that must be known, so that there is something to know."""
MOST_ROWS: Final = 300_000


class Predicted(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Who is scored, with what, why, and what is known about the model."""

    customer: IntArray
    told: Told
    reasons: list[list[str]]
    learnt: Learnt
    cutoffs: list[int]
    """Seconds since 1970, oldest first; the last judged."""
    drift: dict[str, float]
    """Population stability index between the rows learnt from and those scored."""
    kept: KeptModel | None
    """Enough to score somebody until the next time; None of a model that is not kept."""
    warnings: list[str]


def predict(  # noqa: PLR0913  # one argument a part of the question
    history: History,
    outcome: Facts,
    *,
    horizon_days: int,
    now_second: int,
    members: IntArray | None,
    rng: np.random.Generator,
    is_first: bool = False,
) -> Predicted:
    """Learn at past moments and score now; ``members`` are scored, or everybody active.

    With ``is_first`` only those are looked at who had never done it by the moment. Raises Refused
    when the history is too short or there is too little to learn from.
    """
    cutoffs, lookback = choose_cutoffs(history, horizon_days, now_second)
    customers = _all_customers(history)
    first_of = outcome if is_first else None
    moments, place = _sample(history, customers, cutoffs, rng, first_of)
    label = label_of(outcome, moments, horizon_days * DAY_SECONDS)
    features = build_features(history, moments, lookback_days=lookback)
    kept = [at for at, column in enumerate(features) if not why_useless(column)]
    columns = [features[at] for at in kept]
    last = len(cutoffs) - 1
    split = Split(
        kind="time",
        learn=np.flatnonzero(place < last - 1),
        choose=np.flatnonzero(place == last - 1),
        judge=np.flatnonzero(place == last),
    )
    learnt = learn(columns, label, moments.second.astype(np.float64), rng, split=split)
    scored = who_now(history, customers, members, now_second)
    scored = still_to_do(history, scored, first_of)
    if not len(scored):
        raise Refused(f"of {len(customers):,} customers nobody that is to be scored was active")
    today = build_features(history, scored, lookback_days=lookback)
    asked = [today[at] for at in kept]
    drift = _drift([column.take(split.learn) for column in columns], asked)
    sizes = len(split.learn), len(scored)
    return Predicted(
        customer=scored.customer,
        told=tell(learnt, asked),
        reasons=list_reasons(learnt, asked),
        learnt=learnt,
        cutoffs=cutoffs,
        drift=drift,
        kept=keep_model(
            learnt, events=list(history.events), columns=columns, lookback_days=lookback
        ),
        warnings=[
            *learnt.warnings,
            *warn_drift(drift, "among those scored than among those learnt from", sizes),
        ],
    )


def choose_cutoffs(history: History, horizon_days: int, now_second: int) -> tuple[list[int], int]:
    """Return moments, and how many days before each are looked at.

    Up to six moments, a horizon apart, the last a horizon ago, oldest first; so many that before
    the first there is still some time, the same for all.
    """
    first = min(
        (
            int((facts.key % SHIFT).min())
            for facts in (*history.events.values(), history.orders)
            if len(facts)
        ),
        default=now_second,
    )
    days = (now_second - first) / DAY_SECONDS
    count = int((days - WARM_DAYS) // horizon_days)
    if count < FEWEST_MOMENTS:
        needed = FEWEST_MOMENTS * horizon_days + WARM_DAYS
        raise Refused(
            f"to learn what happens within {horizon_days} days takes {needed} days of history, "
            f"and there are {max(0, int(days))}: a shorter horizon may do"
        )
    roomy = int((days - max(WINDOWS[1], horizon_days)) // horizon_days)
    count = min(count, MOST_MOMENTS, max(FEWEST_MOMENTS, roomy))
    cutoffs = [now_second - place * horizon_days * DAY_SECONDS for place in range(count, 0, -1)]
    return cutoffs, min(WINDOWS[-1], (cutoffs[0] - first) // DAY_SECONDS)


def _all_customers(history: History) -> IntArray:
    keys = [facts.key // SHIFT for facts in (*history.events.values(), history.orders)]
    return np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.int64)


def _sample(
    history: History,
    customers: IntArray,
    cutoffs: Sequence[int],
    rng: np.random.Generator,
    first_of: Facts | None,
) -> tuple[Moments, IntArray]:
    """Return who was active at each moment, and the moment's place; a random share if too many.

    With ``first_of`` only who had never done it.
    """
    place = np.repeat(np.arange(len(cutoffs)), len(customers))
    moments = Moments(
        customer=np.tile(customers, len(cutoffs)),
        second=np.array(cutoffs, np.int64)[place],
    )
    looked_at = known_at(history, moments, ACTIVE_DAYS)
    if first_of is not None:
        looked_at &= never_done(history, first_of, moments)
    rows = np.flatnonzero(looked_at)
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    return Moments(customer=moments.customer[rows], second=moments.second[rows]), place[rows]


def who_now(
    history: History, customers: IntArray, members: IntArray | None, now_second: int
) -> Moments:
    """Return who is to be scored now: of these customers, or members, who were active."""
    if members is not None:
        customers = np.intersect1d(customers, members)
    moments = Moments(customer=customers, second=np.full(len(customers), now_second, np.int64))
    rows = np.flatnonzero(known_at(history, moments, ACTIVE_DAYS))
    return Moments(customer=moments.customer[rows], second=moments.second[rows])


def still_to_do(history: History, moments: Moments, first_of: Facts | None) -> Moments:
    """Return those who had never done something by their moment; everybody without it."""
    if first_of is None:
        return moments
    rows = np.flatnonzero(never_done(history, first_of, moments))
    return Moments(customer=moments.customer[rows], second=moments.second[rows])


def _drift(before: Sequence[Column], now: Sequence[Column]) -> dict[str, float]:
    found = {}
    for old, new in zip(before, now, strict=True):
        both = msgspec.structs.replace(old, values=np.concatenate([old.values, new.values]))
        rows = np.arange(len(both))
        found[old.name] = drift_of(both, rows[: len(old)], rows[len(old) :])
    return found


def report_of(found: Predicted) -> dict[str, Any]:
    """Return the model card's figures as plain data, to be kept with the run."""
    learnt = found.learnt
    return {
        "model": learnt.chosen.model,
        "calibrator": learnt.chosen.calibration,
        "base_rate": learnt.base_rate,
        "rows": learnt.rows,
        "cutoffs": found.cutoffs,
        "quality": msgspec.to_builtins(learnt.quality),
        "other": msgspec.to_builtins(learnt.other),
        "weight": learnt.weight,
        "auc_alone": learnt.watch.auc_alone,
        "drift_of_learning": learnt.watch.drift,
        "drift": found.drift,
        "warnings": found.warnings,
        "calibration": {"groups": msgspec.to_builtins(learnt.quality.groups)},
        "mean_probability": _mean(found.told.probability),
        "follows": found.kept is not None,
        "kept": msgspec.to_builtins(found.kept),
    }


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else 0.0
