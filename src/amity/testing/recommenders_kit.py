"""What every recommender must keep: use it to test your own.

`check_recommender(MyRecommender)` raises AssertionError with what is broken.
"""

import numpy as np

from amity.personalization.recommender import Baskets, Recommender

_LIMIT = 7


def make_baskets(*, seed: int, baskets: int = 300, items: int = 60) -> Baskets:
    """Return baskets in which neighbours by number go together; the same for a seed.

    Products are `p000` and up, half as popular with every ten; the last ones are never bought.
    """
    rng = np.random.default_rng(seed)
    weight = 0.5 ** (np.arange(items) // 10)
    pairs = set()
    for basket in range(baskets):
        first = int(rng.choice(items, p=weight / weight.sum()))
        pairs.add((basket, first))
        pairs |= {(basket, (first + int(step)) % (items - 5)) for step in rng.integers(0, 4, 3)}
    basket_of, item = np.array(sorted(pairs), np.int32).T
    return Baskets(
        items=[f"p{number:03}" for number in range(items)],
        basket=np.ascontiguousarray(basket_of),
        item=np.ascontiguousarray(item),
        buyer=rng.integers(0, 40, baskets).astype(np.int64),
        age_days=rng.random(baskets) * 200,
    )


def nothing() -> Baskets:
    """Return no basket at all: a shop on its first day."""
    none = np.zeros(0, np.int32)
    return Baskets(
        items=[], basket=none, item=none, buyer=none.astype(np.int64), age_days=np.zeros(0)
    )


def check_recommender(kind: type[Recommender], *, seed: int = 1) -> None:
    """Check what a recommender promises, on a simulated shop."""
    baskets = make_baskets(seed=seed)
    body = kind().learn(baskets)
    assert kind().learn(baskets) == body, "learning twice from the same baskets differs"
    one, other = kind(), kind()
    model, twin = one.load(body), other.load(body)
    bought = {baskets.items[i] for i in baskets.item}
    for number, asked in enumerate(([], ["p000"], ["p001", "p003", "p001"], ["p059"], ["never"])):
        excluded = ["p002", "p004"] if number % 2 else []
        found = one.rank(model, product_ids=asked, exclude=excluded, limit=_LIMIT)
        again = other.rank(twin, product_ids=asked, exclude=excluded, limit=_LIMIT)
        assert found == again, "the same question got another answer"
        names = [each.product_id for each in found]
        assert len(names) == len(set(names)) <= _LIMIT, "more than asked for, or one twice"
        assert set(names) <= bought, "a product nobody bought"
        assert not set(names) & {*asked, *excluded}, "a product that was asked about or excluded"
        assert all(each.because in ("", *asked) for each in found), "because of something else"
        keys = [(-each.score, each.product_id) for each in found]
        assert keys == sorted(keys) or [k[0] for k in keys] == sorted(k[0] for k in keys)
    assert one.rank(model, product_ids=["p000"], exclude=(), limit=0) == []
    empty = kind().load(kind().learn(nothing()))
    assert kind().rank(empty, product_ids=["p000"], exclude=(), limit=_LIMIT) == []
    assert len(body) < 2_000 * len(baskets.items), "what is learnt is not bounded by the products"
