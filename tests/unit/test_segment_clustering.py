"""Groups are found where there are some, the same each time, and refused where there are none."""

import numpy as np
import pytest

from amity.analysis.estimator import Refused
from amity.analysis.logic.segment_tools.clustering import assign, describe, group, standardise
from amity.analysis.logic.segment_tools.figures import NAMES


def three_kinds(rng, size=120):
    """Buyers, lookers and lost ones, plainly apart; in `NAMES`' order."""
    middles = np.array(
        [
            [20, 2000, 100, 400, 700, 3, 10],
            [1, 30, 30, 60, 40, 2, 35],
            [3, 150, 50, 12, 900, 400, 500],
        ]
    )
    kind = np.repeat(np.arange(3), size)
    noise = rng.lognormal(0, 0.25, size=(len(kind), len(NAMES)))
    return middles[kind] * noise, kind


def test_groups_that_are_there_are_found_and_named():
    plain, kind = three_kinds(np.random.default_rng(1))
    found = group(np.log1p(plain), np.random.default_rng(2))
    assert found.chosen.clusters == 3
    assert found.chosen.stability > 0.95
    assert found.chosen.silhouette > 0.5
    for each in range(3):
        assert len(set(found.labels[kind == each])) == 1
    clusters = describe(plain, found)
    assert [each.customers for each in clusters] == [120, 120, 120]
    assert len({each.name for each in clusters}) == 3
    lost = next(each for each in clusters if each.traits[0].median > 300 or "not seen" in each.name)
    assert "Not seen for long" in lost.name
    effects = [abs(trait.effect) for trait in lost.traits]
    assert effects == sorted(effects, reverse=True)
    again = group(np.log1p(plain), np.random.default_rng(2))
    assert again.tried == found.tried
    points = standardise(np.log1p(plain), found.means, found.deviations)
    assert (assign(points, found.centres) == found.labels).all()


@pytest.mark.parametrize("seed", [3, 4])
def test_a_cloud_is_no_groups(seed):
    cloud = np.random.default_rng(seed).normal(5, 1, size=(500, len(NAMES)))
    with pytest.raises(Refused, match=r"found again|no groups"):
        group(cloud, np.random.default_rng(5))


def test_too_few_or_alike_customers_are_refused():
    plain, _ = three_kinds(np.random.default_rng(1), size=20)
    with pytest.raises(Refused, match="at least 200"):
        group(np.log1p(plain), np.random.default_rng(2))
    with pytest.raises(Refused, match="alike"):
        group(np.ones((300, len(NAMES))), np.random.default_rng(2))
