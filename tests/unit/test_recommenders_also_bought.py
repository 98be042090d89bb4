"""Also bought against the definition, written out with plain matrices."""

import numpy as np
import pytest

from amity.personalization.recommenders.also_bought import AlsoBought
from amity.personalization.recommenders.popularity import Popularity
from amity.testing.recommenders_kit import make_baskets


def counted(baskets):
    matrix = np.zeros((len(baskets.items), len(baskets.buyer)))
    matrix[baskets.item, baskets.basket] = 1
    return matrix @ matrix.T


@pytest.mark.parametrize(("least", "shrinkage"), [(1, 0.0), (2, 5.0), (3, 1.5)])
def test_neighbours_are_those_of_the_definition(least, shrinkage):
    baskets = make_baskets(seed=3)
    together = counted(baskets)
    own = np.sqrt(np.maximum(np.diag(together), 1))
    wanted = together / np.outer(own, own)
    wanted *= together / np.maximum(together + shrinkage, 1e-9)
    wanted[together < least] = 0
    np.fill_diagonal(wanted, 0)
    nearest = AlsoBought(places=8, least=least, shrinkage=shrinkage).find(baskets)
    for item, scores in enumerate(wanted):
        best = np.sort(scores)[::-1][:8]
        np.testing.assert_allclose(nearest.score[item], best, atol=1e-6)
        for place, other in enumerate(nearest.found[item]):
            if other < 0:
                assert best[place] == 0
            else:
                assert scores[other] == pytest.approx(nearest.score[item][place], abs=1e-6)


def test_ranking_sums_neighbours_and_names_the_strongest_reason():
    baskets = make_baskets(seed=4)
    also = AlsoBought()
    model = also.load(also.learn(baskets))
    nearest = also.find(baskets)
    asked = ["p001", "p006"]
    wanted: dict[str, dict[str, float]] = {}
    for name in asked:
        row = model.places[name]
        for other, score in zip(nearest.found[row], nearest.score[row], strict=True):
            if other >= 0 and baskets.items[other] not in asked:
                wanted.setdefault(baskets.items[other], {})[name] = float(score)
    found = also.rank(model, product_ids=asked, exclude=(), limit=50)
    assert {one.product_id for one in found} == set(wanted)
    for one in found:
        assert one.score == pytest.approx(sum(wanted[one.product_id].values()), rel=1e-5)
        assert one.because == max(wanted[one.product_id], key=wanted[one.product_id].get)
    # The room is as it was: the next answer does not depend on this one.
    assert not model.learnt.floats[0].any()


def test_popularity_counts_customers_not_baskets():
    baskets = make_baskets(seed=5)
    lately = baskets.age_days[baskets.basket] <= 90
    buyers = {
        item: len({int(baskets.buyer[b]) for b in baskets.basket[lately & (baskets.item == item)]})
        for item in range(len(baskets.items))
    }
    popular = Popularity()
    found = popular.rank(popular.load(popular.learn(baskets)), product_ids=(), exclude=(), limit=10)
    customers = len(set(baskets.buyer.tolist()))
    best = sorted(buyers.values(), reverse=True)[:10]
    assert [round(one.score * customers) for one in found] == best
