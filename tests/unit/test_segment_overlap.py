"""How segments lie over each other, made from counts, against sets counted by hand."""

from datetime import UTC, datetime
from itertools import combinations
from random import Random

from amity.analysis.contracts import Segment
from amity.analysis.logic.segment_tools.overlap import describe_overlap

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def segment(number):
    return Segment(
        segment_id=number,
        name=f"S{number}",
        description="",
        rule={},
        text="",
        words="",
        version=1,
        state="live",
        members=0,
        created_by="",
        created_at=NOW,
        updated_at=NOW,
    )


def test_every_figure_is_that_of_the_sets():
    rng = Random(5)
    sets = {number: set(rng.sample(range(40), rng.randint(0, 30))) for number in (11, 5, 8, 2, 7)}
    counts = {}
    for who in range(40):
        bits = sum(1 << n for n, members in enumerate(sets.values()) if who in members)
        if bits:
            counts[bits] = counts.get(bits, 0) + 1
    found = describe_overlap([segment(number) for number in sets], counts, 40)
    assert [each.members for each in found.segments] == [len(each) for each in sets.values()]
    assert found.in_any == len(set().union(*sets.values()))
    assert found.in_none == 40 - found.in_any
    for cell in found.cells:
        inside = set.intersection(*(sets[one] for one in cell.segment_ids))
        outside = set().union(*(sets[one] for one in sets if one not in cell.segment_ids))
        assert cell.customers == len(inside - outside)
    sizes = [cell.customers for cell in found.cells]
    assert sizes == sorted(sizes, reverse=True)
    for pair, (one, other) in zip(found.pairs, combinations(sets, 2), strict=True):
        assert pair.segment_ids == [one, other]
        assert pair.both == len(sets[one] & sets[other])
        assert pair.jaccard == pair.both / len(sets[one] | sets[other])


def test_nobody_at_all():
    found = describe_overlap([segment(1), segment(2)], {}, 0)
    assert (found.cells, found.in_any, found.in_none) == ([], 0, 0)
    assert found.pairs[0].jaccard is None
    assert found.pairs[0].of_first is None
    assert found.sentence == "Nobody is in any of them."
