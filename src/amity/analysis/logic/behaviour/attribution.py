"""Sharing orders among the channels that came before them (pure): seven rules, none of them causal.

Sources: Anderl, Becker, von Wangenheim and Schumann (2016) for removal from a Markov chain;
Shapley (1953), and Zhao, Mahboobi and Bagheri (2018) for its use and closed form here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray

Credits = dict[str, float]
_START, _END, _LOST = 0, 1, 2


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """Journeys that are alike: their channels in the order of time, and what came of them."""

    channels: tuple[str, ...]
    journeys: int
    """How many, whether or not an order came of them."""
    orders: int
    value: int
    """Of the orders, in minor units."""


Amount = Callable[[Journey], float]
"""What is shared: orders or value."""


def share_last(journeys: Sequence[Journey], amount: Amount) -> Credits:
    """Give all to the last touch."""
    return _share(journeys, amount, lambda number: [0.0] * (number - 1) + [1.0])


def share_first(journeys: Sequence[Journey], amount: Amount) -> Credits:
    """Give all to the first touch."""
    return _share(journeys, amount, lambda number: [1.0] + [0.0] * (number - 1))


def share_evenly(journeys: Sequence[Journey], amount: Amount) -> Credits:
    """Give each touch the same."""
    return _share(journeys, amount, lambda number: [1 / number] * number)


def share_by_position(journeys: Sequence[Journey], amount: Amount) -> Credits:
    """Give the first and the last touch two fifths each, the others a fifth together."""
    return _share(journeys, amount, _positions)


def _positions(number: int) -> list[float]:
    if number <= 2:
        return [1 / number] * number
    return [0.4, *([0.2 / (number - 2)] * (number - 2)), 0.4]


def _share(
    journeys: Iterable[Journey], amount: Amount, weigh: Callable[[int], list[float]]
) -> Credits:
    credits: Credits = {}
    for journey in journeys:
        weights = weigh(len(journey.channels))
        for channel, weight in zip(journey.channels, weights, strict=True):
            credits[channel] = credits.get(channel, 0.0) + weight * amount(journey)
    return credits


def share_by_shapley(journeys: Sequence[Journey], amount: Amount) -> Credits:
    """Give each channel its Shapley value when a set is worth what it brought without others.

    The worth of a set of channels is the amount of the journeys with no channel outside of it; its
    Shapley value is the amount of each journey, shared equally among the channels in it.
    """
    credits: Credits = {}
    for journey in journeys:
        distinct = sorted(set(journey.channels))
        for channel in distinct:
            credits[channel] = credits.get(channel, 0.0) + amount(journey) / len(distinct)
    return credits


def share_by_removal(journeys: Sequence[Journey], amount: Amount) -> Credits:
    """Share by how much less likely an order is in a Markov chain from which a channel is taken.

    The chain goes from touch to touch as journeys do, and ends in an order or in none.
    """
    channels = sorted({channel for journey in journeys for channel in journey.channels})
    total = sum(amount(journey) for journey in journeys)
    if not channels or not total:
        return {}
    moves = _count_moves(journeys, {channel: n + 3 for n, channel in enumerate(channels)})
    whole = _chance_of_order(moves, None)
    effects = [
        max(0.0, 1 - _chance_of_order(moves, place + 3) / whole) for place in range(len(channels))
    ]
    scale = total / sum(effects)
    return {channel: effect * scale for channel, effect in zip(channels, effects, strict=True)}


def _count_moves(journeys: Iterable[Journey], place: Mapping[str, int]) -> FloatArray:
    moves = np.zeros((len(place) + 3, len(place) + 3))
    for journey in journeys:
        here = _START
        for channel in journey.channels:
            moves[here, place[channel]] += journey.journeys
            here = place[channel]
        moves[here, _END] += journey.orders
        moves[here, _LOST] += journey.journeys - journey.orders
    return moves


def _chance_of_order(moves: FloatArray, removed: int | None) -> float:
    """Return how likely the chain ends in an order; what would go to the removed is lost."""
    sums = moves.sum(axis=1, keepdims=True)
    chances = np.divide(moves, sums, out=np.zeros_like(moves), where=sums > 0)
    open_ = [n for n in range(len(moves)) if n not in (_END, _LOST, removed)]
    inner = chances[np.ix_(open_, open_)]
    found = np.linalg.solve(np.eye(len(open_)) - inner, chances[open_, _END])
    return float(found[0])


RULES: Final[dict[str, tuple[str, Callable[[Sequence[Journey], Amount], Credits]]]] = {
    "last": ("Last touch", share_last),
    "first": ("First touch", share_first),
    "even": ("Evenly", share_evenly),
    "position": ("By position (40/20/40)", share_by_position),
    "removal": ("Removal (Markov)", share_by_removal),
    "shapley": ("Shapley", share_by_shapley),
}


def allot(credits: Mapping[str, float], total: int) -> dict[str, int]:
    """Return whole credits that sum to the total exactly, by the largest remainders.

    All get nothing when there is nothing to share by.
    """
    everything = sum(credits.values())
    if not everything or not total:
        return dict.fromkeys(credits, 0)
    exact = {name: total * credit / everything for name, credit in sorted(credits.items())}
    whole = {name: int(np.floor(value + 1e-9)) for name, value in exact.items()}
    left = total - sum(whole.values())
    by_rest = sorted(exact, key=lambda name: (-round(exact[name] - whole[name], 6), name))
    for name in by_rest[:left]:
        whole[name] += 1
    return whole
