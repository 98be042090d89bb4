"""What was known of a customer at a moment, and what they did after it.

A fact is a customer, an instant and, for some, a number or a text. Everything asked here is asked
"as of": facts after the moment change no feature, which a property test holds; the label looks
only at facts after it. Facts are sorted once, and each question is a search in them, so a million
facts and a hundred thousand moments cost seconds.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.learning.columns import Column

DAY_SECONDS: Final = 86_400
WINDOWS: Final = (30, 90, 365)
"""Days looked back on."""
SHIFT: Final = 2**34
"""More seconds than lie between 1970 and 2500; a customer's facts stand apart from the next's."""


class Facts(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Facts of one kind in the order of customer and time; see `sort_facts`."""

    key: IntArray
    """Customer and second in one number."""
    sums: FloatArray
    """Of the amounts up to each fact, one more than facts; empty without amounts."""
    texts: IntArray
    """The place of each fact's text in ``levels``; empty without texts."""
    levels: list[str]

    def __len__(self) -> int:
        return len(self.key)


class Moments(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Customers, each at a moment (seconds since 1970)."""

    customer: IntArray
    second: IntArray

    def __len__(self) -> int:
        return len(self.customer)


class History(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """All facts there are: events by name, orders with their amounts, traits with their texts."""

    events: Mapping[str, Facts]
    orders: Facts
    traits: Mapping[str, Facts]
    earlier: IntArray = np.zeros(0, np.int64)
    """Who had done what is predicted before all of this, sorted."""


def sort_facts(
    customer: IntArray,
    second: IntArray,
    *,
    amount: FloatArray | None = None,
    text: list[str] | None = None,
) -> Facts:
    """Return facts ready to be asked; they may come in any order."""
    key = customer * SHIFT + second
    order = np.argsort(key, kind="stable")
    sums = np.zeros(0)
    if amount is not None:
        sums = np.concatenate([[0.0], np.cumsum(amount[order])])
    levels: dict[str, int] = {"": 0}
    codes = np.zeros(0, np.int64)
    if text is not None:
        places = [levels.setdefault(each, len(levels)) for each in text]
        codes = np.array(places, np.int64)[order]
    return Facts(key=key[order], sums=sums, texts=codes, levels=list(levels))


def build_features(
    history: History, moments: Moments, *, lookback_days: int = WINDOWS[-1]
) -> list[Column]:
    """Return what was known of each customer at their moment, the moment itself included.

    Per event: how often in the last 30, 90 and 365 days, and days since the last. Orders: the
    same, and what was spent. Days since anything was first known. Traits as last told. Behaviour
    is looked at ``lookback_days`` back from every moment alike: reaching as far back as history
    happens to would make early moments look other than late ones.
    """
    columns: list[Column] = []
    windows = [days for days in WINDOWS if days <= lookback_days] or [lookback_days]
    for name, facts in (*history.events.items(), ("orders", history.orders)):
        columns += [
            _number(f"{name}, {days} days", _count(facts, moments, days).astype(np.float64))
            for days in windows
        ]
        columns.append(_number(f"days since {name}", _days_since(facts, moments, lookback_days)))
    if len(history.orders.sums):
        columns += [
            _number(f"spent, {days} days", _spent(history.orders, moments, days))
            for days in windows
        ]
    known = np.minimum(_days_known(history, moments), lookback_days)
    columns.append(_number("days known", known))
    columns += [_last_text(name, facts, moments) for name, facts in history.traits.items()]
    return columns


def label_of(facts: Facts, moments: Moments, horizon_seconds: int) -> FloatArray:
    """Return 1 for those with a fact after their moment, at most ``horizon_seconds`` after."""
    after = _before(facts, moments, moments.second)
    until = _before(facts, moments, moments.second + horizon_seconds)
    labels: FloatArray = (until > after).astype(np.float64)
    return labels


def known_at(
    history: History, moments: Moments, days: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Say of each whether anything happened in the ``days`` up to their moment."""
    seen = np.zeros(len(moments), np.bool_)
    for facts in (*history.events.values(), history.orders):
        seen |= _count(facts, moments, days) > 0
    return seen


def never_done(
    history: History, outcome: Facts, moments: Moments
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Say of each whether they had never done what is predicted by their moment."""
    done = _before(outcome, moments, moments.second) > _start(outcome, moments)
    never: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = ~(
        done | np.isin(moments.customer, history.earlier)
    )
    return never


def _before(facts: Facts, moments: Moments, second: IntArray) -> IntArray:
    """Return how many facts lie before each customer's instant or at it, of all sorted facts."""
    bounded = np.clip(second, 0, SHIFT - 1)
    return np.searchsorted(facts.key, moments.customer * SHIFT + bounded, side="right")


def _start(facts: Facts, moments: Moments) -> IntArray:
    return np.searchsorted(facts.key, moments.customer * SHIFT, side="left")


def _count(facts: Facts, moments: Moments, days: int) -> IntArray:
    since = moments.second - days * DAY_SECONDS
    counts: IntArray = _before(facts, moments, moments.second) - _before(facts, moments, since)
    return counts


def _days_since(facts: Facts, moments: Moments, most: int) -> FloatArray:
    """Return days since the last fact, NaN where there is none in so many days."""
    upto, start = _before(facts, moments, moments.second), _start(facts, moments)
    has = upto > start
    last = np.zeros(len(moments), np.int64)
    last[has] = facts.key[upto[has] - 1] % SHIFT
    days = (moments.second - last) / DAY_SECONDS
    return np.where(has & (days < most), days, np.nan)


def _spent(orders: Facts, moments: Moments, days: int) -> FloatArray:
    since = moments.second - days * DAY_SECONDS
    spent: FloatArray = (
        orders.sums[_before(orders, moments, moments.second)]
        - orders.sums[_before(orders, moments, since)]
    )
    return spent


def _days_known(history: History, moments: Moments) -> FloatArray:
    first = np.full(len(moments), np.inf)
    for facts in (*history.events.values(), history.orders):
        upto, start = _before(facts, moments, moments.second), _start(facts, moments)
        has = upto > start
        first[has] = np.minimum(first[has], facts.key[start[has]] % SHIFT)
    return np.where(np.isfinite(first), (moments.second - first) / DAY_SECONDS, np.nan)


def _last_text(name: str, facts: Facts, moments: Moments) -> Column:
    upto, start = _before(facts, moments, moments.second), _start(facts, moments)
    has = upto > start
    codes = np.zeros(len(moments))
    codes[has] = facts.texts[upto[has] - 1]
    return Column(name=name, kind="level", values=codes, levels=facts.levels)


def _number(name: str, values: FloatArray) -> Column:
    return Column(name=name, kind="number", values=values)
