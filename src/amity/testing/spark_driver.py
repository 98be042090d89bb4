"""Runs queries on a Spark cluster; started by `amity.testing.spark` in an environment of its own.

Nothing of Amity is there: it is told by a file what to do, and leaves Arrow files behind.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession  # type: ignore[import-not-found]  # in its own environment


def main() -> None:
    """Do what the file named on the command line says."""
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    out = Path(request["out"])
    began = time.perf_counter()
    spark = _start(request, out)
    started = time.perf_counter() - began
    try:
        for statement in request["prelude"]:
            spark.sql(statement)
        for name, table in request["tables"].items():
            frame = spark.read.option("basePath", table["folder"]).parquet(*table["paths"])
            frame.createOrReplaceTempView(name)
        # What takes long is planning, in one thread each; the workers have time for two.
        with ThreadPoolExecutor(request["at_once"]) as pool:
            queries = request["queries"]
            taken = pool.map(lambda name: _answer(spark, name, queries[name], out), queries)
            times = dict(zip(queries, taken, strict=True))
        workers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
    finally:
        spark.stop()
    done = {
        "seconds": {name: seconds for name, (seconds, _) in times.items()},
        "cpu_seconds": {name: seconds for name, (_, seconds) in times.items()},
        "start_seconds": started,
        "workers": workers,
    }
    (out / "done.json").write_text(json.dumps(done))


def _start(request: dict[str, Any], out: Path) -> Any:
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(out),
        "spark.sql.warehouse.dir": str(out),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        # Of a filter over many columns made of JSON it takes minutes to say what then holds.
        "spark.sql.constraintPropagation.enabled": "false",
        # Of few rows compiling costs more than it saves, and the values are the same.
        "spark.sql.codegen.wholeStage": "false",
        "spark.executor.memory": "512m",
        "spark.executor.cores": "1",
        "spark.driver.memory": "1g",
        # A product of decimals keeps its decimals, as elsewhere.
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    }
    builder = SparkSession.builder.master(request["master"])
    for name, value in (settings | request["settings"]).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def _answer(spark: Any, name: str, sql: str, out: Path) -> tuple[float, float]:
    began, used = time.perf_counter(), _cluster_cpu()
    try:
        table = spark.sql(sql).toArrow()
        with pa.ipc.new_file(str(out / f"{name}.arrow"), table.schema) as file:
            file.write_table(table)
    except Exception as error:
        (out / f"{name}.failure").write_text(str(error)[:2000], "utf-8")
    return time.perf_counter() - began, _cluster_cpu() - used


def _cluster_cpu() -> float:
    """Return the processor seconds of all that descends from who started this: the cluster."""
    used: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            told = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            used[pid] = int(told[11]) + int(told[12])
            children.setdefault(int(told[1]), []).append(pid)
    total, left = 0, children.get(os.getppid(), [])
    while left:
        pid = left.pop()
        total += used[pid]
        left += children.get(pid, [])
    return total / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
