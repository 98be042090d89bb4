"""Who is who, event by event, in memory: the store's own `resolve` beside a bare union-find.

Run with `python -m bench identify`. People come with two devices and an e-mail address, in any
order; both must end with the same people. Ours applies all its rules, keeps the log of merges and
can undo each; the floor joins keys and knows nothing else. Goals: at least a fifth of the floor's
identifiers a second, and with a million people (AMITY_BENCH_PROFILES for another number) at most
twice as long for an identifier as with ten thousand.
"""

import gc
import os
import random
import time

from amity.store.logic.identity.resolving import resolve
from amity.store.logic.identity.rules import Block, Evidence, Graph, Join, Key
from bench.harness import Goal, Sample, interleave, show, summary

FEW = 10_000
MEASURED = 10_000  # people whose events are timed, once the graph is as large as wanted


def stream(people: range, seed: int = 1) -> list[list[Key]]:
    """Return the identifiers of each event: a device alone, later with its owner's address."""
    events = []
    for person in people:
        email = Key("email", f"p{person}@mail.example")
        for device in "ab":
            key = Key("anonymous_id", f"{person}{device}")
            events += [[key], [email, key]]
    random.Random(seed).shuffle(events)
    return events


class Ours:
    """The graph with everything the store decides by, and the log of merges."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.log: list[Join] = []
        self.event_id = 0

    def take(self, events: list[list[Evidence]]) -> None:
        graph, log = self.graph, self.log
        for evidence in events:
            self.event_id += 1
            log.extend(resolve(graph, evidence, self.event_id).joins)

    def undo_last(self) -> None:
        """Take the last merge apart, and keep it from being made again by what was known."""
        join = self.log.pop()
        winner, loser = self.graph.members[join.winner_id], self.graph.members[join.loser_id]
        loser.merged_into = None
        winner.identifier_count -= loser.identifier_count
        winner.email_count -= loser.email_count
        winner.phone_count -= loser.phone_count
        self.graph.blocks.append(Block(join.winner_id, join.loser_id, self.event_id + 1))

    def people(self) -> int:
        return sum(member.merged_into is None for member in self.graph.members.values())


class Floor:
    """Union-find over keys, with path halving."""

    def __init__(self) -> None:
        self.parent: dict[Key, Key] = {}

    def take(self, events: list[list[Key]]) -> None:
        parent = self.parent
        for keys in events:
            first = None
            for key in keys:
                root = parent.setdefault(key, key)
                while root is not parent[root]:
                    parent[root] = root = parent[parent[root]]
                if first is None:
                    first = root
                elif root is not first:
                    parent[root] = first

    def people(self) -> int:
        return sum(key is parent for key, parent in self.parent.items())


def evidence_of(events: list[list[Key]]) -> list[list[Evidence]]:
    slots = {"email": 1, "anonymous_id": 3}
    return [[Evidence(slots[key.kind], key) for key in keys] for keys in events]


def fill(size: int) -> tuple[Ours, Floor]:
    """Return both graphs with so many people in them, having come to the same."""
    ours, floor = Ours(), Floor()
    for start in range(0, size, 50_000):
        events = stream(range(start, min(size, start + 50_000)))
        ours.take(evidence_of(events))
        floor.take(events)
    assert ours.people() == floor.people() == size
    before = [(i, m.identifier_count) for i, m in ours.graph.members.items() if not m.merged_into]
    undone = ours.log[-1]
    ours.undo_last()
    assert ours.people() == size + 1
    member = ours.graph.members[undone.loser_id]
    member.merged_into = undone.winner_id
    ours.graph.members[undone.winner_id].identifier_count += member.identifier_count
    ours.graph.blocks.clear()
    after = [(i, m.identifier_count) for i, m in ours.graph.members.items() if not m.merged_into]
    assert after == before
    return ours, floor


def turn(graph: Ours | Floor, tag: int) -> Sample:
    """Time the events of people not seen before."""
    turn.coming[id(graph)] = start = turn.coming.get(id(graph), tag) + MEASURED
    events = stream(range(start, start + MEASURED), seed=start)
    count = sum(map(len, events))
    given = evidence_of(events) if isinstance(graph, Ours) else events
    gc.collect()
    gc.freeze()
    began, used = time.perf_counter(), time.process_time()
    graph.take(given)
    return Sample(count, time.perf_counter() - began, time.process_time() - used)


turn.coming = {}


def run(rounds: int = 7) -> dict:
    many = int(os.environ.get("AMITY_BENCH_PROFILES", "1000000"))
    graphs = {}
    for name, size in (("few", FEW), ("many", many)):
        graphs[f"amity, {name}"], graphs[f"floor, {name}"] = fill(size)
    contenders = {
        name: (lambda graph=graph: turn(graph, 100_000_000)) for name, graph in graphs.items()
    }
    measured = interleave(contenders, rounds)
    goals = [
        Goal(
            "identifiers a second, times the floor's",
            measured.ratio("amity, many", "floor, many", lambda s: s.rate)["median"],
            0.2,
        ),
        Goal(
            f"time for one with {many:,} people, times that with {FEW:,}",
            measured.ratio("amity, many", "amity, few", lambda s: s.cpu_seconds)["median"],
            2,
            at_least=False,
        ),
    ]
    show("who is who, event by event", measured, goals)
    return summary("identify", measured, goals)
