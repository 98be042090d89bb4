"""The process that runs DuckDB: what it can do, and all that it cannot."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import msgspec
import pytest

from amity.infra import warehouse
from amity.infra.warehouse_reader import Request
from amity.infra.warehouse_reading import ask, query, run_sql, tables
from amity.infra.warehouse_session import Session
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.kernel.errors import Invalid, Unavailable
from amity.store import api as store
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC)
TRY_ALL = """
import sys, duckdb, msgspec
from amity.infra.warehouse_reader import Request, open_locked, select
request, hostile = eval(sys.argv[1])
connection = open_locked(msgspec.json.decode(request, type=Request))
assert select(connection, "SELECT 1 AS one").read_all().to_pylist() == [{"one": 1}]
through = []
for sql in hostile:
    try:
        select(connection, sql).read_all()
    except duckdb.Error:
        # What is no SELECT is not even tried; DuckDB and the kernel must refuse it all the same.
        try:
            connection.execute(sql).fetchall()
        except duckdb.Error:
            continue
        if not sql.startswith(("CREATE", "SELECT 1;", "CALL", "ATTACH ':memory:'")):
            through.append(sql)
    else:
        through.append(sql)
print(through)
"""


def run_script(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def filled(db):
    source = store.create_source(name="Shop", kind="server").source_id
    events = [
        {"type": "track", "event": name, "userId": f"u-{n}", "properties": {"n": n}}
        for n in range(3)
        for name in ("Product Viewed", "Cart Viewed")
    ]
    store.append_events(
        source_id=source, events=[msgspec.json.encode(each) for each in events], now=NOW
    )
    while store.fold_batch().events:
        pass
    ensure_exports(list_exports())
    export_all(list_exports())
    yield
    for path in sorted(warehouse.folder().rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def test_an_ibis_expression_is_answered(filled):
    events, people = tables()["events"], tables()["profiles"]
    joined = events.join(people, events.origin_id == people.profile_id)
    today = joined.filter(joined.day >= NOW.date())
    counted = today.group_by("user_id").aggregate(n=today.event_id.count()).order_by("user_id")
    assert query(counted).to_pylist() == [{"user_id": f"u-{n}", "n": 2} for n in range(3)]
    newest = query(events.aggregate(at=events.received_at.max())).to_pylist()[0]["at"]
    assert abs((newest - NOW).total_seconds()) < 60
    assert query(tables()["sends"].count().as_table()).to_pydict() == {"CountStar(sends)": [0]}


def test_nothing_else_can_be_read_written_reached_or_unlocked(filled):
    inside = warehouse.folder()
    (inside / "escape.csv").symlink_to("/etc/passwd")
    (inside / "out").symlink_to("/etc")
    part = next(inside.rglob("part-*.parquet"))
    before = part.read_bytes()
    hostile = (
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        f"SELECT * FROM read_csv('{inside}/../../../../../../etc/passwd')",
        f"SELECT * FROM read_csv('{inside}/escape.csv', header = false, delim = '|')",
        f"SELECT * FROM read_text('{inside}/out/passwd')",
        f"SELECT * FROM read_text('{inside.parent}/secrets.json')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        f"ATTACH '{inside}/new.db'",
        "ATTACH ':memory:' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '/tmp/evil.duckdb_extension'",
        f"COPY (SELECT 1) TO '{inside}/out.parquet'",
        f"COPY (SELECT 1) TO '{part}'",
        "COPY (SELECT 1) TO '/tmp/amity-out.csv'",
        f"EXPORT DATABASE '{inside}/export'",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "PRAGMA temp_directory = '/tmp'",
        "CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "CALL pragma_version()",
        "SELECT getenv('HOME')",
        "not SQL at all",
    )
    with pytest.raises(Invalid):
        run_sql(hostile[0], seconds=20)
    request = Request(folder=str(inside), views={}, seconds=60, memory_bytes=2**28, threads=1)
    assert run_script(TRY_ALL, repr((msgspec.json.encode(request), hostile))) == "[]"
    assert part.read_bytes() == before
    assert not (inside / "out.parquet").exists()
    assert not os.path.exists("/tmp/amity-out.csv")


def test_the_sandbox_holds_without_duckdb_s_own_locks(filled, tmp_path):
    """What the kernel refuses, should DuckDB's settings ever let something through."""
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    tries = f"""
import socket, sys
from pathlib import Path
from amity.infra import sandbox
inside = Path({str(warehouse.folder())!r})
sandbox.limit(seconds=5, memory_bytes=2**31, files=64)
sandbox.leave_network()
held = sandbox.lock_files([inside])
part = next(inside.rglob("part-*.parquet"))
def refuses(act):
    try:
        act()
    except OSError:
        return True
    return False
print(held, bool(part.read_bytes()),
    refuses(lambda: Path({str(secret)!r}).read_text()),
    refuses(lambda: (inside / "new").write_text("x")),
    refuses(lambda: part.open("r+b").write(b"x")),
    refuses(lambda: part.unlink()),
    refuses(lambda: socket.create_connection(("127.0.0.1", 9), 1)))
"""
    held, *rest = run_script(tries).split()
    if held != "True":
        pytest.skip("this kernel has no Landlock")
    assert rest == ["True"] * 6


def test_a_query_that_does_not_end_is_ended(filled):
    began = time.monotonic()
    with pytest.raises(Unavailable):
        run_sql("SELECT count(*) FROM range(1000000) a, range(1000000) b", seconds=1.5)
    assert time.monotonic() - began < 60


def test_a_query_that_wants_too_much_memory_is_refused(filled):
    with pytest.raises((Unavailable, Invalid)):
        run_sql("SELECT list(a.range || repeat('x', 999)) FROM range(9000000) a", seconds=30)


def test_what_is_kept_lasts_as_long_as_the_session_and_leaves_nothing(filled):
    spill = warehouse.folder().parent / "warehouse-spill"
    left = spill / "999999999-left"
    left.mkdir(parents=True)
    people = "SELECT i, repeat(md5(i::VARCHAR), 8) AS t FROM range(3000000) r(i)"
    with Session(dict, seconds=60) as session:
        assert not left.exists()
        session.keep("people", people)
        # More than the memory it may have, so it lies on the disk, in a folder of this session's.
        [mine] = spill.iterdir()
        assert any(mine.iterdir())
        assert session.run("SELECT count(*) AS n FROM people").to_pylist() == [{"n": 3_000_000}]
        for refused in (
            f"COPY (SELECT 1) TO '{mine}/out.csv'",
            "CREATE TABLE t AS SELECT 1",
            "SELECT * FROM read_text('/etc/hostname')",
        ):
            with pytest.raises(Invalid):
                session.run(refused)
            with pytest.raises(Invalid):
                session.keep("t", refused)
        assert session.run("SELECT max(i) AS n FROM people").to_pylist() == [{"n": 2_999_999}]
    assert list(spill.iterdir()) == []


def test_a_query_nobody_waits_for_is_ended_within_a_second(filled):
    began = time.monotonic()
    with (
        Session(dict, seconds=60, ended=lambda: time.monotonic() > began + 1) as session,
        pytest.raises(Unavailable, match="nobody waits"),
    ):
        session.run("SELECT count(*) FROM range(1000000) a, range(1000000) b")
    assert time.monotonic() - began < 30


def test_an_empty_table_has_its_columns(db):
    ensure_exports(list_exports())
    answer = ask("SELECT * FROM t", {"t": "SELECT NULL::BIGINT AS a WHERE false"}, seconds=20)
    assert answer.column_names == ["a"]
    assert query(tables()["orders"]).column_names[:2] == ["profile_id", "order_id"]
