"""Databases that are pulled: real servers, one suite for all three engines."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec
import psycopg
import pytest

from amity.infra import config, database
from amity.infra.crypto import installation_secrets
from amity.infra.database import transaction
from amity.infra.postgres import OWNER, PORT, EmbeddedPostgres
from amity.kernel.errors import Conflict, Denied, Invalid, NotFound
from amity.store import api, api_fetching
from amity.store.contracts_pulling import PullPlan
from amity.store.logic.pulling import run as pulling_run
from amity.store.logic.pulling.address import read_address
from amity.store.logic.pulling.pulls import open_pull
from amity.store.logic.pulling.sqlite import databases_folder
from amity.testing.databases import find_mariadb, forwarding, running_mariadb

NOW = datetime.now(UTC)
PEOPLE = """CREATE TABLE {q}our people{q} (
    id {big} PRIMARY KEY, email varchar(200), {q}first "name{q} varchar(100),
    paid decimal(12,2), born date, changed {time}, picture {bytes})"""


class Shop:
    """Somebody's database: how it is reached and how the shop itself writes to it."""

    def __init__(self, engine, address, run, types):
        self.engine, self.address, self.run, self.types = engine, address, run, types
        self.q = "`" if engine == "mysql" else '"'
        self.mark = "?" if engine == "sqlite" else "%s"

    def make(self):
        made = PEOPLE if self.engine == "mysql" else PEOPLE.replace('first "name', 'first ""name')
        self.run(f"DROP TABLE IF EXISTS {self.q}our people{self.q}")
        self.run(made.format(q=self.q, **self.types))

    def put(self, *rows):
        marks = ", ".join([self.mark] * 7)
        for row in rows:
            self.run(
                f"{'REPLACE' if self.engine != 'postgresql' else 'INSERT'} INTO "
                f"{self.q}our people{self.q} VALUES ({marks})"
                + (
                    " ON CONFLICT (id) DO UPDATE SET email = excluded.email, "
                    "changed = excluded.changed"
                    if self.engine == "postgresql"
                    else ""
                ),
                row,
            )

    def time(self, at):
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self.engine != "postgresql" else at


def person(shop, number, at, email=None):
    mail = email or f"p{number}@example.com"
    return (number, mail, f"N{number}", "12.50", "1990-02-03", shop.time(at), b"\xff\x00")


@pytest.fixture(scope="module")
def maria():
    if find_mariadb() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no MariaDB here: in CI its tests must run (scripts/servers.sh)")
        pytest.skip("no MariaDB here; install the package mariadb-server to run its tests")
    with running_mariadb() as server:
        yield server


def mysql_shop(stack, request):
    server = request.getfixturevalue("maria")
    own = server.connect()
    stack.enter_context(own)
    cursor = own.cursor()
    cursor.execute("CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4")
    cursor.execute("USE shop")
    secret = quote(server.password, safe="")
    address = f"mysql://{server.user}:{secret}@127.0.0.1:{server.port}/shop"
    types = {"big": "bigint", "time": "datetime(6)", "bytes": "blob"}
    return Shop("mysql", address, lambda text, row=None: cursor.execute(text, row), types)


def postgresql_shop(stack):
    server = EmbeddedPostgres(config.settings().data, installation_secrets())
    own = stack.enter_context(
        psycopg.connect(server.conninfo(OWNER, database=database.database_name()), autocommit=True)
    )
    own.execute("CREATE SCHEMA shop")
    own.execute("SET search_path = shop")
    port = stack.enter_context(forwarding(str(server.sockets / f".s.PGSQL.{PORT}")))
    secret = quote(installation_secrets().owner_password, safe="")
    address = f"postgresql://{OWNER}:{secret}@127.0.0.1:{port}/{database.database_name()}"
    types = {"big": "bigint", "time": "timestamptz", "bytes": "bytea"}
    return Shop("postgresql", address, lambda text, row=None: own.execute(text, row), types)


def sqlite_shop(stack):
    path = databases_folder() / "shop.db"
    path.unlink(missing_ok=True)
    own = sqlite3.connect(path, isolation_level=None)
    stack.callback(own.close)
    types = {"big": "integer", "time": "datetime", "bytes": "blob"}
    return Shop("sqlite", "sqlite:///shop.db", lambda text, row=(): own.execute(text, row), types)


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def shop(db, request):
    with ExitStack() as stack, config.override(egress_allow="127.0.0.0/8"):
        if request.param == "mysql":
            made = mysql_shop(stack, request)
        else:
            made = (postgresql_shop if request.param == "postgresql" else sqlite_shop)(stack)
        made.make()
        yield made


@pytest.fixture
def sqlite(db):
    with ExitStack() as stack:
        made = sqlite_shop(stack)
        made.make()
        yield made


