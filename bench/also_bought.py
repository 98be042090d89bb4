"""Also bought: learning from all baskets and answering, beside implicit and beside SQL.

Run with `python -m bench also_bought`. The data are all 155,848 baskets of Complete Journey
(fetched once, as the demo does). Before anything is timed our scores must be those of implicit's
cosine; DuckDB's must be too. Goals: learning at least 1.2 times implicit and 10 times SQL; one
answer at least 5 times implicit's single call, and many at least 5 times its batch.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import duckdb
import numpy as np
from scipy import sparse

from amity.cli.demo.packages import fetch_packages
from amity.personalization.recommender import Baskets
from amity.personalization.recommenders.also_bought import AlsoBought
from bench.harness import Goal, Sample, interleave, show, summary
from bench.rules import add_peers

K = 20
ASKED = 2000
DATA = Path(__file__).parent.parent / ".bench" / "demo"
TOP_OF_SQL = """
CREATE OR REPLACE TABLE pairs AS
SELECT a.item AS i, b.item AS j, count(*) AS n
FROM lines a JOIN lines b ON a.basket = b.basket AND a.item <> b.item GROUP BY ALL;
CREATE OR REPLACE TABLE counts AS SELECT item, count(*) AS n FROM lines GROUP BY item;
CREATE OR REPLACE TABLE nearest AS
SELECT p.i, p.j, p.n / sqrt(x.n::DOUBLE * y.n) AS score
FROM pairs p JOIN counts x ON x.item = p.i JOIN counts y ON y.item = p.j
QUALIFY row_number() OVER (PARTITION BY p.i ORDER BY score DESC, p.j) <= 20;
"""


def read() -> Baskets:
    path = fetch_packages(DATA).paths["transactions"]
    found = duckdb.sql(f"SELECT DISTINCT basket_id, product_id FROM '{path}'").fetchnumpy()
    baskets, basket = np.unique(found["basket_id"], return_inverse=True)
    items, item = np.unique(found["product_id"], return_inverse=True)
    order = np.lexsort((item, basket))
    return Baskets(
        items=[str(one) for one in items],
        basket=basket[order].astype(np.int32),
        item=item[order].astype(np.int32),
        buyer=np.zeros(len(baskets), np.int64),
        age_days=np.zeros(len(baskets)),
    )


def timed(call: Callable[[], object], operations: float) -> Callable[[], Sample]:
    def turn() -> Sample:
        cpu, began = time.process_time(), time.perf_counter()
        call()
        seconds = time.perf_counter() - began
        return Sample(operations, seconds, time.process_time() - cpu)

    return turn


def run(rounds: int) -> dict[str, object]:
    """Measure and print; return what was found."""
    add_peers()
    from implicit.nearest_neighbours import CosineRecommender

    baskets = read()
    matrix = sparse.csr_matrix(
        (np.ones(len(baskets.item)), (baskets.basket, baskets.item)),
        shape=(len(baskets.buyer), len(baskets.items)),
    )
    # Its own conversion warns; given what it wants, it does not.
    counted = matrix.tocsr()
    ours = AlsoBought(places=K, least=1, shrinkage=0.0)
    sql = duckdb.connect()
    sql.execute("SET threads = 2; SET enable_progress_bar = false")
    lines = {"basket": baskets.basket, "item": baskets.item}
    sql.register("given", lines)
    sql.execute("CREATE TABLE lines AS SELECT * FROM given")

    def implicit() -> CosineRecommender:
        # It counts an item among its own neighbours.
        made = CosineRecommender(K=K + 1, num_threads=2)
        made.fit(counted, show_progress=False)
        return made

    nearest = ours.find(baskets)
    peer = implicit()
    worst = difference(nearest, peer.similarity.tocsr())
    assert worst < 1e-6, f"scores differ by {worst}"
    learning = interleave(
        {
            "ours": timed(lambda: ours.find(baskets), 1),
            "implicit": timed(implicit, 1),
            "SQL (DuckDB)": timed(lambda: sql.execute(TOP_OF_SQL), 1),
        },
        max(3, rounds // 2),
    )
    ours_sql = sql.execute("SELECT i, j, score FROM nearest").fetchnumpy()
    tables = sparse.csr_matrix((ours_sql["score"], (ours_sql["i"], ours_sql["j"])))
    assert difference(nearest, tables) < 1e-6
    goals = [
        Goal("learning: times implicit", learning.ratio("ours", "implicit", rate)["median"], 1.2),
        Goal("learning: times SQL", learning.ratio("ours", "SQL (DuckDB)", rate)["median"], 10),
    ]
    show("also bought, learning", learning, goals)
    answering, more = answer(ours, baskets, matrix, peer, rounds)
    return summary("also_bought", learning, goals + more, answering=summary("", answering, more))


def rate(sample: Sample) -> float:
    return sample.rate


def difference(nearest: object, other: sparse.csr_matrix) -> float:
    """Return the greatest difference between our sorted scores and those of another."""
    worst = 0.0
    for item in range(0, len(nearest.found), 37):
        row = slice(other.indptr[item], other.indptr[item + 1])
        theirs = other.data[row][other.indices[row] != item]
        theirs = np.sort(theirs)[::-1][:K]
        mine = nearest.score[item][: len(theirs)]
        worst = max(worst, float(np.abs(mine - theirs).max(initial=0)))
    return worst


def answer(ours, baskets, matrix, peer, rounds):
    model = ours.load(ours.learn(baskets))
    starts = np.searchsorted(baskets.basket, np.arange(ASKED + 1))
    asked = [
        [baskets.items[i] for i in baskets.item[starts[n] : starts[n + 1]]] for n in range(ASKED)
    ]
    some = matrix[:ASKED]
    numbers = np.arange(ASKED)

    def one_by_one() -> None:
        for products in asked:
            ours.rank(model, product_ids=products, exclude=(), limit=10)

    def implicit_one_by_one() -> None:
        # As its documentation calls it: the row of the one who asks is cut out each time.
        for n in range(ASKED):
            peer.recommend(n, matrix[n], N=10)

    rounds_ = interleave(
        {
            "ours": timed(one_by_one, ASKED),
            "implicit, single": timed(implicit_one_by_one, ASKED),
            "implicit, batch": timed(lambda: peer.recommend(numbers, some, N=10), ASKED),
        },
        rounds,
    )
    goals = [
        Goal("answers: times implicit single", ratio(rounds_, "implicit, single"), 5),
        Goal("answers: times implicit batch", ratio(rounds_, "implicit, batch"), 5),
    ]
    show("also bought, answering", rounds_, goals)
    return rounds_, goals


def ratio(rounds_, other: str) -> float:
    return rounds_.ratio("ours", other, rate)["median"]
