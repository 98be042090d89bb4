"""A thousand and ten thousand rules an event: the follower's index beside asking every rule.

Run with `python -m bench rule_index`. Each rule counts one event under five more conditions on
its properties; both ways must name the same rules. Goals: at least 40 times the loop at 1,000
rules and 100 times at 10,000; with the matches held constant ten times the rules take at most 3
times as long; building takes at most a millisecond a rule.
"""

import random
import time
from collections.abc import Callable

from amity.rules import Did, RuleIndex, decode_rule
from bench.harness import Goal, interleave, show, summary
from bench.rules import turns

COUNTRIES = [f"c{i}" for i in range(30)]
TIERS = ["gold", "silver", "bronze", "none"]


def make_rules(count: int, names: list[str]) -> list[Did]:
    rng = random.Random(3)
    tests = lambda: {  # noqa: E731
        "amount": {"op": "gte", "value": round(rng.random() * 200, 1)},
        "country": {"op": "in", "values": rng.sample(COUNTRIES, rng.randint(3, 15))},
        "orders": {"op": "gte", "value": rng.randint(0, 15)},
        "days": {"op": "lte", "value": rng.randint(10, 400)},
        "tier": {"op": "ne", "value": rng.choice(TIERS)},
    }
    return [
        decode_rule(
            {
                "node": "did",
                "event": rng.choice(names),
                "where": [{"property": name, "is": test} for name, test in tests().items()],
            }
        )
        for _ in range(count)
    ]


def make_events(count: int, names: list[str]) -> list[tuple[str, dict]]:
    rng = random.Random(4)
    return [
        (
            rng.choice(names),
            {
                "amount": rng.random() * 300,
                "country": rng.choice(COUNTRIES),
                "orders": rng.randint(0, 30),
                "days": rng.randint(0, 400),
                "tier": rng.choice(TIERS),
            },
        )
        for _ in range(count)
    ]


def compile_alone(rule: Did) -> Callable[[str, dict], bool]:
    """Return one rule as a function of six conditions, the constants in closures."""
    event = rule.event
    amount, country, orders, days, tier = (test.is_ for test in rule.where)
    least, countries, fewest = amount.value, frozenset(country.values), orders.value
    most, other = days.value, tier.value
    return lambda name, properties: (
        name == event
        and properties["amount"] >= least
        and properties["country"] in countries
        and properties["orders"] >= fewest
        and properties["days"] <= most
        and properties["tier"] != other
    )


def loop(rules: list[Did], events: list[tuple[str, dict]]) -> Callable[[], list[list[int]]]:
    """Ask every rule, each a function that knows nothing of missing or wrongly typed values."""
    compiled = [compile_alone(rule) for rule in rules]
    return lambda: [
        [key for key, passes in enumerate(compiled) if passes(name, properties)]
        for name, properties in events
    ]


def make_index(rules: list[Did]) -> RuleIndex[int]:
    made: RuleIndex[int] = RuleIndex()
    for key, rule in enumerate(rules):
        made.add(key, rule)
    for name in {rule.event for rule in rules}:
        made.list_counting(name, {})  # builds the tables of this event
    return made


def ask(index: RuleIndex[int], events: list[tuple[str, dict]]) -> Callable[[], list[list[int]]]:
    look_up = index.list_counting
    return lambda: [look_up(name, properties) for name, properties in events]


def compare(count: int, wanted: float, rounds: int, seconds: float) -> dict:
    names = [f"Event {i}" for i in range(40)]
    rules, events = make_rules(count, names), make_events(300, names)
    started = time.perf_counter()
    index = make_index(rules)
    built = (time.perf_counter() - started) / count * 1000
    some = events if count <= 1000 else events[:30]
    calls = {"index": ask(index, events), "loop": loop(rules, some)}
    listed = calls["index"]()
    assert listed[: len(some)] == calls["loop"](), "match sets differ"
    measured = interleave(
        {
            "index": turns(calls["index"], len(events), seconds),
            "loop": turns(calls["loop"], len(some), seconds),
        },
        rounds,
    )
    started = time.perf_counter()
    index.add(-1, rules[0])
    index.list_counting(rules[0].event, {})
    one_more = (time.perf_counter() - started) * 1000
    goals = [
        Goal("index / loop", measured.ratio("index", "loop", lambda s: s.rate)["median"], wanted),
        Goal("building, ms a rule", built, 1.0, at_least=False),
    ]
    workload = f"{count:,} rules an event"
    show(workload, measured, goals)
    matches = sum(map(len, listed)) / len(events)
    print(f"  {matches:.1f} matches an event; one more rule takes {one_more:.2f} ms")
    return summary(workload, measured, goals, matches=matches, one_more_ms=one_more)


def compare_sizes(rounds: int, seconds: float) -> dict:
    """Ten times the rules over ten times the event names: the matches stay the same."""
    calls = {}
    for name, count in (("1,000 rules", 1000), ("10,000 rules", 10_000)):
        names = [f"Event {i}" for i in range(count // 25)]
        calls[name] = ask(make_index(make_rules(count, names)), make_events(300, names))
    measured = interleave({name: turns(call, 300, seconds) for name, call in calls.items()}, rounds)
    slower = measured.ratio("1,000 rules", "10,000 rules", lambda s: s.rate)["median"]
    goals = [Goal("time at 10,000 / at 1,000, same matches", slower, 3.0, at_least=False)]
    show("ten times the rules", measured, goals)
    return summary("ten times the rules", measured, goals)


def run(rounds: int, seconds: float = 0.3) -> dict:
    parts = [
        compare(1000, 40.0, rounds, seconds),
        compare(10_000, 100.0, rounds, seconds),
        compare_sizes(rounds, seconds),
    ]
    goals = [goal for part in parts for goal in part["goals"]]
    return {"workload": "rule_index", "parts": parts, "goals": goals}