def add(shop, name="Till"):
    source = api.find_source(name="Shop") or api.create_source(name="Shop", kind="server")
    return api_fetching.create_pull(name=name, address=shop.address, source_id=source.source_id)


def plan_of(shop, **more):
    schema = "shop" if shop.engine == "postgresql" else ""
    plan = PullPlan(
        schema=schema,
        relation="our people",
        cursor_column="changed",
        key_columns=["id"],
        connector="customers",
    )
    return msgspec.structs.replace(plan, **more)


def bodies():
    with transaction() as connection:
        rows = connection.execute("SELECT body FROM store_event_log ORDER BY id").fetchall()
    return [msgspec.json.decode(row[0]) for row in rows]


def test_a_table_is_found_previewed_pulled_and_followed(shop):
    old = NOW - timedelta(days=2)
    shop.put(person(shop, 1, old), person(shop, 2, old))
    pull = add(shop)
    assert pull.state == "draft"
    assert "our people" in [
        table.name for table in api_fetching.list_pull_tables(pull_id=pull.pull_id)
    ]
    plan = plan_of(shop)
    columns = api_fetching.list_pull_columns(
        pull_id=pull.pull_id, schema=plan.schema, relation="our people"
    )
    kinds = {column.name: (column.kind, column.key_place) for column in columns}
    assert kinds["id"] == ("number", 1)
    assert kinds["changed"] == ("time", 0)
    assert 'first "name' in kinds
    seen = api_fetching.preview_pull(pull_id=pull.pull_id, plan=plan)
    assert seen.problems == []
    assert seen.mapping["changed"] == "updated_at"
    assert api.list_received() == []
    ready = api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan)
    assert ready.state == "waiting"
    assert api_fetching.run_due_pulls(now=datetime.now(UTC)) == 1
    done = api_fetching.get_pull(pull_id=pull.pull_id)
    assert (done.failure, done.rows_done, done.stored) == ("", 2, 2)
    first = bodies()[0]
    assert first["userId"] == "1"
    assert first["traits"]["paid"] == 12.5
    assert first["traits"]["birthday"] == "1990-02-03"
    assert first["traits"]["picture"] == "/wA="
    assert first["timestamp"][:19] == old.isoformat()[:19]
    assert api_fetching.run_due_pulls(now=datetime.now(UTC)) == 0, "it is not due again yet"
    shop.put(person(shop, 2, NOW - timedelta(hours=1), "new@example.com"))
    again = api_fetching.run_pull(pull_id=pull.pull_id, now=datetime.now(UTC))
    assert (again.failure, again.stored) == ("", 3)
    assert bodies()[-1]["traits"]["email"] == "new@example.com"
    assert api_fetching.run_pull(pull_id=pull.pull_id, now=datetime.now(UTC)).stored == 3


def test_pages_with_equal_cursors_neither_lose_nor_double_a_row(shop, monkeypatch):
    monkeypatch.setattr(pulling_run, "_PAGE_ROWS", 3)
    monkeypatch.setattr(pulling_run, "_PAGES", 2)
    same = NOW - timedelta(days=1)
    shop.put(*[person(shop, number, same) for number in range(1, 18)])
    pull = add(shop)
    api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan_of(shop))
    runs = 0
    while api_fetching.run_due_pulls(now=datetime.now(UTC)):
        runs += 1
        assert runs < 20
        if api_fetching.get_pull(pull_id=pull.pull_id).next_at > datetime.now(UTC):
            break
    done = api_fetching.get_pull(pull_id=pull.pull_id)
    assert (done.rows_done, done.stored, done.duplicate, runs) == (17, 17, 0, 3)
    assert {body["userId"] for body in bodies()} == {str(n) for n in range(1, 18)}


def test_what_is_committed_late_is_met_by_going_back(shop):
    at = NOW - timedelta(hours=5)
    shop.put(person(shop, 1, at))
    pull = add(shop)
    api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan_of(shop, overlap=600))
    api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    # Both were stamped before the one that is in: one within the ten minutes, one not.
    shop.put(person(shop, 2, at - timedelta(minutes=9)), person(shop, 3, at - timedelta(hours=1)))
    done = api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    assert (done.stored, done.duplicate) == (2, 1)
    assert api_fetching.rewind_pull(pull_id=pull.pull_id).position == ""
    done = api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    assert (done.stored, done.duplicate) == (3, 3)
    # A number can be the cursor too, and needs no key.
    plan = plan_of(shop, cursor_column="id", key_columns=[], overlap=0)
    api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan)
    assert api_fetching.run_pull(pull_id=pull.pull_id, now=NOW).position == "3"
    shop.put(person(shop, 4, NOW))
    done = api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    assert (done.position, done.rows_done) == ("4", 10)


