"""A Spark standalone cluster for tests: a master and two workers of this machine, on loopback.

Spark lies in an environment of its own, `.spark` (`make spark`), as it weighs half a gigabyte and
wants Java. Queries go there as text and come back as Arrow; `spark_driver` is what runs there.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ibis
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.config import Config

from amity.analysis.logic.batch.engines import SPARK
from amity.infra.config import environment
from amity.infra.process import die_with_parent
from amity.testing.ports import free_port

_START_SECONDS: Final = 600.0
_WORKERS: Final = 2
_DRIVER: Final = Path(__file__).with_name("spark_driver.py")
QUICK_TO_START: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For a life of minutes: what makes Java fast in the long run would cost more than it gives."""
QUICK_IN_THE_END: Final = "-XX:+UseSerialGC"


class _SparkOptions(Config):  # type: ignore[misc]  # Ibis' own base has no types
    treat_nan_as_null: bool = False


class _Compiler(PySparkCompiler):  # type: ignore[misc]  # Ibis' own has no types
    """Ibis' own words for Spark, but for JSON: those lose whether a value is text."""

    def visit_JSONGetItem(self, op: Any, *, arg: Any, index: Any) -> Any:  # Ibis' name
        """Reach into JSON as rules do."""
        del index
        return self.f.anon.amity_get(arg, sge.Literal.string(SPARK.key(str(op.index.value))))


JSON_FUNCTIONS: Final = (
    "CREATE TEMPORARY FUNCTION unwrap_json_str(j STRING) RETURNS STRING "
    "RETURN CASE WHEN amity_type(j) = 'string' THEN amity_text(j) END",
    "CREATE TEMPORARY FUNCTION unwrap_json_int(j STRING) RETURNS BIGINT "
    "RETURN CASE WHEN regexp_like(j, '^-?[0-9]+$') THEN TRY_CAST(j AS BIGINT) END",
    "CREATE TEMPORARY FUNCTION unwrap_json_float(j STRING) RETURNS DOUBLE "
    "RETURN CASE WHEN amity_type(j) = 'number' THEN TRY_CAST(j AS DOUBLE) END",
    "CREATE TEMPORARY FUNCTION unwrap_json_bool(j STRING) RETURNS BOOLEAN "
    "RETURN CASE WHEN amity_type(j) = 'boolean' THEN j = 'true' END",
)
"""What Ibis calls of its own accord, and would bring along as Python."""


class SparkAnswer(msgspec.Struct, frozen=True):
    """What a cluster found: rows by the query's name, failures, and how long each took."""

    tables: dict[str, pa.Table]
    failures: dict[str, str]
    seconds: dict[str, float]
    cpu_seconds: dict[str, float]
    """Of the whole cluster, whatever it was asked in that time."""
    start_seconds: float
    """How long it took until the cluster was ready to be asked."""
    workers: int
    """How many workers took part at the end."""


def find_spark() -> Path | None:
    """Return the environment with Spark in it, which AMITY_SPARK names; None when nothing does.

    What is named must be there, and Java too: a test that was asked for is not passed over.
    """
    named = environment().get("AMITY_SPARK")
    if not named:
        return None
    place = Path(named).absolute()
    assert (place / "bin" / "spark-class").exists(), f"there is no Spark in {place} (make spark)"
    assert shutil.which("java"), "Spark needs Java 17 (scripts/java.sh)"
    return place


