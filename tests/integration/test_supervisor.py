"""What the supervisor refuses before it serves anything."""

import os

import pytest
from psycopg import sql

from amity.cli.supervisor import Supervisor, is_ready, is_up
from amity.infra import config, database
from amity.infra.process import hold_lock
from amity.kernel.errors import Conflict, Unavailable
from amity.testing.edge import running_edge


@pytest.fixture
def careless(db):
    """A database whose commits do not wait for the disk."""
    with database.transaction("owner") as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(db))
        )
    database.close_pools()
    return db


def test_a_server_that_could_lose_events_is_refused(careless):
    said = []
    with pytest.raises(Unavailable, match="synchronous_commit is off") as refusal:
        Supervisor(say=said.append).refuse_unsafe()
    assert refusal.value.reason == "unsafe_postgres"
    assert "AMITY_UNSAFE" in refusal.value.message
    assert not said


def test_who_insists_is_warned(careless):
    said = []
    with config.override(unsafe="1"):
        Supervisor(say=said.append).refuse_unsafe()
    assert "synchronous_commit" in said[0]


def test_a_safe_server_is_not_spoken_of(db_as_delivered):
    said = []
    Supervisor(say=said.append).refuse_unsafe()
    assert not said


def test_a_folder_is_held_once(tmp_path):
    held = hold_lock(tmp_path / "amity.lock")
    with pytest.raises(Conflict, match=str(os.getpid())):
        hold_lock(tmp_path / "amity.lock")
    held.close()
    hold_lock(tmp_path / "amity.lock").close()


@pytest.mark.parametrize("setting", [{"max_lag_seconds": -1}, {"disk_reserve_bytes": 2**60}])
def test_a_collector_that_refuses_until_others_have_worked_has_started(db, setting):
    """Else a house that starts with much to catch up with would give up, and never catch up."""
    with running_edge(wait=False, **setting) as edge:
        url = f"{edge.url}/health/ready"
        assert not is_ready(url)
        assert is_up(url)
    assert not is_up(url)
