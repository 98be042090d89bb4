"""What a rule, RFM and a funnel cost as the warehouse grows: time and memory, events by events.

Run with `python -m bench.outgrow 1000000 [10000000 …]`. For each number of events a warehouse of
plain Parquet is made in a folder that is gone afterwards (some 25 bytes an event), and each
question is asked by a process of its own, as the product does, with two threads; the time is that
of the whole process. There is no peer: this says how cost grows.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from amity.analysis.logic.batch.catalogue import make_catalogue
from amity.analysis.logic.batch.engines import DUCKDB
from amity.analysis.logic.batch.translating import translate
from amity.rules import decode_rule, to_sql

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS_A_CUSTOMER = 25
RULE = {
    "node": "all",
    "of": [
        {"node": "did", "event": "Product Viewed", "at_least": 3, "within_days": 30},
        {"node": "not", "of": {"node": "did", "event": "Order Completed", "within_days": 30}},
    ],
}
RFM = """
WITH orders AS (SELECT origin_id AS id, max(occurred_at) AS last, count(*) AS times,
    sum(CAST(json_extract(properties, '/total') AS DECIMAL(18, 2))) AS spent
    FROM events WHERE name = 'Order Completed' GROUP BY 1),
cells AS (SELECT ntile(5) OVER (ORDER BY last, id) AS r, ntile(5) OVER (ORDER BY times, id) AS f,
    ntile(5) OVER (ORDER BY spent, id) AS m FROM orders)
SELECT r, f, m, count(*) AS customers FROM cells GROUP BY ALL
"""
FUNNEL = """
WITH first AS (SELECT origin_id AS id, min(occurred_at) AS at FROM events
    WHERE name = 'Product Viewed' GROUP BY 1),
second AS (SELECT e.origin_id AS id, min(e.occurred_at) AS at FROM events e
    JOIN first f ON f.id = e.origin_id AND e.occurred_at > f.at
    WHERE e.name = 'Product Added' GROUP BY 1),
third AS (SELECT e.origin_id AS id FROM events e
    JOIN second s ON s.id = e.origin_id AND e.occurred_at > s.at
    WHERE e.name = 'Order Completed' GROUP BY 1)
SELECT (SELECT count(*) FROM first), (SELECT count(*) FROM second), (SELECT count(*) FROM third)
"""


def questions() -> dict[str, str]:
    """Return the SQL of each question."""
    rule = translate(to_sql(decode_rule(RULE), make_catalogue({}), NOW), DUCKDB)
    return {"rule": f"SELECT count(*) FROM ({rule})", "rfm": RFM, "funnel": FUNNEL}


def make(folder: Path, events: int) -> int:
    """Write a warehouse of so many events of a half year; return its bytes."""
    customers = max(events // EVENTS_A_CUSTOMER, 1)
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'; SELECT setseed(0.5)")
    connection.execute(
        f"COPY (SELECT i + 1 AS profile_id, i + 1 AS root_id, NULL::BIGINT AS merged_into, "
        f"'{{}}' AS traits, '{{}}' AS consents FROM range({customers}) t(i)) "
        f"TO '{folder / 'profiles.parquet'}' (COMPRESSION zstd)"
    )
    connection.execute(
        f"COPY (SELECT 1 + CAST(floor(random() * {customers}) AS BIGINT) AS origin_id, CASE "
        "WHEN dice < 0.6 THEN 'Product Viewed' WHEN dice < 0.8 THEN 'Product Added' "
        "WHEN dice < 0.9 THEN 'Page Viewed' ELSE 'Order Completed' END AS name, "
        f"TIMESTAMPTZ '{NOW}' - to_microseconds(CAST(random() * 15552e9 AS BIGINT)) AS occurred_at,"
        "'{\"total\": ' || CAST(floor(random() * 10000) / 100 AS DECIMAL(9, 2)) || '}' "
        f"AS properties FROM (SELECT random() AS dice FROM range({events}) t(i))) "
        f"TO '{folder / 'events.parquet'}' (COMPRESSION zstd)"
    )
    connection.close()
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def answer(folder: Path, sql: str) -> None:
    """Run one question in this process, and print its time and the most memory it took."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    for statement in DUCKDB.prelude:
        connection.execute(statement)
    for path in folder.glob("*.parquet"):
        connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
    began = time.perf_counter()
    rows = connection.execute(sql).fetchall()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "rows": len(rows)}))


def ask(folder: Path, sql: str) -> dict[str, Any]:
    """Ask in a process of its own."""
    command = [sys.executable, "-m", "bench.outgrow", "--folder", str(folder), "--sql", sql]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.outgrow", description=__doc__)
    parser.add_argument("events", nargs="*", type=int, default=[1_000_000])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sql", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        answer(options.folder, options.sql)
        return
    for events in options.events:
        with tempfile.TemporaryDirectory(prefix="amity-outgrow-") as name:
            size = make(Path(name), events)
            print(f"{events:,} events, {size / 1e6:,.0f} MB of Parquet")
            for question, sql in questions().items():
                found = ask(Path(name), sql)
                peak = found["peak_bytes"] / 1e6
                print(f"  {question:<8}{found['seconds']:8.2f} s {peak:8,.0f} MB")


if __name__ == "__main__":
    main()
