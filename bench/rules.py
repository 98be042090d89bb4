"""One rule of six conditions: Amity's compiled rule beside zen-engine, json-logic and a lambda.

Run with `python -m bench rules`. All four are asked about the same thousand people and must name
the same ones. Goals: at least 4 times zen-engine, 30 times json-logic, and half of a lambda that
knows nothing of missing or wrongly typed values.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from amity.rules import Subject, compile_rule, decode_rule
from bench.harness import Goal, Sample, interleave, show, summary

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COUNTRIES = ["FR", "DE", "US", "GB", "IT", "ES"]
PEERS = Path(__file__).parent.parent / ".bench"


def people(count: int = 1000) -> list[dict]:
    rng = random.Random(1)
    return [
        {
            "amount": rng.random() * 300,
            "items": rng.randint(1, 9),
            "country": rng.choice(COUNTRIES),
            "orders": rng.randint(0, 30),
            "days_since": rng.randint(0, 400),
            "tier": rng.choice(["gold", "silver", "bronze"]),
        }
        for _ in range(count)
    ]


# Nearly everyone passes, so that every engine has to go through all six conditions.
CONDITIONS = [
    ("amount", {"op": "gte", "value": 1}),
    ("items", {"op": "lt", "value": 20}),
    ("country", {"op": "in", "values": COUNTRIES}),
    ("orders", {"op": "gte", "value": 0}),
    ("days_since", {"op": "lte", "value": 500}),
    ("tier", {"op": "ne", "value": "none"}),
]


def ours(found: list[dict]) -> Callable[[], list[bool]]:
    rule = decode_rule(
        {
            "node": "all",
            "of": [
                {"node": "check", "field": f"trait.{name}", "is": test} for name, test in CONDITIONS
            ],
        }
    )
    subjects = [Subject(traits=person) for person in found]
    matches = compile_rule(rule).matches
    return lambda: [matches(subject, NOW) for subject in subjects]


def lambda_(found: list[dict]) -> Callable[[], list[bool]]:
    countries = frozenset(COUNTRIES)
    passes = lambda c: (  # noqa: E731  # what is measured is a lambda
        c["amount"] >= 1
        and c["items"] < 20
        and c["country"] in countries
        and c["orders"] >= 0
        and c["days_since"] <= 500
        and c["tier"] != "none"
    )
    return lambda: [passes(person) for person in found]


def zen_engine(found: list[dict]) -> Callable[[], list[bool]]:
    import zen

    names = ", ".join(f'"{name}"' for name in COUNTRIES)
    expression = zen.compile_expression(
        f"amount >= 1 and items < 20 and country in [{names}] and orders >= 0 "
        'and days_since <= 500 and tier != "none"'
    )
    return lambda: [expression.evaluate(person) for person in found]


def json_logic(found: list[dict]) -> Callable[[], list[bool]]:
    from json_logic import jsonLogic

    rule = {
        "and": [
            {">=": [{"var": "amount"}, 1]},
            {"<": [{"var": "items"}, 20]},
            {"in": [{"var": "country"}, COUNTRIES]},
            {">=": [{"var": "orders"}, 0]},
            {"<=": [{"var": "days_since"}, 500]},
            {"!=": [{"var": "tier"}, "none"]},
        ]
    }
    return lambda: [bool(jsonLogic(rule, person)) for person in found]


def add_peers() -> None:
    """Let the peers be imported from their own environment, after everything of ours."""
    for folder in PEERS.glob("lib/python3*/site-packages"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def turns(call: Callable[[], object], operations: int, seconds: float) -> Callable[[], Sample]:
    """Return a contender that calls again and again for about so long."""
    call()
    started = time.perf_counter()
    call()
    repeats = max(1, int(seconds / (time.perf_counter() - started)))

    def turn() -> Sample:
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            call()
        spent = time.perf_counter() - began
        return Sample(operations * repeats, spent, time.process_time() - cpu)

    return turn


def run(rounds: int, seconds: float = 0.3) -> dict:
    add_peers()
    found = people()
    contenders = {
        "amity": ours(found),
        "lambda": lambda_(found),
        "zen-engine": zen_engine(found),
        "json-logic": json_logic(found),
    }
    answers = {name: call() for name, call in contenders.items()}
    assert all(answer == answers["amity"] for answer in answers.values()), "answers differ"
    measured = interleave(
        {name: turns(call, len(found), seconds) for name, call in contenders.items()}, rounds
    )
    goals = [
        Goal(f"amity / {peer}", measured.ratio("amity", peer, lambda s: s.rate)["median"], wanted)
        for peer, wanted in (("zen-engine", 4.0), ("json-logic", 30.0), ("lambda", 0.5))
    ]
    show("one rule of six conditions", measured, goals)
    return summary("rules", measured, goals)