class Cluster:
    """A running cluster, asked with `ask`."""

    def __init__(self, place: Path, master: str, folder: Path, java: str) -> None:
        self._place = place
        self._master = master
        self._folder = folder
        self._java = java

    def ask(
        self,
        tables: Mapping[str, pa.Table],
        queries: Mapping[str, str],
        *,
        prelude: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        at_once: int = 2,
        seconds: float = 300.0,
    ) -> SparkAnswer:
        """Write the tables as Parquet, have every query run over them, and return what came.

        ``prelude`` is run before; ``settings`` are Spark's own, for more than a few rows.
        """
        out = Path(tempfile.mkdtemp(dir=self._folder))
        request = {
            "master": self._master,
            "out": str(out),
            "prelude": list(prelude),
            "settings": dict(settings or {}),
            "at_once": at_once,
            "tables": {name: _write(out, name, table) for name, table in tables.items()},
            "queries": dict(queries),
        }
        told = out / "request.json"
        told.write_text(json.dumps(request), "utf-8")
        done = subprocess.run(  # noqa: S603  # our own environment and module
            [str(self._place / "bin" / "python"), str(_DRIVER), str(told)],
            env=_environment(self._place, self._java),
            preexec_fn=die_with_parent,  # calls one system call only
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
        report = json.loads((out / "done.json").read_text("utf-8"))
        return SparkAnswer(
            tables={path.stem: _read(path) for path in out.glob("*.arrow")},
            failures={path.stem: path.read_text("utf-8") for path in out.glob("*.failure")},
            seconds=report["seconds"],
            cpu_seconds=report["cpu_seconds"],
            start_seconds=report["start_seconds"],
            workers=report["workers"],
        )


def to_spark_sql(expression: ibis.Expr) -> str:
    """Return an Ibis expression in Spark's words, without Spark being here."""
    # The compiler looks at what loading Ibis' own backend would set.
    ibis.options.pyspark = _SparkOptions()
    return str(_Compiler().to_sqlglot(expression).sql("spark"))


@contextlib.contextmanager
def running_cluster(*, memory: str = "600m", java: str = QUICK_TO_START) -> Iterator[Cluster]:
    """Run a master and two workers of one core until the block ends, with these options of Java."""
    place = find_spark()
    assert place, "AMITY_SPARK does not say where Spark is (make spark-check)"
    with tempfile.TemporaryDirectory(prefix="amity-spark-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        port = free_port()
        master = f"spark://127.0.0.1:{port}"
        common = ["--host", "127.0.0.1", "--webui-port", "0"]
        small = ["--cores", "1", "--memory", memory, "--work-dir", str(folder)]
        roles = [["master.Master", "--port", str(port), *common]]
        roles += [["worker.Worker", *common, *small, master] for _ in range(_WORKERS)]
        processes = []
        try:
            for number, role in enumerate(roles):
                processes.append(_start(place, folder / f"log-{number}", role, java))
                if not number:
                    _wait_for(port, processes[0])
            yield Cluster(place, master, folder, java)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=20)
                process.kill()


def _start(place: Path, log: Path, role: Sequence[str], java: str) -> "subprocess.Popen[bytes]":
    command = [str(place / "bin" / "spark-class"), f"org.apache.spark.deploy.{role[0]}", *role[1:]]
    with log.open("wb") as file:
        return subprocess.Popen(  # noqa: S603  # our own environment
            command,
            env=_environment(place, java),
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # calls one system call only
        )


def _environment(place: Path, java: str) -> dict[str, str]:
    found = {k: v for k, v in environment().items() if k in {"PATH", "LANG", "HOME", "JAVA_HOME"}}
    return found | {
        "SPARK_HOME": str(next((place / "lib").glob("python3*/site-packages/pyspark"))),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": str(place / "bin" / "python"),
        "JDK_JAVA_OPTIONS": java,
    }


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the master ended by itself"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise AssertionError("the master did not start")


def _write(out: Path, name: str, table: pa.Table) -> dict[str, object]:
    folder = out / "tables" / name
    os.makedirs(folder)
    # In two files, so that both workers have something to read.
    half = (table.num_rows + 1) // 2
    paths = []
    for part, rows in enumerate((table.slice(0, half), table.slice(half))):
        path = folder / f"part-{part}.parquet"
        pq.write_table(rows, path)
        paths.append(str(path))
    return {"folder": str(folder), "paths": paths}


def _read(path: Path) -> pa.Table:
    with pa.ipc.open_file(path) as file:
        return file.read_all()
