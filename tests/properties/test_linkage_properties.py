"""What holds whatever the records: their order, which side is first, what is added."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.store.linkage.linker import Linker
from amity.store.linkage.model import Field, Options, Records
from amity.store.matcher import matchers

NAMES = ("given_name", "surname", "birth_date", "postcode", "email")
FIELDS = [Field(name=name, matcher=name) for name in NAMES]
PEOPLE = 60


def typed(seed):
    """Return records of made-up people, some of them typed twice or thrice with slips."""
    rng = random.Random(seed)
    rows = []
    for number in range(PEOPLE):
        row = [
            rng.choice(["ada", "tom", "eve", "jon", "lin", "sam"]),
            rng.choice(["brown", "smith", "meyer", "novak", "rossi", "silva", "jansen"]),
            f"19{rng.randint(40, 99)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
            str(rng.randint(1000, 1060)),
            f"user{number}@mail.example",
        ]
        for _ in range(rng.choice([1, 1, 2, 3])):
            copy = list(row)
            at = rng.randrange(len(copy))
            copy[at] = rng.choice(["", copy[at][1:], copy[at]])
            rows.append(copy)
    return rows


def records_of(rows, order, side=None):
    return Records(
        ids=[f"r{place:03d}" for place in order],
        columns={name: [rows[place][n] for place in order] for n, name in enumerate(NAMES)},
        side=side,
    )


def clusters(records, linkage):
    found = {}
    for place, cluster in enumerate(linkage.cluster.tolist()):
        found.setdefault(cluster, []).append(
            (records.ids[place], round(float(linkage.probability[place]), 9))
        )
    return {frozenset(members) for members in found.values()}


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 50), shuffle=st.randoms(use_true_random=False))
def test_any_order_of_rows_gives_the_same_clusters_and_probabilities(seed, shuffle):
    rows = typed(seed)
    order = list(range(len(rows)))
    straight = records_of(rows, order)
    shuffle.shuffle(order)
    mixed = records_of(rows, order)
    one, other = (Linker.link(each, FIELDS, Options()) for each in (straight, mixed))
    assert one.model == other.model
    assert clusters(straight, one) == clusters(mixed, other)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 50))
def test_of_two_files_only_records_of_different_files_are_linked_once_each(seed):
    rows = typed(seed)
    order = list(range(len(rows)))
    side = np.array([place % 2 for place in order], np.int8)
    records = records_of(rows, order, side)
    linkage = Linker.link(records, FIELDS, Options(one_to_one=True))
    assert (side[linkage.left] != side[linkage.right]).all()
    for cluster in set(linkage.cluster.tolist()):
        members = np.flatnonzero(linkage.cluster == cluster)
        assert len(members) <= 2
        assert len(set(side[members].tolist())) == len(members)


@settings(max_examples=60, deadline=None)
@given(one=st.text(max_size=12), other=st.text(max_size=12))
def test_every_matcher_takes_any_text_and_is_symmetric(one, other):
    for kind in matchers():
        matcher = kind(kind.learn([one, other]))
        left, right = matcher.normalise_all([one, other])
        assert [left, right] == [matcher.normalise(one), matcher.normalise(other)]
        assert [matcher.normalise(left), matcher.normalise(right)] == [left, right]
        if left and right and left != right:
            assert matcher.compare([left], [right]) == matcher.compare([right], [left])
        for value in (left, right):
            assert len(matcher.keys(value)) == len(kind.ways)
        kind.fits(one)
        kind.is_unmistakable(other)
