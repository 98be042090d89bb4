"""Customer lifetime value: ours beside lifetimes 0.11.3, the same answers checked before any time.

Run with `python -m bench clv`. BG/NBD is fitted to
the CDNOW sample and to a million simulated customers; then a million customers are scored.
Pareto/NBD is fitted to CDNOW and BG/BB to the donations of its paper.
Goals: at least 10 times lifetimes on the million and 8 times on CDNOW with no lower likelihood,
ten million in at most 4 times the time of one; expected purchases at least 2 times and twelve
months' value at least 6 times, means equal to a hundred-thousandth.

lifetimes runs in a process of its own, since it needs an old setuptools: in `.bench`, or where
AMITY_BENCH_PEER points.
"""

import csv
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from amity.analysis.estimator import Fit, Histories, Transactions
from amity.analysis.estimators.bgnbd import BgNbd, probability_alive
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.estimators.pareto_nbd import ParetoNbd
from amity.analysis.logic.lifetime_value import discounted_purchases
from amity.analysis.logic.lifetimes import discrete
from amity.analysis.logic.lifetimes.donors import fit_donors
from amity.analysis.logic.purchase_counts import Model
from amity.analysis.logic.purchase_counts import expect as expected
from amity.analysis.logic.transactions import summarise
from bench.harness import Goal, Rounds, Sample, interleave, show, summary

HERE = Path(__file__).parent
TRUTH = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.45}
MONTH_WEEKS = 4.345  # lifetimes' month
WEEKS = 39
EPOCH = date(1970, 1, 1)


