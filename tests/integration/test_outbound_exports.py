"""Segments to files and databases: who is in it and allows it, whole or not at all."""

import csv
import os
import sqlite3
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import msgspec
import psycopg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from amity.analysis import api as analysis
from amity.cli.segment import segment as segment_command
from amity.infra import config, database
from amity.infra.crypto import installation_secrets
from amity.infra.postgres import OWNER, PORT, EmbeddedPostgres
from amity.kernel.errors import Conflict, Denied, Invalid, NotFound
from amity.store import api, api_outbound
from amity.store import api_retention as keeping
from amity.store.contracts_outbound import ExportPlan
from amity.store.destination import exports_folder
from amity.testing.databases import find_mariadb, forwarding, running_mariadb

NOW = datetime.now(UTC)
COLUMNS = ["user_id", "name", "email", "entered_at", "trait.note", "order_count"]


def send(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    assert api.append_events(source_id=source_id, events=raw, now=NOW).accepted == len(events)
    while api.fold_batch().events:
        pass
    while analysis.follow_batch(now=NOW).events:
        pass


def customer(name, *, allows=None, note="=1+1"):
    traits = {"name": name, "email": f"{name}@example.com", "note": note}
    events = [{"type": "identify", "userId": name, "traits": traits}]
    if allows is not None:
        said = {"categoryPreferences": {"sharing": allows}}
        event = {"type": "track", "userId": name, "properties": said}
        events.append(event | {"event": "Segment Consent Preference Updated"})
    return events


@pytest.fixture
def segment(db):
    source = api.create_source(name="Shop", kind="server").source_id
    rule = {
        "node": "check",
        "field": "trait.email",
        "is": {"op": "ends_with", "value": "example.com"},
    }
    made = analysis.create_segment(name="Known", rule=rule, by="ann", now=NOW)
    send(
        source,
        *customer("ann", allows=True),
        *customer("bob", allows=True, note='a "quoted",\nline'),
        *customer("eve", allows=False),
        *customer("zoe"),
    )
    assert analysis.get_segment(segment_id=made.segment_id).members == 4
    return made.segment_id


def plan(segment_id, destination="csv", **other):
    given = {"name": f"Known to {destination}", "columns": COLUMNS, "purpose": "sharing"}
    given |= {"segment_id": segment_id, "destination": destination}
    return ExportPlan(**given | other)


def run(export_id):
    run_id = api_outbound.ask_export(export_id=export_id, by="ann")
    assert analysis.run_exports(now=NOW, run_id=run_id) == 1
    return api_outbound.get_export_run(run_id=run_id)


def read(path, destination):
    if destination == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if destination == "jsonl":
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("destination", ["csv", "jsonl", "parquet"])
def test_a_file_holds_those_who_allow_it(segment, destination):
    made = api_outbound.create_export(plan=plan(segment, destination), by="ann")
    done = run(made.export_id)
    assert (done.state, done.done, done.written) == ("finished", 4, 2)
    assert done.left_out == {"objected": 1, "no_consent": 1}
    path = api_outbound.find_export_file(run_id=done.run_id)
    assert path.stat().st_mode & 0o077 == 0
    rows = {row["user_id"]: row for row in read(path, destination)}
    assert set(rows) == {"ann", "bob"}
    assert list(rows["ann"]) == ["profile_id", *COLUMNS]
    guarded = "'=1+1" if destination == "csv" else "=1+1"
    assert rows["ann"]["trait.note"] == guarded
    assert rows["bob"]["trait.note"] == 'a "quoted",\nline'
    assert int(rows["ann"]["order_count"]) == 0
    assert list(exports_folder().glob(".*")) == []


def test_files_go_after_a_week(segment):
    done = run(api_outbound.create_export(plan=plan(segment), by="ann").export_id)
    path = api_outbound.find_export_file(run_id=done.run_id)
    sweeps = keeping.index_sweeps(keeping.list_sweeps())
    now = datetime.now(UTC)
    for later in (now, now + timedelta(days=8)):
        assert path.exists()
        keeping.run_retention(sweeps, key="exports.files", by="t", now=later)
    assert api_outbound.find_export_file(run_id=done.run_id) is None


@pytest.fixture(scope="module")
def maria():
    if find_mariadb() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no MariaDB here: in CI its tests must run (scripts/servers.sh)")
        pytest.skip("no MariaDB here; install the package mariadb-server to run its tests")
    with running_mariadb() as server:
        yield server


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def elsewhere(request, db):
    """A database of somebody else's: its address, and how it is asked."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            (exports_folder() / "vip.db").unlink(missing_ok=True)
            own = stack.enter_context(closing(sqlite3.connect(exports_folder() / "vip.db")))
            yield "sqlite:///vip.db", lambda text: own.execute(text).fetchall()
            return
        if request.param == "mysql":
            server = request.getfixturevalue("maria")
            own = stack.enter_context(server.connect())
            cursor = own.cursor()
            cursor.execute("CREATE DATABASE IF NOT EXISTS crm CHARACTER SET utf8mb4")
            cursor.execute("DROP TABLE IF EXISTS crm.vip")
            secret = quote(server.password, safe="")
            address = f"mysql://{server.user}:{secret}@127.0.0.1:{server.port}/crm"
            cursor.execute("USE crm")

            def ask(text):
                own.rollback()
                cursor.execute(text)
                return list(cursor.fetchall())

            yield address, ask
            return
        server = EmbeddedPostgres(config.settings().data, installation_secrets())
        name = database.database_name()
        info = server.conninfo(OWNER, database=name)
        own = stack.enter_context(psycopg.connect(info, autocommit=True))
        port = stack.enter_context(forwarding(str(server.sockets / f".s.PGSQL.{PORT}")))
        secret = quote(installation_secrets().owner_password, safe="")
        address = f"postgresql://{OWNER}:{secret}@127.0.0.1:{port}/{name}"
        yield address, lambda text: own.execute(text).fetchall()


def test_a_table_holds_exactly_those_who_allow_it(segment, elsewhere):
    address, ask = elsewhere
    with config.override(egress_allow="127.0.0.0/8"):
        for mode in ("refresh", "upsert"):
            settings = {"table": "vip", "mode": mode}
            made = api_outbound.create_export(
                plan=plan(segment, "database", name=mode, settings=settings, secret=address),
                by="ann",
            )
            for _ in range(2):
                done = run(made.export_id)
                assert (done.state, done.written, done.failure) == ("finished", 2, "")
                assert sorted(ask("SELECT user_id FROM vip")) == [("ann",), ("bob",)]
        (source,) = [each for each in api.list_sources() if each.name == "Shop"]
        send(source.source_id, *customer("ann", allows=False))
        run(made.export_id)
        assert len(ask("SELECT * FROM vip")) == 2
        refresh = next(each for each in api_outbound.list_exports() if each.name == "refresh")
        run(refresh.export_id)
        assert ask("SELECT user_id FROM vip") == [("bob",)]
    with database.transaction() as connection:
        row = connection.execute("SELECT string_agg(e::text, '') FROM store_export e").fetchone()
    assert quote(installation_secrets().owner_password, safe="") not in row[0]


def test_what_dies_half_way_is_done_again_from_the_beginning(segment, monkeypatch):
    made = api_outbound.create_export(plan=plan(segment, "jsonl"), by="ann")
    run_id = api_outbound.ask_export(export_id=made.export_id, by="ann")
    claimed = api_outbound.claim_export(run_id=run_id)
    target = claimed.open()
    target.begin()
    target.write([[1, "half", "", "", None, "", 0]])
    assert api_outbound.claim_export(run_id=run_id) is None
    with database.transaction() as connection:
        connection.execute("UPDATE store_export_run SET leased_until = now()")
    assert analysis.run_exports(now=NOW) == 1
    done = api_outbound.get_export_run(run_id=run_id)
    assert (done.state, done.written) == ("finished", 2)
    rows = read(api_outbound.find_export_file(run_id=run_id), "jsonl")
    assert {row["user_id"] for row in rows} == {"ann", "bob"}
    target.abandon()
    assert api_outbound.find_export_file(run_id=run_id).exists()
    with pytest.raises(Conflict):
        api_outbound.note_export(run=claimed, members=1, done=1, written=1, left_out={})


def test_a_schedule_runs_by_itself(segment):
    made = api_outbound.create_export(plan=plan(segment, every_hours=24), by="ann")
    assert analysis.run_exports(now=NOW) == 1
    assert analysis.run_exports(now=NOW) == 0
    (first,) = api_outbound.list_export_runs(export_id=made.export_id)
    assert (first.asked_by, first.state) == ("schedule", "finished")
    with database.transaction() as connection:
        connection.execute("UPDATE store_export SET next_at = now()")
    api_outbound.switch_export(export_id=made.export_id, is_enabled=False)
    assert analysis.run_exports(now=NOW) == 0


def test_what_cannot_work_is_refused_or_said(segment):
    with pytest.raises(Denied):
        api_outbound.create_export(
            plan=plan(
                segment,
                "database",
                settings={"table": "vip"},
                secret="postgresql://a:b@10.0.0.7/crm",
            ),
            by="ann",
        )
    for wrong in (
        {"columns": ["password"]},
        {"purpose": " "},
        {"every_hours": 0},
        {"destination": "database", "settings": {"table": "a; DROP"}, "secret": "sqlite:///x.db"},
        {"destination": "database", "settings": {"table": "a"}, "secret": "sqlite:///../x.db"},
    ):
        with pytest.raises(Invalid):
            api_outbound.create_export(plan=plan(segment, **wrong), by="ann")
    with pytest.raises(NotFound):
        api_outbound.create_export(plan=plan(segment, "fax"), by="ann")
    gone = api_outbound.create_export(plan=plan(999), by="ann")
    done = run(gone.export_id)
    assert (done.state, done.file_name) == ("failed", "")
    assert done.failure


def test_the_command_line_exports_at_once(segment):
    command = ["export", "Known", "--to", "jsonl", "--column", "email", "--json"]
    done = CliRunner().invoke(segment_command, command, catch_exceptions=False)
    said = msgspec.json.decode(done.stdout)
    assert (said["run"]["written"], said["run"]["state"]) == (2, "finished")
    rows = read(Path(said["path"]), "jsonl")
    assert {row["email"] for row in rows} == {"ann@example.com", "bob@example.com"}
