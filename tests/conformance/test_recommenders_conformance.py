"""Every recommender of the registry keeps what the plug point promises."""

import pytest

from amity.personalization.contracts import Recommended
from amity.personalization.recommender import Recommender, load_recommenders
from amity.testing.recommenders_kit import check_recommender


@pytest.mark.parametrize("name", load_recommenders().names())
def test_recommender_conforms(name):
    kind = load_recommenders()[name]
    assert kind.name == name
    check_recommender(kind)


def test_recommenders_are_found_without_a_list():
    assert {"also_bought", "popularity"} <= set(load_recommenders().names())


class _Echo(Recommender):
    """Recommends what was asked about."""

    name = title = words = "echo"

    def learn(self, baskets):
        return b""

    def load(self, body):
        return None

    def rank(self, model, *, product_ids, exclude, limit):
        return [Recommended(product_id=one, score=1.0, because="") for one in product_ids][:limit]


def test_the_kit_finds_a_recommender_that_recommends_what_was_asked():
    with pytest.raises(AssertionError, match="asked about"):
        check_recommender(_Echo)