def test_what_is_wrong_is_said_in_the_servers_words_and_tried_again(shop):
    shop.put(person(shop, 1, NOW))
    pull = add(shop)
    api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan_of(shop))
    shop.run(f"DROP TABLE {shop.q}our people{shop.q}")
    now = datetime.now(UTC)
    failed = api_fetching.run_pull(pull_id=pull.pull_id, now=now)
    assert failed.state == "failing"
    assert "our people" in failed.failure
    assert failed.next_at - now == timedelta(seconds=60)
    shop.make()
    shop.put(person(shop, 1, NOW))
    assert api_fetching.run_pull(pull_id=pull.pull_id, now=now).state == "waiting"


def test_nothing_can_be_written_and_no_password_is_taken_wrong_or_shown(shop):
    pull = add(shop)
    with pytest.raises(Invalid, match="the database says"), open_pull(pull.pull_id) as opened:
        opened.query(f"DELETE FROM {opened.name('our people')}")
    secret = shop.address.split("@")[0].split(":")[-1] if shop.engine != "sqlite" else ""
    assert not secret or secret not in msgspec.json.encode(pull).decode()
    with transaction() as connection:
        kept = connection.execute("SELECT connection FROM store_pull").fetchone()[0]
    assert b"shop" not in kept
    if shop.engine == "sqlite":
        return
    wrong = shop.address.replace(secret, "wrong")
    with pytest.raises(Invalid, match="the database says") as caught:
        api_fetching.reconnect_pull(pull_id=pull.pull_id, address=wrong)
    assert "wrong" not in caught.value.message


def test_hosts_that_are_not_opened_are_not_called(db):
    source = api.create_source(name="Shop", kind="server")
    for engine in ("postgresql", "mysql"):
        for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
            with pytest.raises(Denied):
                api_fetching.create_pull(
                    name="x", address=f"{engine}://u:p@{host}/d", source_id=source.source_id
                )
    assert api_fetching.list_pulls() == []


@pytest.mark.parametrize(
    "address",
    [
        "http://x/y",
        "postgresql://host",
        "postgresql://host/db?options=-csearch_path=x",
        "postgresql://host:x/db",
        "mysql:///db",
        "sqlite:////etc/passwd",
        "sqlite:///../secrets.json",
        "sqlite:///a/b.db",
        "",
    ],
)
def test_addresses_that_are_none_are_refused(address):
    with pytest.raises(Invalid) as caught:
        read_address(address)
    assert not address or address not in caught.value.message


def test_a_link_out_of_the_folder_is_not_followed(sqlite):
    inside = databases_folder() / "link.db"
    inside.symlink_to(config.settings().data / "secrets.json")
    source = api.create_source(name="Shop", kind="server")
    try:
        with pytest.raises(NotFound):
            api_fetching.create_pull(
                name="x", address="sqlite:///link.db", source_id=source.source_id
            )
    finally:
        inside.unlink()


def test_plans_that_cannot_work_are_refused_with_all_reasons(sqlite):
    pull = add(sqlite)
    for wrong, words in (
        ({"cursor_column": "nope"}, "no column 'nope'"),
        ({"key_columns": []}, "must be told apart"),
        ({"cursor_column": "picture"}, "no time and no number"),
        ({"interval_seconds": 1}, "each minute"),
        ({"mapping": {"born": "birthday"}}, "is needed"),
    ):
        with pytest.raises(Invalid, match=words):
            api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan_of(sqlite, **wrong))
    with pytest.raises(NotFound):
        api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan_of(sqlite, relation="our"))
    with pytest.raises(Conflict):
        api_fetching.resume_pull(pull_id=pull.pull_id)
    with pytest.raises(Conflict):
        api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    with pytest.raises(Conflict, match="exists"):
        add(sqlite)


def test_lines_of_an_order_come_together_from_whatever_page(sqlite, monkeypatch):
    monkeypatch.setattr(pulling_run, "_PAGE_ROWS", 2)
    sqlite.run("DROP TABLE IF EXISTS line")
    sqlite.run(
        "CREATE TABLE line (order_id text, line integer, customer text, ordered_at text, "
        "price real, state text, PRIMARY KEY (order_id, line))"
    )
    for order in ("a", "b", "c"):
        for line in (1, 2, 3):
            row = (order, line, "c-1", "2026-01-03 10:00:00", 2.5, "new")
            sqlite.run("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?)", row)
    pull = add(sqlite)
    plan = PullPlan(
        schema="",
        relation="line",
        cursor_column="ordered_at",
        key_columns=["order_id", "line"],
        connector="orders",
    )
    api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan)
    done = api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    assert (done.failure, done.rows_done, done.stored) == ("", 9, 3)
    assert {body["properties"]["total"] for body in bodies()} == {7.5}
    sqlite.run("UPDATE line SET state = 'shipped'")
    assert api_fetching.run_pull(pull_id=pull.pull_id, now=NOW).rejected == 0


