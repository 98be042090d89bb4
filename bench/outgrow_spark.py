"""What the same questions cost on DuckDB and on a Spark cluster of this machine, and whether the
answers are the same.

Run with `python -m bench.outgrow_spark FOLDER [FOLDER …]`, each the warehouse of an installation or
one that `python -m bench.report_pages EVENTS --folder FOLDER` made, and AMITY_SPARK naming the
environment of `make spark`. The questions are a rule with two counts in thirty days and some
reports' usual questions about the last ninety days. DuckDB has two threads and each question is a
process of its own; Spark has a master, two workers of one core, and is asked one thing after
another when it has started. So both have the same two cores: what differs is what it costs to
spread the work.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import ibis
import pyarrow as pa

from amity.analysis.logic.batch.engines import DUCKDB, SPARK
from amity.analysis.logic.batch.finding import Question
from amity.analysis.report import Asked, load_reports
from amity.infra.warehouse import VERSION, Shape
from amity.rules import decode_rule
from amity.testing.reports_kit import complete
from amity.testing.reports_town import expressions, shapes
from amity.testing.spark import (
    JSON_FUNCTIONS,
    QUICK_IN_THE_END,
    running_cluster,
    to_spark_sql,
)
from amity.testing.spark_questions import differ
from bench.outgrow import RULE

REPORTS: Final = ("rfm_grid", "cohorts", "acquisition", "paths")
DAYS: Final = 90
MEMORY_GB: Final = 2
_TYPES: Final = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}
_SETTINGS: Final = {
    "spark.executor.memory": f"{MEMORY_GB}g",
    "spark.driver.memory": "1g",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.shuffle.partitions": "4",
}


def view(shape: Shape, source: str | None, instant: str) -> str:
    """Return the query of a table's rows that hold, in words both engines know."""
    if source is None:
        types = {"instant": instant, **_TYPES}
        empty = [f"CAST(NULL AS {types.get(k, 'STRING')}) AS {c}" for c, k in shape.columns.items()]
        return f"SELECT {', '.join(empty)}, CAST(NULL AS DATE) AS day WHERE 1 = 0"
    columns = ", ".join(f"r.{column}" for column in (*shape.columns, "day"))
    if not shape.changes:
        return f"SELECT {columns} FROM {source} AS r"
    heads = f"SELECT {shape.key} AS k, max({VERSION}) AS latest FROM {source} GROUP BY 1"
    return (
        f"SELECT {columns} FROM {source} AS r JOIN ({heads}) AS h ON r.{shape.key} = h.k "
        f"AND r.{VERSION} = h.latest WHERE r.{shape.present} IS NOT NULL"
    )


def views(folder: Path, engine: str) -> dict[str, str]:
    """Return the query of each table of a warehouse."""
    instant, read = ("TIMESTAMP", "parquet.`{}`")
    if engine == "duckdb":
        instant = "TIMESTAMPTZ"
        read = "read_parquet('{}/*/*.parquet', hive_types = {{'day': DATE}})"
    return {
        name: view(
            shape, read.format(place) if (place := folder / name).is_dir() else None, instant
        )
        for name, shape in shapes().items()
    }


def questions(until: date) -> Iterator[tuple[str, str, str]]:
    """Name each question's parts, and give them in the words of DuckDB and of Spark."""
    now = datetime(until.year, until.month, until.day, tzinfo=UTC)
    rule = Question(rule=decode_rule(RULE), now=now, policies={})
    count = "SELECT count(*) AS n FROM ({}) AS f"
    yield "a rule", count.format(rule.say(DUCKDB)), count.format(rule.say(SPARK))
    for name in REPORTS:
        kind = load_reports()[name]
        since = until - timedelta(days=DAYS)
        asked = Asked(from_on=since, until_on=until, now=now, currency="USD")
        found = kind().expressions(expressions(), complete(kind, asked, {}))
        for part, expression in found.items():
            sql = str(ibis.to_sql(expression, dialect="duckdb"))
            yield f"{name}: {part}", sql, to_spark_sql(expression)


def answer(folder: Path, sql: str, out: Path) -> None:
    """Ask DuckDB one question in this process; print its time and the most memory it took."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    for statement in DUCKDB.prelude:
        connection.execute(statement)
    for name, query in views(folder, "duckdb").items():
        connection.execute(f"CREATE VIEW {name} AS {query}")
    began, used = time.perf_counter(), time.process_time()
    found = connection.execute(sql).to_arrow_table()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    with pa.ipc.new_file(str(out), found.schema) as file:
        file.write_table(found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}))


def ask_duckdb(folder: Path, sql: str, out: Path) -> tuple[dict[str, Any], pa.Table]:
    """Ask in a process of its own."""
    command = [sys.executable, "-m", "bench.outgrow_spark", str(folder)]
    command += ["--sql", sql, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with pa.ipc.open_file(out) as file:
        return dict(json.loads(done.stdout)), file.read_all()


def measure(folder: Path) -> None:
    """Ask both everything, and print what it took."""
    days = sorted(path.name.removeprefix("day=") for path in (folder / "events").iterdir())
    asked = list(questions(date.fromisoformat(days[-1]) + timedelta(days=1)))
    size = sum(path.stat().st_size for path in folder.glob("*/*/*.parquet"))
    print(f"{folder}: {size / 1e6:,.0f} MB of Parquet", flush=True)
    made = [
        f"CREATE TEMPORARY VIEW {name} AS {query}" for name, query in views(folder, "spark").items()
    ]
    with running_cluster(memory=f"{MEMORY_GB}g", java=QUICK_IN_THE_END) as cluster:
        answers = cluster.ask(
            {},
            {name: sql for name, _, sql in asked},
            prelude=[*SPARK.prelude, *JSON_FUNCTIONS, *made],
            settings=_SETTINGS,
            at_once=1,
            seconds=3600,
        )
    print(f"  Spark ready after {answers.start_seconds:.1f} s, {answers.workers} workers")
    scratch = Path(tempfile.mkdtemp(prefix="amity-outgrow-")) / "answer.arrow"
    for name, sql, _ in asked:
        if name in answers.failures:
            print(f"  {name:<28} Spark: {answers.failures[name][:200]}")
            continue
        found, rows = ask_duckdb(folder, sql, scratch)
        same = "other rows!" if differ(rows, answers.tables[name]) else "same rows"
        print(
            f"  {name:<24} DuckDB {found['seconds']:7.2f} s ({found['cpu_seconds']:7.2f} s CPU, "
            f"{found['peak_bytes'] / 1e6:5,.0f} MB)  Spark {answers.seconds[name]:7.2f} s "
            f"({answers.cpu_seconds[name]:7.2f} s CPU)  {rows.num_rows:,} {same}",
            flush=True,
        )


def main() -> None:
    """Measure the folders that were named."""
    parser = argparse.ArgumentParser(prog="python -m bench.outgrow_spark", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--sql", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sql is not None:
        answer(options.folders[0], options.sql, options.out)
        return
    for folder in options.folders:
        measure(folder.absolute())


if __name__ == "__main__":
    main()
