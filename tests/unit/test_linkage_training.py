"""The parts of linkage on data whose truth is known: planted m and u, chains, blocks, places."""

import numpy as np
import pytest

from amity.store.linkage.blocking import choose_keys, find_candidates
from amity.store.linkage.clustering import best_only, components, find_clusters
from amity.store.linkage.comparing import find_patterns, grade_pairs
from amity.store.linkage.linker import Linker
from amity.store.linkage.model import EXCHANGED, Field, KeyPart, Options, Records, probability_of
from amity.store.linkage.scoring import find_overlaps, find_priors, given_finer, weights_of
from amity.store.linkage.table import make_table
from amity.store.linkage.training import agreement_rate, estimate_u, maximise, start_m

M = [np.array([0.1, 0.2, 0.7]), np.array([0.3, 0.7]), np.array([0.05, 0.95]), np.array([0.2, 0.8])]
U = [
    np.array([0.9, 0.07, 0.03]),
    np.array([0.8, 0.2]),
    np.array([0.99, 0.01]),
    np.array([0.5, 0.5]),
]


def people(ids=None, **columns):
    size = len(next(iter(columns.values())))
    return Records(ids=ids or [f"{n:04d}" for n in range(size)], columns=columns)


def drawn(pairs, share, seed=1):
    """Return the patterns of pairs of which a share are matches, m and u being known."""
    rng = np.random.default_rng(seed)
    is_match = rng.random(pairs) < share
    grades = np.stack(
        [
            np.where(is_match, rng.choice(len(m), pairs, p=m), rng.choice(len(u), pairs, p=u))
            for m, u in zip(M, U, strict=True)
        ]
    ).astype(np.int8)
    grades[0, rng.random(pairs) < 0.2] = -1
    return grades


def test_planted_m_and_share_come_out_without_labels():
    patterns = find_patterns(drawn(200_000, 0.25), [len(u) for u in U])
    counts = np.bincount(patterns.of_pair).astype(float)
    starts = [start_m(len(u), len(u) - 1) for u in U]
    found = maximise(patterns.grades, counts, U, start=starts)
    assert patterns.grades.shape[1] <= 4 * 2 * 2 * 2
    assert found.share == pytest.approx(0.25, abs=0.01)
    for learnt, planted in zip(found.m, M, strict=True):
        assert learnt == pytest.approx(planted, abs=0.02)


def test_no_m_becomes_zero_however_few_pairs_there_are():
    grades = np.full((2, 1), 1, np.int8)
    found = maximise(grades, np.array([3.0]), [U[1], U[3]], start=[start_m(2, 1)] * 2)
    assert all((m > 0.01).all() for m in found.m)


def test_u_is_how_often_strangers_agree():
    rng = np.random.default_rng(3)
    records = people(
        gender=rng.choice(["f", "m"], 3000, p=[0.6, 0.4]).tolist(),
        code=rng.integers(0, 500, 3000).astype(str).tolist(),
    )
    table = make_table(records, [Field(name=n, matcher="exact") for n in records.columns])
    u = estimate_u(table, np.random.default_rng(1))
    assert u[0] == pytest.approx([0.48, 0.52], abs=0.01)
    assert u[1][1] == pytest.approx(1 / 500, rel=0.1)
    side = np.repeat([0, 1], 1500)
    assert agreement_rate(table.columns[0], side) == pytest.approx(0.52, abs=0.02)


def test_missing_values_neither_agree_nor_differ():
    records = people(code=["", "", "a", "a"])
    table = make_table(records, [Field(name="code", matcher="exact")])
    grades = grade_pairs(table, np.array([0, 0, 2]), np.array([1, 2, 3]))
    assert grades.tolist() == [[-1, -1, 1]]
    assert agreement_rate(table.columns[0], None) == 1.0


def test_values_in_each_others_columns_are_seen():
    records = people(given_name=["petra", "lusted", "petra"], surname=["lusted", "petra", "lusted"])
    table = make_table(records, [Field(name=n, matcher=n) for n in ("given_name", "surname")])
    grades = grade_pairs(table, np.array([0, 0]), np.array([1, 2]))
    assert grades.tolist() == [[4, 3], [-1, 3]]


def test_prior_is_the_one_that_scoring_gives_back():
    evidence = np.concatenate([np.full(100, 40.0), np.full(900, -5.0)])
    both = np.stack([evidence, np.zeros(1000)])
    prior, household = find_priors(both, 1_000_000, has_households=False)
    assert (prior, household) == (pytest.approx(1e-4, rel=0.01), 0)
    assert find_priors(np.zeros((2, 0)), 10, has_households=False)[0] == pytest.approx(0.1)


def test_a_town_says_little_once_the_post_code_agrees():
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 200, 4000)
    records = people(postcode=[f"{1000 + c}" for c in codes], city=[f"town{c // 4}" for c in codes])
    table = make_table(
        records,
        [Field(name="postcode", matcher="postcode"), Field(name="city", matcher="city")],
    )
    given = given_finer(table, find_overlaps(table), [0.95, 0.95], [0.005, 0.02], matches=0)
    assert given == [{}, {"postcode": pytest.approx(0.95)}]  # all of them: as much as m allows


def test_blocks_that_are_too_large_are_passed_over_and_counted():
    records = people(code=["same"] * 30 + ["pair", "pair"])
    table = make_table(records, [Field(name="code", matcher="exact")])
    found = find_candidates(table, [(KeyPart("code", "whole"),)], max_block=10)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(30, 31)]
    assert (found.uses[0].largest_block, found.uses[0].passed_over) == (30, 30)