def test_pause_resume_and_delete(sqlite):
    sqlite.put(person(sqlite, 1, NOW))
    pull = add(sqlite)
    api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan_of(sqlite))
    assert api_fetching.pause_pull(pull_id=pull.pull_id).state == "paused"
    assert api_fetching.run_due_pulls(now=datetime.now(UTC) + timedelta(days=1)) == 0
    assert api_fetching.resume_pull(pull_id=pull.pull_id).state == "waiting"
    assert api_fetching.run_due_pulls(now=datetime.now(UTC)) == 1
    api_fetching.delete_pull(pull_id=pull.pull_id)
    with pytest.raises(NotFound):
        api_fetching.get_pull(pull_id=pull.pull_id)
    assert len(bodies()) == 1


def test_a_killed_run_goes_on_after_its_last_page(sqlite):
    total = 12_000
    at = "2026-01-03 10:00:00"
    rows = ((n, f"p{n}@x.example", "", "1", "", at, b"") for n in range(total))
    own = sqlite3.connect(databases_folder() / "shop.db")
    own.executemany('INSERT INTO "our people" VALUES (?, ?, ?, ?, ?, ?, ?)', rows)
    own.commit()
    own.close()
    pull_id = add(sqlite).pull_id
    api_fetching.configure_pull(pull_id=pull_id, plan=plan_of(sqlite))
    code = (
        "from datetime import datetime, UTC; from amity.infra import database;"
        "from amity.store import api_fetching;"
        f"database.use_database({database.database_name()!r});"
        f"api_fetching.run_pull(pull_id={pull_id}, now=datetime.now(UTC))"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ)) as process:
        deadline = time.monotonic() + 60
        while api_fetching.get_pull(pull_id=pull_id).rows_done == 0:
            assert time.monotonic() < deadline
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    killed = api_fetching.get_pull(pull_id=pull_id)
    assert 0 < killed.rows_done == killed.stored < total
    deadline = time.monotonic() + 60
    while not api_fetching.run_due_pulls(now=datetime.now(UTC)):
        assert time.monotonic() < deadline, "the lock of the killed run was never freed"
        time.sleep(0.05)
    done = api_fetching.get_pull(pull_id=pull_id)
    assert (done.rows_done, done.stored, done.duplicate) == (total, total, 0)


def test_values_that_python_cannot_hold_do_not_end_a_run(db):
    with ExitStack() as stack, config.override(egress_allow="127.0.0.0/8"):
        shop = postgresql_shop(stack)
        shop.run(
            "CREATE TABLE odd (id bigint PRIMARY KEY, at timestamptz, born date, paid numeric, "
            "tags text[], more jsonb, kept interval, place point, changed timestamptz)"
        )
        shop.run(
            "INSERT INTO odd VALUES (1, 'infinity', '12000-01-01', 'NaN', '{a,b}', '{\"x\": 1}', "
            "'1 day', '(1,2)', '2026-01-01'), (2, '-infinity', '0044-03-15 BC', 1.10, NULL, NULL, "
            "NULL, NULL, 'infinity'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
        )
        pull = add(shop)
        mapping = {"id": "user_id"} | {
            name: f"trait.{name}"
            for name in ("at", "born", "paid", "tags", "more", "kept", "place")
        }
        plan = plan_of(shop, relation="odd", mapping=mapping)
        api_fetching.configure_pull(pull_id=pull.pull_id, plan=plan)
        done = api_fetching.run_pull(pull_id=pull.pull_id, now=NOW)
    assert (done.failure, done.stored, done.rejected) == ("", 1, 0)
    traits = bodies()[0]["traits"]
    assert traits["at"] == "infinity"
    assert traits["born"] == "12000-01-01"
    assert (traits["tags"], traits["more"]) == ('["a","b"]', '{"x":1}')
    assert "paid" not in traits


def test_a_page_read_by_another_plan_is_not_committed(sqlite, monkeypatch):
    sqlite.put(person(sqlite, 1, NOW))
    pull_id = add(sqlite).pull_id
    api_fetching.configure_pull(pull_id=pull_id, plan=plan_of(sqlite))
    make = pulling_run._make_units

    def meanwhile(*arguments):
        monkeypatch.setattr(pulling_run, "_make_units", make)
        api_fetching.configure_pull(pull_id=pull_id, plan=plan_of(sqlite, overlap=0))
        return make(*arguments)

    monkeypatch.setattr(pulling_run, "_make_units", meanwhile)
    now = datetime.now(UTC)
    changed = api_fetching.run_pull(pull_id=pull_id, now=now)
    assert (changed.stored, changed.failure, changed.next_at) == (0, "", now)
    assert api_fetching.run_pull(pull_id=pull_id, now=now).stored == 1
