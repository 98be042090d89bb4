"""Predictions kept with their horizon and later compared with what happened, group by group.

Only a sample is followed, and whose predictions they are is forgotten once the time is over: what
is kept are sums over groups.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts_reliability import PredictionRound, Reliability, ReliabilityGroup
from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.calibration import describe_miss
from amity.analysis.logic.learning.measures import tenths
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.lift import wilson

_SQL = queries.load("amity.analysis")
FOLLOWED: Final = 5_000
"""How many customers of a round are followed at most: enough for groups of 500."""
_OPEN_ROUNDS: Final = 13
_SHOWN: Final = timedelta(days=2 * 365)
_Z95: Final = 1.959963984540054


class Due(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A round whose time is over: of whom it must be said what came, sorted by id."""

    profile_id: IntArray
    predicted_at: datetime
    due_at: datetime


def remember(  # noqa: PLR0913  # one argument a fact of a round
    connection: Connection,
    *,
    score: str,
    model_run_id: int,
    now: datetime,
    horizon_days: int,
    profile_id: IntArray,
    expected: FloatArray,
) -> bool:
    """Keep a round of predictions to be compared later; False when the last one is too recent.

    A week lies between rounds at least, and no more than 13 are open at a time.
    """
    between = timedelta(days=max(7, -(-horizon_days // _OPEN_ROUNDS)))
    row = connection.execute(_SQL["reliability_last"], [score]).fetchone()
    last = None if row is None else row[0]
    if not len(profile_id) or (last is not None and now - last < between):
        return False
    some = _sample(profile_id, seed=int(now.timestamp()) // 86_400)
    ids, said = profile_id[some], expected[some]
    place = tenths(said)
    due = now + timedelta(days=horizon_days)
    for group in np.unique(place).tolist():
        inside = place == group
        connection.execute(
            _SQL["reliability_open"],
            [score, now, group, due, model_run_id, int(inside.sum()), float(said[inside].mean())],
        )
    with connection.cursor() as cursor, cursor.copy(_SQL["predictions_copy"]) as copy:
        copy.set_types(["text", "timestamptz", "int8", "int2"])
        for profile, group in zip(ids.tolist(), place.tolist(), strict=True):
            copy.write_row((score, now, profile, group))
    return True


def _sample(profile_id: IntArray, *, seed: int) -> IntArray:
    """Return the places of those who are followed, in order."""
    size = len(profile_id)
    if size <= FOLLOWED:
        return np.arange(size)
    chosen = np.random.default_rng(seed).choice(size, FOLLOWED, replace=False)
    places: IntArray = np.sort(chosen).astype(np.int64)
    return places


def settle(
    connection: Connection,
    *,
    score: str,
    now: datetime,
    observe: Callable[[Due], FloatArray],
) -> int:
    """Compare every round that is due with what came, and forget whose it was; how many rounds.

    ``observe`` says what came of each customer, NaN where it cannot be known.
    """
    rounds = connection.execute(_SQL["reliability_due"], [score, now]).fetchall()
    for predicted_at, due_at in rounds:
        rows = connection.execute(_SQL["predictions_of"], [score, predicted_at]).fetchall()
        table = np.array(rows, np.int64).reshape(-1, 2)
        due = Due(profile_id=table[:, 0], predicted_at=predicted_at, due_at=due_at)
        came = observe(due) if len(table) else np.empty(0)
        known = ~np.isnan(came)
        for (place,) in connection.execute(_SQL["reliability_places"], [score, predicted_at]):
            some = came[known & (table[:, 1] == place)]
            sums = [len(some), float(some.sum()), float((some**2).sum())]
            connection.execute(_SQL["reliability_settle"], [*sums, score, predicted_at, place])
        connection.execute(_SQL["predictions_drop"], [score, predicted_at])
    return len(rounds)


def stop_following(connection: Connection, *, score: str) -> None:
    """Forget the predictions of a score that are open, and whose they were; what came stays."""
    connection.execute(_SQL["predictions_drop_all"], [score])
    connection.execute(_SQL["reliability_drop_open"], [score])


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One group of one round."""

    score: str
    predicted_at: datetime
    due_at: datetime
    place: int
    model_run_id: int
    customers: int
    expected: float
    observed_customers: int | None
    observed_sum: float | None
    observed_squares: float | None


def list_reliability(*, now: datetime) -> list[Reliability]:
    """Return how far predictions came true, by score, over the rounds of the last two years."""
    with transaction("readonly") as connection:
        found = connection.execute(_SQL["reliability_list"], [now - _SHOWN]).fetchall()
    rows = [_Row(**dict(zip(_Row.__struct_fields__, row, strict=True))) for row in found]
    return [_describe(score, list(some)) for score, some in groupby(rows, lambda row: row.score)]


def _describe(score: str, rows: list[_Row]) -> Reliability:
    settled = [row for row in rows if row.observed_customers]
    is_share = all(row.observed_sum == row.observed_squares for row in settled)
    rounds = [_round(list(some)) for _, some in groupby(rows, lambda row: row.predicted_at)]
    groups = [
        _pool([row for row in settled if row.place == place], is_share=is_share)
        for place in sorted({row.place for row in settled})
    ]
    horizon = rows[0].due_at - rows[0].predicted_at
    drift, has_drifted = _look_for_drift(settled)
    return Reliability(
        score=score,
        horizon_days=horizon.days,
        is_share=is_share,
        groups=groups,
        rounds=rounds,
        sentence=_say(groups, rounds),
        drift=drift,
        has_drifted=has_drifted,
    )


def _look_for_drift(settled: list[_Row]) -> tuple[str, bool]:
    """Compare the average miss of the latest settled round with that of those before."""
    times = sorted({row.predicted_at for row in settled})
    if len(times) < 2:
        return "", False
    last = [row for row in settled if row.predicted_at == times[-1]]
    before = [row for row in settled if row.predicted_at != times[-1]]
    (now, now_error), (then, then_error) = _miss(last), _miss(before)
    has_drifted = abs(now - then) > _Z95 * float(np.hypot(now_error, then_error))
    about = f"the round of {times[-1]:%Y-%m-%d} came {now:+.3g} a customer from what was said, "
    about += f"those before {then:+.3g}"
    if has_drifted:
        return f"It has drifted: {about}", True
    return f"No drift to be seen: {about}, within what chance gives", False


def _miss(rows: Iterable[_Row]) -> tuple[float, float]:
    """Return how much more came than was said, a customer, and its standard error."""
    known = list(rows)
    number = sum(row.observed_customers or 0 for row in known)
    came = sum(row.observed_sum or 0.0 for row in known)
    said = sum((row.observed_customers or 0) * row.expected for row in known)
    squares = sum(row.observed_squares or 0.0 for row in known)
    variance = max(squares / number - (came / number) ** 2, 0.0)
    return (came - said) / number, float(np.sqrt(variance / number))


def _say(groups: list[ReliabilityGroup], rounds: list[PredictionRound]) -> str:
    if not groups:
        first = min(a_round.due_at for a_round in rounds)
        return (
            "Not enough time has passed yet: the first predictions can be compared with what came "
            f"on {first:%Y-%m-%d}"
        )
    expected = sum(group.expected * group.customers for group in groups)
    observed = sum(group.observed * group.customers for group in groups)
    return describe_miss(expected, observed, "in all")


def _round(rows: list[_Row]) -> PredictionRound:
    known = [row for row in rows if row.observed_customers]
    counted = [(row.observed_customers or 0, row) for row in known] or [
        (row.customers, row) for row in rows
    ]
    return PredictionRound(
        predicted_at=rows[0].predicted_at,
        due_at=rows[0].due_at,
        model_run_id=rows[0].model_run_id,
        customers=sum(number for number, _ in counted),
        expected=sum(number * row.expected for number, row in counted),
        observed=sum(row.observed_sum or 0.0 for row in known) if known else None,
    )


def _pool(rows: Iterable[_Row], *, is_share: bool) -> ReliabilityGroup:
    """Return one group over several rounds; who was left out counts in neither."""
    known = list(rows)
    number = sum(row.observed_customers or 0 for row in known)
    came = sum(row.observed_sum or 0.0 for row in known)
    squares = sum(row.observed_squares or 0.0 for row in known)
    mean = came / number
    if is_share:
        low, high = wilson(came, number)
    else:
        variance = max(squares / number - mean * mean, 0.0) * number / max(number - 1, 1)
        half = _Z95 * float(np.sqrt(variance / number))
        low, high = max(0.0, mean - half), mean + half
    expected = sum((row.observed_customers or 0) * row.expected for row in known) / number
    return ReliabilityGroup(
        place=known[0].place,
        customers=number,
        expected=expected,
        observed=mean,
        low=low,
        high=high,
    )