def test_a_pair_of_two_keys_is_looked_at_once():
    records = people(a=["x", "x", "y"], b=["1", "1", "1"])
    table = make_table(records, [Field(name=n, matcher="exact") for n in "ab"])
    keys = [(KeyPart("a", "whole"),), (KeyPart("b", "whole"),)]
    found = find_candidates(table, keys, max_block=10)
    assert found.left.tolist() == [0, 0, 1]
    assert found.right.tolist() == [1, 2, 2]
    assert found.keys.tolist() == [3, 2, 2]


def test_chosen_keys_rest_on_different_columns():
    rng = np.random.default_rng(2)
    columns = {
        name: [f"{name}{v}" for v in rng.integers(0, size, 5000)]
        for name, size in (("a", 4000), ("b", 3000), ("c", 40), ("d", 40), ("e", 2))
    }
    records = people(**columns)
    table = make_table(records, [Field(name=n, matcher="exact") for n in "abcde"])
    keys = [tuple(part.field for part in key) for key in choose_keys(table)]
    assert keys[:2] == [("a",), ("b",)]
    assert ("c", "d") in keys
    assert ("e",) not in keys


def chain(weights):
    """Return the clusters of four records linked in a row, with the weights of all six pairs."""
    pairs = {(0, 1): 9, (1, 2): 9, (2, 3): 9, (0, 2): 9, (1, 3): 9, (0, 3): 9} | weights
    known = np.array(list(pairs)).T
    bits = np.array(list(pairs.values()), float)
    linked = bits > 3

    def score(left, right):
        return np.array([pairs[a, b] for a, b in zip(left.tolist(), right.tolist(), strict=True)])

    return find_clusters(4, (known[0][linked], known[1][linked]), (known[0], known[1], bits), score)


def test_a_chain_whose_ends_contradict_each_other_is_broken_at_its_weakest():
    contradicting = {(0, 2): -15, (0, 3): -15, (1, 3): -15, (1, 2): 4}
    found = chain(contradicting)
    assert found.label.tolist() == [0, 0, 2, 2]
    assert found.split == 1


def test_a_chain_that_holds_together_is_left():
    assert chain({(0, 3): 1.0}).label.tolist() == [0, 0, 0, 0]
    outvoted = chain({(0, 3): -2.0})
    assert outvoted.label.tolist() == [0, 0, 0, 0]
    assert outvoted.split == 0


def test_components_are_those_of_networkx():
    networkx = pytest.importorskip("networkx")
    rng = np.random.default_rng(4)
    left, right = rng.integers(0, 300, 200), rng.integers(0, 300, 200)
    graph = networkx.Graph(zip(left.tolist(), right.tolist(), strict=True))
    graph.add_nodes_from(range(300))
    label = components(300, left, right)
    expected = {min(part): part for part in networkx.connected_components(graph)}
    assert {
        row: set(np.flatnonzero(label == row).tolist()) for row in set(label.tolist())
    } == expected


def test_one_to_one_takes_the_best_first():
    left, right = np.array([0, 0, 1]), np.array([10, 11, 10])
    kept = best_only(left, right, np.array([5.0, 9.0, 7.0]))
    assert kept.tolist() == [False, True, True]


def couples(size=400):
    """Return households: two people each at one address with one telephone, one typed twice."""
    rng = np.random.default_rng(8)
    rows = []
    for home in range(size):
        surname, street, phone = (
            f"family{chr(97 + home % 26)}{home}",
            f"{home} mill road",
            f"0555{home:06d}",
        )
        for person in ("ada", "tom"):
            born = str(np.datetime64("1950-01-01") + int(rng.integers(0, 18_000)))
            email = f"{person}.{surname}@mail.example"
            rows.append((f"{home}{person}", person, surname, street, phone, born, email))
        if home % 2:
            rows.append((*rows[-1][:1], "tom", surname, "", phone, born, ""))
    names = ("given_name", "surname", "street", "phone", "birth_date", "email")
    columns = {name: [row[n + 1] for row in rows] for n, name in enumerate(names)}
    return people(**columns), [row[0] for row in rows], names


def test_two_people_of_one_household_are_two():
    records, truth, names = couples()
    linkage = Linker.link(records, [Field(name=n, matcher=n) for n in names], Options())
    together = {}
    for place, cluster in enumerate(linkage.cluster.tolist()):
        together.setdefault(cluster, set()).add(truth[place])
    assert all(len(found) == 1 for found in together.values())
    assert len(together) == len(set(truth))


def test_new_records_are_compared_with_known_ones_by_the_trained_model():
    records, _, names = couples()
    model = Linker.link(records, [Field(name=n, matcher=n) for n in names], Options()).model
    assert all(len(c.m) == len(c.levels) == len(weights_of(c)) for c in model.comparisons)
    assert EXCHANGED in model.comparisons[0].levels
    new = people(
        ids=["new"],
        given_name=["Ada"],
        surname=[records.columns["surname"][0].upper()],
        street=["0 Mill Rd"],
        phone=[""],
        birth_date=[records.columns["birth_date"][0]],
        email=[""],
    )
    found = Linker(model).compare(new, records)
    assert [(one.record_id, one.against_id) for one in found] == [("new", "0000"), ("new", "0001")]
    assert found[1].household_probability > 0.9 > 0.1 > found[1].probability
    assert found[0].probability > 0.9
    assert found[0].grades["birth_date"] == "same"
    assert "email" not in found[0].grades


def test_probability_is_that_of_the_odds():
    assert probability_of(np.array([0.0, 3.0, -1000.0])).tolist() == pytest.approx(
        [0.5, 8 / 9, 0.0]
    )
