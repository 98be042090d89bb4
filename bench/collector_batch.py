"""Batches of a hundred events (PERFORMANCE row 2)."""

from bench.collector import compare, cpu, rate, ratio_goals

_GOALS = [
    ("events a second beside uvicorn + asyncpg", rate, "typical", 3.0, True),
    ("CPU for an event beside uvicorn + asyncpg", cpu, "typical", 0.3, False),
    ("events a second beside the floor with a unique index", rate, "floor_unique", 1.0, True),
    ("events a second beside the plain floor", rate, "floor_jsonb", 0.5, True),
]


def run(rounds):
    """Send from 8 connections."""
    return compare(
        "collector_batch",
        rounds,
        size=100,
        connections=8,
        seconds=1.0,
        goals=lambda measured: ratio_goals(measured, _GOALS),
    )
