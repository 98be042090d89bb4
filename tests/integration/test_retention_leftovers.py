"""What an erasure leaves elsewhere: large tables, where a pull stands, and PostgreSQL's own log."""

from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest

from amity.infra import database
from amity.store import api as store
from amity.store.logic.erasure import cleaning

NOW = datetime.now(UTC)
SECRET = "ann.secret@example.org"


def rows(query, *values):
    with database.transaction() as connection:
        found = connection.execute(query, values)
        return found.fetchall() if found.description else found.rowcount


def erase(source):
    event = {"type": "identify", "userId": "ann-1", "traits": {"email": SECRET}}
    store.append_events(source_id=source, events=[msgspec.json.encode(event)], now=NOW)
    while store.fold_batch().events:
        pass
    found = store.find_profile(kind="user_id", value="ann-1")
    store.erase_profile(profile_id=found.profile_id, by="t", now=NOW)
    for erasure_id in store.list_unfinished_erasures():
        store.finish_erasure(erasure_id=erasure_id, counts={}, now=NOW)


@pytest.fixture
def source(db):
    return store.create_source(name="Shop", kind="server").source_id


@pytest.mark.parametrize("role", ["app", "owner", "readonly"])
def test_the_servers_log_names_nobody(db, server, role):
    log = server.data / "postgres.log"
    before = log.stat().st_size
    failing = (
        (f"SELECT '{SECRET}'::integer", []),
        ("SELECT %s::text::integer", [SECRET]),
        (f"SELECT {SECRET}", []),
        ("INSERT INTO store_source (id, name, kind, write_key) VALUES (1, %s, 'x', '')", [SECRET]),
        (f"DO $$ BEGIN RAISE WARNING '{SECRET}'; END $$", []),
    )
    for text, values in failing:
        connection = psycopg.connect(database.conninfo(role), autocommit=True)
        with connection, suppress(psycopg.Error):
            connection.execute(text, values or None)
    psycopg.connect(database.conninfo(role), autocommit=True).close()
    with log.open("rb") as file:
        file.seek(before)
        assert b"secret" not in file.read()
    if role == "owner":  # what is looked for is found where nothing was done about it
        with psycopg.connect(database.conninfo(role), autocommit=True) as connection:
            connection.execute("SET log_min_messages = 'warning'")
            with pytest.raises(psycopg.Error):
                connection.execute("SELECT 'secret'::integer")
        with log.open("rb") as file:
            file.seek(before)
            assert b"secret" in file.read()


def test_settings_of_the_server_keep_values_out_of_its_log(db):
    told = dict(rows("SELECT name, setting FROM pg_settings WHERE name LIKE %s", "log%"))
    assert told["log_error_verbosity"] == "terse"
    assert told["log_min_error_statement"] == "panic"
    assert told["log_statement"] == "none"
    assert told["log_parameter_max_length"] == "0"
    assert told["log_min_messages"] == "log"


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ([["time", "2026-01-01"], ["text", SECRET]], [["time", "2026-01-01"]]),
        ([["text", SECRET], ["int", "7"]], None),
        ([["int", "7"], ["text", "bob@example.org"]], [["int", "7"], ["text", "bob@example.org"]]),
    ],
)
def test_where_a_pull_stands_names_nobody_who_was_erased(source, values, left):
    position = msgspec.json.encode({"values": values, "is_open": True}).decode()
    columns = {
        row[0]: row[1]
        for row in rows(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'store_pull' AND is_nullable = 'NO' AND column_default IS NULL"
            " AND is_identity = 'NO'"
        )
    }
    samples = {"ARRAY": "{}", "jsonb": "{}", "integer": str(source), "bytea": ""}
    told = {name: samples.get(kind, "postgresql") for name, kind in columns.items()}
    told |= {"position": position}
    with database.transaction("owner") as connection:
        connection.execute(
            f"INSERT INTO store_pull ({', '.join(told)}) VALUES ({', '.join(['%s'] * len(told))})",
            list(told.values()),
        )
    erase(source)
    [(after,)] = rows("SELECT position FROM store_pull")
    assert (after and after["values"]) == left


def test_large_tables_are_written_anew_when_an_operator_says_so(source, monkeypatch):
    monkeypatch.setattr(cleaning, "_LARGEST", 0)
    monkeypatch.setattr(cleaning, "list_erased_tables", lambda: ["store_profile"])
    erase(source)
    while not store.clean_space(now=NOW):
        pass
    [erasure] = store.list_erasures().items
    assert "store_profile" in erasure.vacuumed_only
    assert "store_profile" in store.list_large()
    heard = []
    done = store.clean_large(progress=lambda name, size: heard.append(name))
    assert done == heard
    assert "store_profile" in done
    assert store.list_erasures().items[0].vacuumed_only == []
    assert store.list_large() == {}
