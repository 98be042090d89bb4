"""What is chosen for each customer among hours or channels, and how likely an answer is there."""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.preferences.hours import BLOCKS, HOURS, block_of, population_profile
from amity.analysis.logic.preferences.leaning import Leaning, learn_leaning

SURE: Final = 0.05
FEWEST_MESSAGES: Final = 200
FEWEST_ANSWERS: Final = 50
_MOST_LIKELY: Final = 0.98


class Chosen(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is chosen for each customer."""

    best: IntArray
    index: FloatArray
    """How many times as likely as the population they answer there."""
    low: FloatArray
    high: FloatArray
    is_own: FloatArray
    """1 where the customer's own answers show the preference, 0 where it is the population's."""


class Messages(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Messages: to whom (a place below ``size``), in which hour of their week, if answered."""

    customer: IntArray
    hour: IntArray
    answered: FloatArray
    size: int

    def __len__(self) -> int:
        return len(self.hour)

    def take(self, rows: IntArray) -> "Messages":
        """Return some of the messages, of the same customers."""
        return Messages(
            customer=self.customer[rows],
            hour=self.hour[rows],
            answered=self.answered[rows],
            size=self.size,
        )


class Hours(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is learnt of hours: of all together, and of each customer."""

    profile: FloatArray
    blocks: Leaning
    chosen: Chosen
    level: FloatArray
    """How likely each customer answers a message at all, drawn to that of all; also its ends."""
    level_low: FloatArray
    level_high: FloatArray
    usual: FloatArray
    """What profile and leaning make of the hours the customer's messages came in."""

    def chance(self, customer: IntArray, hour: IntArray, *, own: bool = True) -> FloatArray:
        """Return how likely customers are to answer at hours; without ``own`` leanings, as all."""
        index = self.blocks.index[customer, block_of(hour)] if own else 1.0
        chances: FloatArray = self.level[customer] * self.profile[hour] * index
        return np.minimum(chances / self.usual[customer], _MOST_LIKELY)


def refuse_too_little(messages: Messages) -> None:
    """Raise Refused when so few messages, or answers, or hours, cannot say anything."""
    answers = int(messages.answered.sum())
    if len(messages) < FEWEST_MESSAGES:
        raise Refused(f"{len(messages):,} messages, and it takes at least {FEWEST_MESSAGES}")
    if answers < FEWEST_ANSWERS:
        raise Refused(f"{answers:,} messages were answered, and it takes at least {FEWEST_ANSWERS}")
    if len(np.unique(messages.hour)) < 2:
        raise Refused(f"all {len(messages):,} messages left in one hour of the week")


def learn_hours(messages: Messages, rng: np.random.Generator) -> Hours:
    """Learn when all answer, and when each customer does; raise Refused for too little."""
    refuse_too_little(messages)
    customer, hour = messages.customer, messages.hour
    profile = population_profile(hour, messages.answered)
    shape = (messages.size, BLOCKS)
    blocks = learn_places(customer, block_of(hour), messages.answered, shape, rng)
    sent = np.bincount(customer, minlength=messages.size)
    came = np.bincount(customer, messages.answered, messages.size).astype(np.float64)
    level, low, high = draw_to_mean(sent.astype(np.float64), came)
    said = profile[hour] * blocks.index[customer, block_of(hour)]
    usual = np.bincount(customer, said, messages.size) / np.maximum(sent, 1)
    return Hours(
        profile=profile,
        blocks=blocks,
        chosen=choose_hours(blocks, profile, np.bincount(hour, minlength=HOURS)),
        level=level,
        level_low=low,
        level_high=high,
        usual=np.where(sent > 0, usual, float(messages.answered.mean())),
    )


def learn_places(
    customer: IntArray,
    place: IntArray,
    answered: FloatArray,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> Leaning:
    """Learn which places (parts of the week, channels) customers lean to; ``shape`` is both."""
    cell = customer * shape[1] + place
    size = shape[0] * shape[1]
    sent = np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
    came = np.bincount(cell, weights=answered, minlength=size).reshape(shape).astype(np.float64)
    profile = (came.sum(axis=0) + 1) / (sent.sum(axis=0) + 2)
    return learn_leaning(sent, came, profile, rng)


def choose_hours(leaning: Leaning, profile: FloatArray, tried: IntArray) -> Chosen:
    """Return each customer's best hour among those at which anything was ever sent."""
    block = block_of(np.arange(HOURS))
    open_hours = np.where(tried > 0, profile, 0.0)
    best_in_block = np.array(
        [int(np.argmax(np.where(block == each, open_hours, -1.0))) for each in range(BLOCKS)]
    )
    best_block = np.argmax(leaning.index * open_hours[best_in_block], axis=1)
    return choose(leaning, best_block, best_in_block[best_block])


def choose(leaning: Leaning, place: IntArray, best: IntArray) -> Chosen:
    """Return what is chosen, ``best``, with how far customers lean to its ``place``."""
    low, high = leaning.limits()
    rows = np.arange(len(place))
    own = (low[rows, place] > 1) * (leaning.p_value < SURE)
    return Chosen(
        best=best,
        index=leaning.index[rows, place],
        low=low[rows, place],
        high=high[rows, place],
        is_own=own.astype(np.float64),
    )


def draw_to_mean(sent: FloatArray, came: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each customer's share, drawn to that of all, and its 95 % interval.

    Shares are beta distributed; how widely is found by moments (Kleinman 1973).
    """
    from scipy import stats  # noqa: PLC0415  # loads slowly

    mean = float(came.sum() / max(sent.sum(), 1))
    spread = max(mean * (1 - mean), 1e-9)
    seen = float(np.sum((came - sent * mean) ** 2)) / spread
    pairs = max(float(np.sum(sent * (sent - 1.0))), 1.0)
    alike = min(max((seen - float(sent.sum())) / pairs, 1e-4), 0.9)
    weight = (1 - alike) / alike
    hits, misses = came + weight * mean, sent - came + weight * (1 - mean)
    low, high = (np.asarray(stats.beta.ppf(level, hits, misses)) for level in (0.025, 0.975))
    return hits / (hits + misses), low, high