class Peer:
    """lifetimes in another process."""

    def __init__(self) -> None:
        python = os.environ.get("AMITY_BENCH_PEER", HERE.parent / ".bench" / "bin" / "python")
        self.process = subprocess.Popen(
            [python, HERE / "clv_peer.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str) -> dict:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("lifetimes does not run; install requirements/bench.txt (make bench does)")
        return json.loads(answer)

    def load(self, histories: Histories, folder: str) -> None:
        path = Path(folder) / "data.npz"
        np.savez(
            path,
            frequency=histories.frequency,
            recency=histories.recency_days / 7,
            T=histories.age_days / 7,
            spend=np.where(histories.frequency > 0, histories.spend, 30.0),
        )
        self.ask(f"load {path}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def cdnow() -> Histories:
    package = importlib.metadata.distribution("Lifetimes")
    lines = package.locate_file("lifetimes/datasets/CDNOW_sample.txt").read_text().splitlines()
    rows = [line.split() for line in lines]
    purchases = Transactions(
        customer_id=np.array([int(row[1]) for row in rows]),
        day=np.array([(date.fromisoformat(row[2]) - EPOCH).days for row in rows]),
        amount=np.array([round(float(row[4]) * 100) for row in rows]),
    )
    return summarise(purchases, until=(date(1997, 9, 30) - EPOCH).days)


def donors() -> discrete.Grouped:
    """The donors of Fader, Hardie & Shang (2010), with how many there are of each history."""
    package = importlib.metadata.distribution("Lifetimes")
    with package.locate_file("lifetimes/datasets/donations.csv").open() as file:
        rows = list(csv.DictReader(file))
    return discrete.Grouped(
        frequency=np.array([int(row["frequency"]) for row in rows]),
        recency=np.array([int(row["recency"]) for row in rows]),
        periods=np.array([int(row["periods"]) for row in rows]),
        weight=np.array([float(row["weights"]) for row in rows]),
    )


def simulate(customers: int, *, seed: int = 7) -> Histories:
    """Return customers who do just what the models say, seen for up to 39 weeks, by the day."""
    rng = np.random.default_rng(seed)
    age = rng.integers(1, WEEKS * 7, customers)
    rate = rng.gamma(TRUTH["r"], 1 / (7 * TRUTH["alpha"]), customers)
    leaving = np.maximum(rng.beta(TRUTH["a"], TRUTH["b"], customers), 1e-12)
    steady = rng.poisson(rate * age)
    stays = rng.geometric(leaving)
    frequency = np.minimum(steady, stays)
    # The last of the first x of n uniform times is a beta (x, n - x + 1) share of the age.
    share = rng.beta(np.maximum(frequency, 1), np.maximum(steady - frequency, 0) + 1)
    recency = np.where(frequency > 0, np.ceil(share * age), 0)
    nu = rng.gamma(SPEND["q"], 1 / SPEND["v"], customers)
    times = np.maximum(frequency, 1)
    spend = np.round(rng.gamma(SPEND["p"] * times, 1 / (nu * times)), 2)
    spend = np.where(frequency > 0, np.maximum(spend, 0.01), 0.0)
    return Histories(
        customer_id=np.arange(customers),
        frequency=frequency.astype(np.int64),
        recency_days=recency.astype(np.int64),
        age_days=age.astype(np.int64),
        spend=spend,
        total=spend * times,
    )


def sample(call, customers: int) -> tuple[object, Sample]:
    """Run once; return what came out, and how long it took for how many customers."""
    started, used = time.perf_counter(), time.process_time()
    result = call()
    seconds = time.perf_counter() - started
    return result, Sample(customers, seconds, time.process_time() - used)


def beside(peer: Peer, word: str, call, customers: int, check) -> dict[str, Callable[[], Sample]]:
    """Return both contenders; each turn of the peer checks its answer against our latest."""
    latest = {}

    def ours() -> Sample:
        latest["ours"], found = sample(call, customers)
        return found

    def lifetimes() -> Sample:
        answer = peer.ask(word)
        check(latest.setdefault("ours", None) or call(), answer)
        return Sample(customers, answer["seconds"], answer["cpu_seconds"])

    return {"ours": ours, "lifetimes": lifetimes}


def same_fit(fit: Fit, theirs: dict) -> None:
    """Ours is as likely, to a millionth (it may be more so), and the parameters are the same."""
    assert fit.log_likelihood >= theirs["log_likelihood"] * (1 + 1e-6), (fit, theirs)
    for name, value in theirs["parameters"].items():
        assert abs(fit.parameters[name] / value - 1) < 5e-3, (fit.parameters, theirs)


def same_mean(mean: float, theirs: dict) -> None:
    assert abs(mean / theirs["mean"] - 1) < 1e-5, (mean, theirs)


def scoring(histories: Histories, parameters: dict[str, float]) -> dict[str, Callable[[], float]]:
    """Return what gives the mean purchases of 13 weeks and the mean value of 12 months."""
    fit = Fit(
        estimator="bgnbd",
        unit_days=7,
        customers=len(histories),
        parameters={name: parameters[name] for name in TRUTH},
    )
    spend = np.where(histories.frequency > 0, histories.spend, 30.0)
    ends = np.arange(1.0, 13.0) * MONTH_WEEKS * 7
    factors = 1.01 ** -np.arange(1.0, 13.0)

    def expect() -> float:
        alive = probability_alive(fit, histories).value
        return float((alive * expected(Model.of(fit), histories, np.array([13.0]))).mean())

    def value() -> float:
        alive = probability_alive(fit, histories).value
        coming = discounted_purchases(fit, histories, ends=ends, factors=factors)
        return float((alive * coming * spend).mean())

    return {"expect": expect, "value": value}


def measure(what: str, goal: float, contenders: dict, rounds: int) -> tuple[Rounds, Goal]:
    found = interleave(contenders, rounds)
    times = found.ratio("ours", "lifetimes", lambda one: one.rate)
    reached = Goal(f"{what}, times lifetimes", times["median"], goal)
    show(f"{what} ({times['min']:.1f}-{times['max']:.1f} times)", found, [reached])
    return found, reached


def other_models(peer: Peer, small: Histories, rounds: int) -> list[Goal]:
    """Measure the models of which only the published data are at hand: CDNOW, and donations."""
    given = donors()
    return [
        measure(
            "Pareto/NBD on CDNOW",
            5,
            beside(
                peer,
                "fit_pareto",
                partial(ParetoNbd(unit_days=7).fit, small),
                len(small),
                same_fit,
            ),
            rounds,
        )[1],
        measure(
            "BG/BB on donations",
            8,
            beside(
                peer, "fit_donors", partial(fit_donors, given), int(given.weight.sum()), same_fit
            ),
            rounds,
        )[1],
    ]


def growth(histories: Histories, rounds: int) -> Goal:
    """Say how many times longer ten times the customers take."""
    tenfold, estimator = simulate(10 * len(histories), seed=8), BgNbd(unit_days=7)
    contenders = {
        "ten": lambda: sample(lambda: estimator.fit(tenfold), 1)[1],
        "one": lambda: sample(lambda: estimator.fit(histories), 1)[1],
    }
    found = interleave(contenders, rounds).ratio("ten", "one", lambda one: one.seconds)
    goal = Goal("ten times the customers, times as long", found["median"], 4, at_least=False)
    print(goal.line())
    return goal


def run(rounds: int = 7, *, customers: int = 1_000_000) -> dict:
    """Measure all; CDNOW is fitted in a few milliseconds, so it takes more turns."""
    peer, estimator = Peer(), BgNbd(unit_days=7)
    goals, last = [], None
    with tempfile.TemporaryDirectory() as folder:
        small, many = cdnow(), simulate(customers)
        for what, wanted, histories, turns in (
            ("BG/NBD on CDNOW", 8, small, 3 * rounds),
            (f"BG/NBD on {customers:,} customers", 10, many, rounds),
        ):
            peer.load(histories, folder)
            fit = partial(estimator.fit, histories)
            pair = beside(peer, "fit", fit, len(histories), same_fit)
            last, goal = measure(what, wanted, pair, turns)
            goals.append(goal)
        peer.load(small, folder)
        goals += other_models(peer, small, rounds)
        peer.load(many, folder)
        pair = beside(
            peer, "fit_spend", partial(GammaGamma(unit_days=7).fit, many), customers, same_fit
        )
        goals.append(measure("Gamma-Gamma", 1, pair, rounds)[1])
        calls = scoring(many, peer.ask("fit")["parameters"])
        for what, wanted, word in (
            ("purchases of 13 weeks", 2, "expect"),
            ("value of 12 months", 6, "value"),
        ):
            pair = beside(peer, word, calls[word], customers, same_mean)
            goals.append(measure(what, wanted, pair, rounds)[1])
        peer.close()
        goals.append(growth(many, rounds))
    return summary("clv", last, goals, checks="likelihoods, parameters and means are equal")


if __name__ == "__main__":
    run(2, customers=50_000)
