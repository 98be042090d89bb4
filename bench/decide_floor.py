"""The floor: the least a decision over HTTP can do. An RSGI app.

People in a dictionary, eligibility computed once for each kind of person, one draw with numpy, the
best three of fifty offers. No key, no rules, no caps, no propensities, nothing logged.
"""

import os

import msgspec
import numpy as np

OFFERS = 50
FEATURES = 50
PEOPLE = int(os.environ["FLOOR_PEOPLE"])
_HEADERS = [("content-type", "application/json")]


class Question(msgspec.Struct):
    placement: str
    userId: str
    context: dict = {}


_decode = msgspec.json.Decoder(Question).decode
_encode = msgspec.json.Encoder().encode
_known = np.random.default_rng(0)
_mean = _known.normal(size=(OFFERS, FEATURES)).astype(np.float32)
_variance = _known.random((OFFERS, FEATURES)).astype(np.float32)
_people = {
    f"u{number}": (
        _known.normal(size=FEATURES).astype(np.float32),
        number % 20,
        number % 5 != 0,
        number % 4,
    )
    for number in range(PEOPLE)
}
_rng = np.random.default_rng(1)
_eligible = {}


def eligible(orders, consented, tier):
    found = _eligible.get((min(orders, 4), consented, tier))
    if found is None:
        found = [
            offer
            for offer in range(OFFERS)
            if orders >= offer % 5 and (consented or offer % 3) and offer % 4 != tier
        ]
        found = _eligible[min(orders, 4), consented, tier] = np.array(found)
    return found


class Floor:
    async def __rsgi__(self, scope, protocol):
        question = _decode(await protocol())
        features, orders, consented, tier = _people[question.userId]
        candidates = eligible(orders, consented, tier)
        spread = np.sqrt(_variance @ (features * features))
        scores = _mean @ features + spread * _rng.standard_normal(OFFERS, dtype=np.float32)
        best = candidates[np.argpartition(-scores[candidates], 3)[:3]].tolist()
        protocol.response_bytes(200, _HEADERS, _encode({"offers": best}))


app = Floor()
