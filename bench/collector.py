"""What the collector's workloads share: the servers, the load, the counting of processor time."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from amity.infra import config, database, postgres
from amity.infra.crypto import installation_secrets
from amity.testing.edge import process_cpu_seconds, running_edge
from amity.testing.ports import free_port
from bench.harness import Goal, Sample, interleave, show, summary

_ROOT = Path(__file__).parents[1]
PEERS = _ROOT / ".bench" / "bin" / "python"
_TABLE = (
    "CREATE TABLE {} (received_at timestamptz, message_id text, user_id text, event text, "
    "properties jsonb)"
)
SETTINGS = {
    "disk_reserve_bytes": 0,
    "key_events_per_second": 1_000_000_000,
    "max_lag_seconds": 1_000_000,
}


@contextlib.contextmanager
def installation():
    """Run an embedded server with Amity's schema in a folder of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="amity-bench-", ignore_cleanup_errors=True) as folder,
        config.override(data=folder, disk_reserve_bytes=0),
    ):
        server = postgres.EmbeddedPostgres(Path(folder), installation_secrets())
        server.start()
        try:
            # In a process of its own: Django keeps to the first database it has seen.
            command = [sys.executable, "-m", "amity.cli", "migrate"]
            subprocess.run(command, env=config.environment(), check=True, stdout=subprocess.DEVNULL)
            yield server
        finally:
            database.close_pools()
            server.stop()


def make_tables(server):
    """Make the tables of the peers, and let them in; return how to connect, in both notations."""
    with psycopg.connect(server.conninfo("amity_owner"), autocommit=True) as connection:
        for table in ("typical", "floor_jsonb", "floor_unique"):
            connection.execute(sql.SQL(_TABLE).format(sql.Identifier(table)))
            connection.execute(
                sql.SQL("GRANT ALL ON {} TO amity_app").format(sql.Identifier(table))
            )
        connection.execute("CREATE UNIQUE INDEX ON floor_unique (message_id)")
    parts = psycopg.conninfo.conninfo_to_dict(server.conninfo("amity_app"))
    url = f"postgres://{parts['user']}:{parts['password']}@/{parts['dbname']}?host={parts['host']}"
    return server.conninfo("amity_app"), f"{url}&port={parts['port']}"


@contextlib.contextmanager
def serving(command, environ, port):
    """Run a server until the end of the block; give its process."""
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**config.environment(), **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(400):
            with contextlib.suppress(OSError), contextlib.closing(_connect(port)):
                break
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def serving_nothing(command):
    """Run a process that listens nowhere until the end of the block."""
    process = subprocess.Popen(
        command, cwd=_ROOT, env=config.environment(), stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _connect(port):
    return socket.create_connection(("127.0.0.1", port))


class Load:
    """The process that sends."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.collector_load"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **task):
        """Send for some seconds; return what happened."""
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def family(pid):
    """Return a process and its children."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]
    return [pid]


def turn(load, watch, pid, application, task):
    """Make a contender: a function that sends to one server for a while and measures it."""

    def processor():
        backends = watch.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", [application]
        ).fetchall()
        pids = [*family(pid), *(row[0] for row in backends)]
        return sum(process_cpu_seconds(each) for each in pids)

    def measure():
        before = processor()
        result = load.run(**task)
        if set(result["statuses"]) != {"200"}:
            raise RuntimeError(f"{application}: {result['statuses']}")
        measure.accepted += result["accepted"]
        cpu = processor() - before
        return Sample(result["accepted"], result["seconds"], cpu, result["p50"], result["p99"])

    measure.accepted = 0
    return measure


def compare(workload, rounds, *, size, connections, seconds, goals):
    """Run the collector, the typical stack and the two floors in turns."""
    if not PEERS.exists():
        raise SystemExit("the peers are not installed: run it as `make bench W=…`")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(installation())
        dsn, url = make_tables(server)
        watch = stack.enter_context(
            psycopg.connect(server.conninfo("amity_owner"), autocommit=True)
        )
        from amity.store.api import create_source

        key = create_source(name="bench", kind="server").write_key
        load = Load()
        stack.callback(load.close)
        contenders = {}
        edge = stack.enter_context(running_edge(**SETTINGS))
        path = "/v1/track" if size == 1 else "/v1/batch"
        task = {
            "path": path,
            "key": key,
            "size": size,
            "connections": connections,
            "seconds": seconds,
        }
        contenders["ours"] = turn(
            load, watch, edge.process.pid, "amity-app", {**task, "port": edge.port}
        )
        for name, command, environ in _others(dsn, url):
            port = free_port()
            process = stack.enter_context(serving([*command, "--port", str(port)], environ, port))
            contenders[name] = turn(load, watch, process.pid, name, {**task, "port": port})
        for contender in contenders.values():
            contender()  # warm up
        measured = interleave(contenders, rounds)
        checks = count_rows(watch, contenders)
    goals = goals(measured)
    show(workload, measured, goals)
    print("  stored = acknowledged: " + ", ".join(f"{k} {v:,}" for k, v in checks.items()))
    return summary(workload, measured, goals, checks=checks)


def _others(dsn, url):
    uvicorn = [str(PEERS), "-m", "uvicorn", "bench.collector_typical:app", "--no-access-log"]
    granian = [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws"]
    granian += ["--loop", "uvloop", "bench.collector_floor:app"]
    yield "typical", uvicorn, {"BENCH_URL": url}
    yield "floor_jsonb", granian, {"BENCH_DSN": dsn, "FLOOR": "jsonb"}
    yield "floor_unique", granian, {"BENCH_DSN": dsn, "FLOOR": "unique"}


def count_rows(watch, contenders):
    """Check that every contender stored what it acknowledged; return the counts."""
    tables = {"ours": "store_event_log"}
    counts = {}
    for name, contender in contenders.items():
        table = sql.Identifier(tables.get(name, name))
        query = sql.SQL("SELECT count(*) FROM {}").format(table)
        counts[name] = watch.execute(query).fetchone()[0]
        if counts[name] != contender.accepted:
            raise AssertionError(f"{name}: {counts[name]} stored, {contender.accepted} accepted")
    return counts


def rate(sample):
    """Return events a second."""
    return sample.rate


def cpu(sample):
    """Return processor time for an event."""
    return sample.cpu_us


def p99(sample):
    """Return the time within which 99 of 100 requests were answered."""
    return sample.p99_seconds


def ratio_goals(measured, wanted):
    """Make goals of (words, value, other contender, number, at least?)."""
    return [
        Goal(words, measured.ratio("ours", other, value)["median"], number, at_least)
        for words, value, other, number, at_least in wanted
    ]
