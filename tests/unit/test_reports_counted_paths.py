"""Paths counted again from raw events: each visit walked in a loop, before and after an event."""

from collections import Counter

import msgspec
import pytest

from amity.analysis.logic.behaviour.paths import BEGAN, ENDED, OTHERS
from amity.analysis.logic.reporting.answering import drill
from amity.analysis.reports.paths import Paths
from amity.testing import reports_oracle as oracle
from amity.testing.reports_kit import ASKED, complete, duckdb_engine, expressions, find
from amity.testing.reports_oracle import WINDOW, Walk, table_of

WALKS = [
    Walk(),
    Walk(around="Product Added", steps=1),
    Walk(around="Product Added", is_after=False, steps=2),
    Walk(around="Product Viewed", steps=4, is_collapsed=False),
    Walk(around="Page: Über uns", is_after=False, steps=8, pause_minutes=60),
    Walk(is_after=False, steps=3, pause_minutes=1),
    Walk(steps=2, pause_minutes=29.99),
]


@pytest.fixture(scope="module")
def town():
    return oracle.crowd(11, customers=150)


def question(walk, **more):
    choices = walk._asdict()
    choices["direction"] = "after" if choices.pop("is_after") else "before"
    return msgspec.structs.replace(ASKED, choices=choices | more)


def ways_of(town, walk, **more):
    told = oracle.acts(town, **more)
    return oracle.paths([act for act in told if act.is_theirs], walk)


def words(way, walk):
    return " → ".join(way if walk.is_after else way[::-1])


@pytest.mark.parametrize("walk", WALKS, ids=str)
def test_each_path_has_as_many_visits_and_customers_as_are_counted_one_by_one(town, walk):
    found = find(Paths, town, asked=question(walk, named=30))
    ways = ways_of(town, walk)
    visits = Counter(words(way, walk) for _, way in ways)
    assert found.figures[0].value == len(ways) > 50
    told = {row["path"]: (row["visits"], row["customers"]) for row in table_of(found, "paths")}
    best = sorted(visits, key=lambda way: (-visits[way], way))[:30]
    assert told == {
        way: (visits[way], len({who for who, one in ways if words(one, walk) == way}))
        for way in best
    }


@pytest.mark.parametrize("most", [1, 3, 30])
@pytest.mark.parametrize("walk", WALKS, ids=str)
def test_every_step_and_what_is_put_together_is_that_of_the_visits(town, walk, most):
    found = find(Paths, town, asked=question(walk, named=most))
    ways = [way for _, way in ways_of(town, walk)]
    known = oracle.named(ways, most) | ({walk.around} - {""})
    end = ENDED if walk.is_after else BEGAN
    expected = Counter()
    for (place, here, there), visits in oracle.flows(ways, steps=walk.steps).items():
        source = here if here in known else OTHERS
        target = end if there is None else there if there in known else OTHERS
        near, far = f"{place + 1}. {source}", f"{place + 2}. {target}"
        if not walk.is_after:
            near, far = f"−{place + 1}. {target}", f"{f'−{place}' if place else 0}. {source}"
        expected[near, far] += visits
    told = {(row["source"], row["target"]): row["visits"] for row in table_of(found, "flows")}
    assert told == expected
    nearest = Counter()
    for way in ways:
        there = way[1] if len(way) > 1 else None
        nearest[end if there is None else there if there in known else OTHERS] += 1
    assert {row["label"]: row["visits"] for row in table_of(found, "nearest")} == nearest


def test_of_a_segment_its_members_visits_are_walked_and_a_row_opens_as_they_are(town):
    inside = oracle.members(town, 7, WINDOW[1])
    walk = Walk(around="Product Viewed", steps=2)
    asked = msgspec.structs.replace(question(walk), segment_id=7)
    ways = ways_of(town, walk, inside=inside)
    found = find(Paths, town, asked=asked)
    assert found.figures[0].value == len(ways) < len(ways_of(town, walk))
    run, whole = duckdb_engine(town.tables()), complete(Paths, asked, {})
    for row in table_of(found, "paths")[:5]:
        opened = drill(Paths(), expressions(), whole, run, table="paths", row=row)
        assert opened == sorted({who for who, way in ways if words(way, walk) == row["path"]})
