"""RFM: where each customer stands among all, by how recently, how often and for how much.

Every scale is cut into fifths of equal size.  Ties are broken by the other two scales and in the
end by the customer's id, so no fifth is empty because half of the customers bought once.
See docs/algorithms/rfm.md.
"""

from typing import Final

import numpy as np

from amity.analysis.estimator import (
    ESTIMATORS,
    Capabilities,
    Column,
    Estimator,
    Fit,
    Histories,
    IntArray,
    Predictions,
    Refused,
)
from amity.analysis.logic.model_cards import RFM

FIFTHS: Final = 5

WORDS: Final = (
    # by recency (row) and the mean of frequency and amount (column), each from 1 to 5
    ("Lost", "Lost", "At risk", "Cannot lose", "Cannot lose"),
    ("Lost", "Hibernating", "At risk", "At risk", "Cannot lose"),
    ("About to sleep", "About to sleep", "Needs attention", "Loyal", "Loyal"),
    ("Promising", "Promising", "Potential loyalist", "Loyal", "Loyal"),
    ("New", "Potential loyalist", "Potential loyalist", "Champion", "Champion"),
)


def word_of(recency: int, frequency: int, amount: int) -> str:
    """Return the word for three scores from 1 to 5."""
    return WORDS[recency - 1][(frequency + amount + 1) // 2 - 1]


class RfmFit(Fit, frozen=True, kw_only=True):
    """The cuts between fifths, each with its tie-breakers: four rows of keys a scale."""

    cuts: list[list[list[int]]]


@ESTIMATORS.register("rfm")
class Rfm(Estimator):
    """Scores 1 to 5 for recency, frequency and monetary value, 5 being the best."""

    name = "rfm"
    card = RFM
    capabilities = Capabilities(
        predicts=("rfm",), needs_amounts=False, uses_horizon=False, has_intervals=False
    )

    def fit(self, histories: Histories) -> RfmFit:
        if len(histories) < FIFTHS:
            raise Refused(f"fifths need {FIFTHS} customers, there are {len(histories)}")
        places = [len(histories) * cut // FIFTHS for cut in range(1, FIFTHS)]
        cuts = []
        for keys in _scales(histories):
            order = np.lexsort(keys[::-1])
            cuts.append([[int(key[order[place]]) for key in keys] for place in places])
        named = ("days_since_last", "purchases", "amount")
        parameters = {
            f"{name}_{number}": _readable(name, cut[0])
            for name, rows in zip(named, cuts, strict=True)
            for number, cut in enumerate(rows, start=2)
        }
        if not histories.has_amounts:
            parameters = {k: v for k, v in parameters.items() if not k.startswith("amount")}
        return RfmFit(
            estimator=self.name,
            unit_days=self.unit_days,
            parameters=parameters,
            customers=len(histories),
            warnings=[] if histories.has_amounts else ["no amounts: frequency stands in for them"],
            cuts=cuts,
        )

    def predict(self, fit: Fit, histories: Histories, *, horizon_days: float) -> Predictions:
        assert isinstance(fit, RfmFit)
        r, f, m = (
            _score(keys, rows) for keys, rows in zip(_scales(histories), fit.cuts, strict=True)
        )
        # Only 125 labels exist: make each once.
        codes, places = np.unique((r * 10 + f) * 10 + m, return_inverse=True)
        texts = [_label(int(code)) for code in codes]
        column = Column(
            value=(r + f + m).astype(np.float64), labels=[texts[place] for place in places]
        )
        return Predictions(customer_id=histories.customer_id, columns={"rfm": column})


def _label(code: int) -> str:
    r, f, m = code // 100, code // 10 % 10, code % 10
    return f"{r}-{f}-{m} {word_of(r, f, m)}"


def _readable(name: str, key: int) -> float:
    if name == "days_since_last":
        return float(-key)
    return key / 100 if name == "amount" else float(key)


def _scales(histories: Histories) -> list[tuple[IntArray, ...]]:
    """Return the sort keys of the three scales, the deciding one first, higher being better."""
    last = histories.recency_days - histories.age_days
    count = histories.frequency + 1
    total = np.zeros(len(histories), np.int64)
    if histories.has_amounts:
        total = np.rint(histories.total * 100).astype(np.int64)
    worth = total if histories.has_amounts else count
    ids = histories.customer_id
    return [(last, count, total, ids), (count, total, last, ids), (worth, count, last, ids)]


def _score(keys: tuple[IntArray, ...], cuts: list[list[int]]) -> IntArray:
    """Return 1 plus the number of cuts each customer reaches, comparing key after key."""
    score = np.ones(len(keys[0]), np.int64)
    for cut in cuts:
        above = np.zeros(len(score), bool)
        level = np.ones(len(score), bool)
        for key, edge in zip(keys, cut, strict=True):
            above |= level & (key > edge)
            level &= key == edge
        score += above | level
    return score
