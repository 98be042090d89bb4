"""Why somebody's scores of orders are what they are: each fact put to what is typical, in turn.

How far a score moves when one fact alone is as with the typical customer is what that fact does to
it (one at a time, as Friedman 2001 has partial dependence); moves do not add up to the whole.
"""

from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from amity.analysis.contracts import ScoreReason
from amity.analysis.estimator import Column, Histories
from amity.analysis.logic.scores import day_of, read_orders
from amity.analysis.logic.scoring.fits import find_fits, predict_scores
from amity.analysis.logic.transactions import summarise
from amity.infra.config import settings
from amity.infra.database import transaction

_MOST: Final = 3
_LEAST_PART: Final = 0.01
FACTS: Final = ("frequency", "silent_days", "age_days", "spend")


def explain_scores(*, profile_id: int, now: datetime) -> dict[str, list[ScoreReason]]:
    """Return what moves each score of a customer's orders most, by score, the strongest first.

    Empty before a first refresh, without orders, and where the models were refused. Costs a
    prediction of five customers.
    """
    with transaction("readonly") as connection:
        fits = find_fits(connection)
        if not fits.typical:
            return {}
        orders, _ = read_orders(connection, now, settings().currency, profile_ids=[profile_id])
    histories = summarise(orders, until=day_of(now))
    if not len(histories):
        return {}
    changed = _vary(histories, fits.typical)
    # Where somebody stands among all is said by the label of the score itself.
    asked = msgspec.structs.replace(fits, rfm=None)
    words = _words(histories, fits.typical)
    columns = predict_scores(asked, changed)
    return {name: _reasons(column, words) for name, (_, column) in columns.items()}


def _vary(histories: Histories, typical: dict[str, float]) -> Histories:
    """Return the customer and, one for each of `FACTS`, the same with that fact typical."""
    many = histories.take(np.zeros(1 + len(FACTS), np.int64))
    frequency, age = many.frequency.copy(), many.age_days.copy()
    silent = age - many.recency_days
    spend = many.spend.copy()
    if frequency[0]:
        frequency[1] = max(1, round(typical["frequency"]))
        spend[4] = typical["spend"]
        silent[2] = min(round(typical["silent_days"]), int(age[2]))
    age[3] = max(round(typical["age_days"]), int(silent[3]) if frequency[3] else 0)
    recency = np.where(frequency > 0, np.maximum(age - silent, 0), 0)
    return msgspec.structs.replace(
        many, frequency=frequency, age_days=age, recency_days=recency, spend=spend
    )


def _words(histories: Histories, typical: dict[str, float]) -> list[str]:
    bought, age = int(histories.frequency[0]) + 1, int(histories.age_days[0])
    silent = age - int(histories.recency_days[0])
    basket = f"{histories.spend[0]:,.2f}"
    return [
        f"bought {bought} times, where {round(typical['frequency']) + 1} is typical",
        f"last bought {silent} days ago, where {typical['silent_days']:.0f} is typical",
        f"first bought {age} days ago, where {typical['age_days']:.0f} is typical",
        f"spends {basket} a time, where {typical['spend']:,.2f} is typical",
    ]


def _reasons(column: Column, words: list[str]) -> list[ScoreReason]:
    change = column.value[0] - column.value[1:]
    scale = max(abs(float(column.value[0])), float(np.abs(change).max()), 1e-12)
    order = np.argsort(-np.abs(change), kind="stable")[:_MOST].tolist()
    return [
        ScoreReason(text=words[place], change=float(change[place]))
        for place in order
        if abs(change[place]) >= _LEAST_PART * scale
    ]
