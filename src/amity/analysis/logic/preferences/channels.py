"""By which channel each customer answers: leanings around what all answer there."""

from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.preferences.backtesting import LEARNT_SHARE, judge
from amity.analysis.logic.preferences.choosing import (
    FEWEST_ANSWERS,
    FEWEST_MESSAGES,
    Chosen,
    choose,
    draw_to_mean,
    learn_places,
)
from amity.analysis.logic.preferences.leaning import Leaning

FEWEST_OF_CHANNEL: Final = 10
"""Answers below which a channel is not counted."""
_MOST_LIKELY: Final = 0.98


class Outreach(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Messages: to whom (a place below ``size``), by which channel (a place in ``names``)."""

    customer: IntArray
    channel: IntArray
    answered: FloatArray
    size: int
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.channel)

    def take(self, rows: IntArray) -> "Outreach":
        """Return some of the messages, of the same customers."""
        return msgspec.structs.replace(
            self,
            customer=self.customer[rows],
            channel=self.channel[rows],
            answered=self.answered[rows],
        )

    def sums(self) -> list[tuple[str, int, int]]:
        """Return each channel with how many messages went by it, and how many were answered."""
        sent = np.bincount(self.channel, minlength=len(self.names)).tolist()
        came = np.bincount(self.channel, self.answered, len(self.names)).tolist()
        return [(name, *pair) for name, *pair in zip(self.names, sent, map(int, came), strict=True)]


class Channels(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is learnt of channels: of all together, and of each customer."""

    profile: FloatArray
    leaning: Leaning
    chosen: Chosen
    level: FloatArray
    usual: FloatArray

    def chance(self, customer: IntArray, channel: IntArray, *, own: bool = True) -> FloatArray:
        """Return how likely customers are to answer there; without ``own`` leanings, as all."""
        index = self.leaning.index[customer, channel] if own else 1.0
        chances: FloatArray = self.level[customer] * self.profile[channel] * index
        return np.minimum(chances / self.usual[customer], _MOST_LIKELY)


def refuse_few_channels(outreach: Outreach) -> list[str]:
    """Return the channels that count; raise Refused, naming each, when they are fewer than two."""
    sums = outreach.sums()
    counted = [name for name, _, came in sums if came >= FEWEST_OF_CHANNEL]
    if len(counted) < 2:
        told = "; ".join(f"{name}: {came:,} of {sent:,} answered" for name, sent, came in sums)
        raise Refused(
            "a preference takes two channels with answers that are told by events, each at least "
            f"{FEWEST_OF_CHANNEL}, and there {'is' if len(counted) == 1 else 'are'} {len(counted)}"
            f" ({told or '0 messages'})"
        )
    sent = sum(number for name, number, _ in sums if name in counted)
    came = sum(number for name, _, number in sums if name in counted)
    if sent < FEWEST_MESSAGES or came < FEWEST_ANSWERS:
        raise Refused(
            f"{sent:,} messages by {' and '.join(counted)}, {came:,} of them answered: it takes "
            f"at least {FEWEST_MESSAGES}, and {FEWEST_ANSWERS} answered"
        )
    return counted


def learn_channels(outreach: Outreach, rng: np.random.Generator) -> Channels:
    """Return what customers lean to among channels, drawn towards what all answer there."""
    customer, channel, size = outreach.customer, outreach.channel, outreach.size
    leaning = learn_places(customer, channel, outreach.answered, (size, len(outreach.names)), rng)
    sent = np.bincount(channel, minlength=len(outreach.names))
    came = np.bincount(channel, outreach.answered, len(outreach.names))
    profile = (came + 1) / (sent + 2)
    got = np.bincount(customer, minlength=size)
    level, _, _ = draw_to_mean(
        got.astype(np.float64),
        np.bincount(customer, outreach.answered, size).astype(np.float64),
    )
    said = profile[channel] * leaning.index[customer, channel]
    usual = np.bincount(customer, said, size) / np.maximum(got, 1)
    best = np.argmax(leaning.index * profile, axis=1)
    return Channels(
        profile=profile,
        leaning=leaning,
        chosen=choose(leaning, best, best),
        level=level,
        usual=np.where(got > 0, usual, float(outreach.answered.mean())),
    )


def judge_channels(
    outreach: Outreach, second: IntArray, rng: np.random.Generator
) -> dict[str, Any]:
    """Return what was said of later messages beside what came, or why that cannot be known."""
    order = np.argsort(second, kind="stable")
    cut = int(len(order) * LEARNT_SHARE)
    first, later = outreach.take(order[:cut]), outreach.take(order[cut:])
    later = later.take(np.flatnonzero(np.isin(later.customer, first.customer)))
    if np.count_nonzero(np.bincount(first.channel, first.answered)) < 2:
        return {"refused": "before the last quarter fewer than 2 channels were answered"}
    learnt = learn_channels(first, rng)
    return judge(
        learnt.chance(later.customer, later.channel),
        learnt.chance(later.customer, later.channel, own=False),
        later.answered,
        what="channels",
    )
