"""Every follower of the registry keeps what the plug point promises."""

import psycopg
import pytest

from amity.infra import postgres
from amity.store.follower import Follower, followers
from amity.testing import followers_kit


@pytest.mark.parametrize("kind", list(followers()), ids=lambda kind: kind.name)
def test_follower_conforms(kind, db):
    followers_kit.check_follower(kind)


def test_no_two_followers_write_the_same_table():
    tables = [table for kind in followers() for table in kind.tables]
    assert len(tables) == len(set(tables))


class _Counter(Follower):
    """Breaks the rule that the size of a batch must not matter."""

    name = "kit_counter"
    tables = ("kit_counter",)

    def apply(self, activities):
        self.connection.execute(
            "INSERT INTO kit_counter VALUES (%s, %s)", [activities[0].origin_id, len(activities)]
        )


class _Keeper(Follower):
    """Keeps one row an event, as it should."""

    name = "kit_keeper"
    tables = ("kit_counter",)

    def apply(self, activities):
        rows = [[each.origin_id, each.event_id] for each in activities if each.type == "track"]
        self.connection.cursor().executemany("INSERT INTO kit_counter VALUES (%s, %s)", rows)


COMMENT = (
    '{"holds": "tests", "subject": "origin_id", "personal": [], '
    '"erase": "delete", "keep_days": null}'
)


@pytest.fixture
def table(db, server):
    with psycopg.connect(server.conninfo(postgres.OWNER, database=db)) as owner:
        owner.execute("CREATE TABLE kit_counter (origin_id bigint, amount bigint)")
        owner.execute("GRANT ALL ON kit_counter TO PUBLIC")
        owner.execute(f"COMMENT ON TABLE kit_counter IS '{COMMENT}'")


def test_the_kit_passes_one_that_keeps_its_promises(table, monkeypatch):
    monkeypatch.setitem(followers()._items, _Keeper.name, _Keeper)
    followers_kit.check_follower(_Keeper)


def test_the_kit_catches_one_whose_rows_depend_on_the_batches(table):
    with pytest.raises(AssertionError, match="in batches of 1"):
        followers_kit.check_follower(_Counter)


@pytest.mark.parametrize(
    "comment", [None, COMMENT.replace("[]", '["nobody"]'), COMMENT.replace("delete", "forget")]
)
def test_the_kit_catches_a_table_that_is_not_on_the_data_map(comment):
    with pytest.raises(AssertionError):
        followers_kit.check_data_map("t", comment, ["origin_id", "amount"])
