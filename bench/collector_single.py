"""Single events, each acknowledged after its commit (PERFORMANCE row 1)."""

from bench.collector import compare, cpu, p99, rate, ratio_goals

_GOALS = [
    ("events a second beside uvicorn + asyncpg", rate, "typical", 1.5, True),
    ("CPU for an event beside uvicorn + asyncpg", cpu, "typical", 0.6, False),
    ("events a second beside the floor with a unique index", rate, "floor_unique", 1.0, True),
    ("events a second beside the plain floor", rate, "floor_jsonb", 0.5, True),
    ("p99 beside the plain floor", p99, "floor_jsonb", 3.0, False),
]


def run(rounds):
    """Send from 64 connections."""
    return compare(
        "collector_single",
        rounds,
        size=1,
        connections=64,
        seconds=1.0,
        goals=lambda measured: ratio_goals(measured, _GOALS),
    )
