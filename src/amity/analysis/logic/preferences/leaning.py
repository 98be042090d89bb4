"""Which of some places (hours, channels) customers answer in more than the average customer does.

Each customer's answers in a place are Poisson around what their own answers in all and the
population's profile make expected, times a leaning of their own. Leanings are gamma distributed
around 1; how widely is learnt from all customers (empirical Bayes: Robbins 1956, Efron and Morris
1973), so a customer with three messages keeps to the average and one with three hundred does not.
"""

from typing import Final

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray

_DRAWS: Final = 199
_FEWEST_DRAWS: Final = 39
_MOST_WORK: Final = 4_000_000
_APART: Final = 200.0
"""More than two keys are ever apart, so customers stay together when sorted."""
_FLAT: Final = 1e6
_WIDEST: Final = 0.2
_LEAST: Final = 1e-9


class Leaning(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What customers (down) lean to among places (across)."""

    expected: FloatArray
    """Answers the population's profile makes expected of each customer in each place."""
    answers: FloatArray
    strength: float
    """The weight of the population: as much as so many expected answers."""
    p_value: float
    """How often chance alone makes customers look so different from each other."""

    @property
    def index(self) -> FloatArray:
        """Return leanings: 1 is like the population, 2 twice as likely to answer there."""
        found: FloatArray = (self.answers + self.strength) / (self.expected + self.strength)
        return found

    def limits(self) -> tuple[FloatArray, FloatArray]:
        """Return the 95 % interval of every leaning."""
        from scipy import stats  # noqa: PLC0415  # loads slowly

        shape, rate = self.answers + self.strength, self.expected + self.strength
        low, high = (stats.gamma.ppf(level, shape) / rate for level in (0.025, 0.975))
        return low, high


def learn_leaning(
    sent: FloatArray, answers: FloatArray, profile: FloatArray, rng: np.random.Generator
) -> Leaning:
    """Return leanings from messages and answers (customers down, places across).

    ``profile`` is how likely the population answers in each place. Whether customers differ at
    all, and how widely, is judged beside worlds in which they do not: each customer's answers are
    dealt again to the messages they got, those in the population's better places first.
    """
    expected = _expect(sent, profile, answers)
    seen, squares = _distance(answers, expected)
    deal = _Deal(sent, profile, answers)
    draws = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_WORK // max(1, len(deal))))
    beyond, by_chance = 0, 0.0
    for _ in range(draws):
        distance, square = _distance(deal.again(rng), expected)
        beyond += distance >= seen
        by_chance += square / draws
    return Leaning(
        expected=expected,
        answers=answers,
        strength=_strength(sent, expected, squares - by_chance),
        p_value=(1 + beyond) / (draws + 1),
    )


class _Deal:
    """The messages of all customers, to which each one's answers are dealt again."""

    def __init__(self, sent: FloatArray, profile: FloatArray, answers: FloatArray) -> None:
        self.shape = sent.shape
        counts = sent.astype(np.int64)
        cell = np.repeat(np.arange(counts.size), counts.ravel())
        self.cell = cell
        self.customer = cell // counts.shape[1]
        odds = np.clip(profile, _LEAST, 1 - _LEAST)
        self.logit = np.log(odds / (1 - odds))[cell % counts.shape[1]]
        totals = answers.sum(axis=1).astype(np.int64)
        first = np.concatenate([[0], np.cumsum(counts.sum(axis=1))[:-1]])
        place = np.arange(len(cell)) - first[self.customer]
        self.is_dealt = place < totals[self.customer]

    def __len__(self) -> int:
        return len(self.cell)

    def again(self, rng: np.random.Generator) -> FloatArray:
        """Return answers by customer and place when chance and the profile alone deal them."""
        key = self.logit + rng.gumbel(size=len(self.cell))
        order = np.argsort(self.customer * _APART - key)
        dealt = self.cell[order[self.is_dealt]]
        size = self.shape[0] * self.shape[1]
        return np.bincount(dealt, minlength=size).reshape(self.shape).astype(np.float64)


def _expect(sent: FloatArray, profile: FloatArray, answers: FloatArray) -> FloatArray:
    """Return each customer's answers spread over places as the population's profile has it."""
    likely = sent * profile
    share = likely / np.maximum(likely.sum(axis=1, keepdims=True), _LEAST)
    expected: FloatArray = answers.sum(axis=1, keepdims=True) * share
    return expected


def _distance(answers: FloatArray, expected: FloatArray) -> tuple[float, float]:
    """Return the squared distance from what is expected, weighted by it and plain."""
    squares = (answers - expected) ** 2
    return float(np.sum(squares / (expected + 0.5))), float(squares.sum())


def _strength(sent: FloatArray, expected: FloatArray, surplus: float) -> float:
    """Return the population's weight by moments: the variance of leanings is one over it.

    Where customers lean, answers spread by e² times that variance more than by chance, less what
    a single message cannot show and what goes into the customer's own level.
    """
    share = expected / np.maximum(expected.sum(axis=1, keepdims=True), _LEAST)
    pairs = np.maximum(0.0, 1 - 1 / np.maximum(sent, 1.0))
    scale = float(np.sum((expected * (1 - share)) ** 2 * pairs))
    if surplus <= 0 or scale <= 0:
        return _FLAT
    return max(_WIDEST, scale / surplus)
