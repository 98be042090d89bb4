"""What every follower of the store must keep; run it over your own with one parametrized test.

@pytest.mark.parametrize("kind", list(followers()), ids=lambda kind: kind.name)
def test_follower_conforms(kind, db):
    followers_kit.check_follower(kind)

It needs a database of its own (the fixture `db`), fills it with a small log, and raises
AssertionError with what is broken.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from psycopg import sql

from amity.infra.database import Connection, transaction
from amity.store import api
from amity.store.follower import Follower
from amity.store.logic.folding.following import take_turn

NOW: Final = datetime(2026, 5, 6, 12, tzinfo=UTC)
"""When the kit's events are received, and the clock of its turns."""
SAMPLE_PEOPLE: Final[tuple[dict[str, str], ...]] = (
    {"userId": "kit-ann"},
    {"anonymousId": "kit-device"},
    {"userId": "kit-bob"},
)
"""Who the events are of; the first two turn out to be one, and are told apart again."""
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
_CONTEXT: Final = {
    "ip": "192.0.2.7",
    "userAgent": _AGENT,
    "page": {
        "url": "https://shop.example/shoes?utm_source=news",
        "path": "/shoes",
        "referrer": "https://search.example/",
        "title": "Shoes",
    },
    "campaign": {"source": "news", "medium": "email", "name": "May"},
}
_SAMPLES: Final[tuple[dict[str, Any], ...]] = (
    {"type": "page", "name": "Shoes", "context": _CONTEXT},
    {"type": "identify", "traits": {"city": "Kiel", "size": 42, "tags": ["a", "b"]}},
    {"type": "track", "event": "Product Viewed", "properties": {"product_id": "p1", "price": 5}},
    {"type": "identify", "traits": {"city": "Bonn", "size": None}},
    {
        "type": "track",
        "event": "Trait Asserted",
        "properties": {"trait": "income", "value": "high", "confidence": 0.6, "how": "inferred"},
    },
    {
        "type": "track",
        "event": "Order Completed",
        "properties": {
            "order_id": "o1",
            "total": 10,
            "products": [{"product_id": "p1", "price": 5, "quantity": 2}],
        },
    },
    {
        "type": "track",
        "event": "Segment Consent Preference Updated",
        "properties": {"categoryPreferences": {"marketing.email": True}},
    },
    {"type": "identify", "traits": {"city": "Kiel"}},
)
_ERASE: Final = ("delete", "blank", "keep")
Rows = dict[str, list[str]]


def check_follower(kind: type[Follower]) -> None:
    """Check all that a follower promises, in a database that holds nothing yet."""
    check_tables(kind)
    source_id = api.create_source(name="Kit", kind="server").source_id
    _send(source_id, _make_log(kind))
    whole = _follow(kind)
    assert any(whole.values()), f"{kind.name} makes no row of the kit's events: give it `samples`"
    check_batches(kind, whole)
    check_rebuild(kind, whole)
    check_unmerge(kind, source_id, whole)
    check_erasure(kind, _rows(kind))


def check_tables(kind: type[Follower]) -> None:
    """It has a name and tables; each knows the origin of its rows and is on the data map."""
    assert kind.name
    assert kind.tables
    with transaction() as connection:
        for table in kind.tables:
            columns = _columns(connection, table)
            assert "origin_id" in columns, f"{table} has no column origin_id"
            check_data_map(table, _comment(connection, table), columns)


def check_data_map(table: str, comment: str | None, columns: Sequence[str]) -> None:
    """The comment on a table says what it holds, of whom, what of it is personal, and its end."""
    assert comment, f"{table} has no comment that says what it holds"
    said = json.loads(comment)
    assert said["holds"], table
    assert said["subject"] in ("origin_id", "profile_id", ""), table
    assert set(said["personal"]) <= set(columns), f"{table}: {said['personal']}"
    assert said["erase"].split(":")[0] in _ERASE, f"{table}: {said['erase']}"
    assert said["keep_days"] is None or said["keep_days"] > 0, table


def check_batches(kind: type[Follower], whole: Rows) -> None:
    """The same activities give the same rows in batches of any size."""
    for limit in (1, 3):
        with transaction() as connection:
            for table in kind.tables:
                connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
            connection.execute(
                "UPDATE store_consumer SET position = 0 WHERE name = %s", [kind.name]
            )
        _same(_follow(kind, limit=limit), whole, f"in batches of {limit}")


def check_rebuild(kind: type[Follower], whole: Rows) -> None:
    """A rebuild gives the same rows."""
    api.rebuild()
    _same(_follow(kind), whole, "after a rebuild")


def check_unmerge(kind: type[Follower], source_id: int, whole: Rows) -> None:
    """Two customers joined and told apart again have the rows of two who never were joined."""
    ann, device, _ = SAMPLE_PEOPLE
    join = {"type": "alias", "previousId": device["anonymousId"], **ann, "messageId": "kit-join"}
    _send(source_id, [join])
    _follow(kind)
    [merge] = [each for each in api.list_merges().items if not each.refusal]
    api.unmerge(merge_id=merge.merge_id, by="kit", now=NOW)
    _fold()
    _same(_follow(kind), whole, "after a merge was undone")
    api.rebuild()
    _same(_follow(kind), whole, "after a merge was undone and all was rebuilt")


def check_erasure(kind: type[Follower], before: Rows) -> None:
    """An erased customer's rows are gone, and nobody else's; they do not come back."""
    ann = api.find_profile(kind="user_id", value=SAMPLE_PEOPLE[0]["userId"])
    assert ann is not None
    joined = api.list_joined(profile_id=ann.profile_id)
    hers = _count_of(kind, joined)
    api.erase_profile(profile_id=ann.profile_id, by="kit", now=NOW)
    after = _follow(kind)
    assert not any(_count_of(kind, joined).values()), "rows of an erased customer are left"
    for table, rows in after.items():
        left = len(before[table]) - hers[table]
        assert len(rows) == left, f"{table}: an erasure took or left rows of somebody else"
    api.rebuild()
    _same(_follow(kind), after, "after an erasure and a rebuild")


def _make_log(kind: type[Follower]) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = []
    for person in SAMPLE_PEOPLE:
        for sample in (*_SAMPLES, *kind.samples):
            at = NOW - timedelta(hours=8) + timedelta(minutes=7 * len(log))
            stamp: dict[str, Any] = {"messageId": f"kit-{len(log)}"}
            # The seventh comes late: what happened first is told last.
            late = timedelta(days=len(log) % 7 == 6)
            log.append({**sample, **person, **stamp, "timestamp": (at - late).isoformat()})
    return log


def _send(source_id: int, events: Sequence[Mapping[str, Any]]) -> None:
    raw = [msgspec.json.encode(event) for event in events]
    receipt = api.append_events(source_id=source_id, events=raw, now=NOW)
    assert receipt.accepted == len(events), receipt
    _fold()


def _fold() -> None:
    while api.fold_batch().events:
        pass


def _follow(kind: type[Follower], *, limit: int = 1000) -> Rows:
    """Let a follower read to the end, and return its rows."""
    for _ in range(10_000):
        handled = take_turn(kind, now=NOW, limit=limit)
        if not handled and not api.fold_batch().events:
            return _rows(kind)
    raise AssertionError(f"{kind.name} never comes to rest: does `ring` do the same again?")


def _rows(kind: type[Follower]) -> Rows:
    """Return a follower's rows as text, without the columns that only number them."""
    found: Rows = {}
    with transaction() as connection:
        for table in kind.tables:
            columns = [sql.Identifier(name) for name in _columns(connection, table, identity="NO")]
            query = sql.SQL("SELECT ({})::text FROM {}").format(
                sql.SQL("ROW({})").format(sql.SQL(", ").join(columns)), sql.Identifier(table)
            )
            found[table] = sorted(row[0] for row in connection.execute(query))
    return found


def _count_of(kind: type[Follower], origins: list[int]) -> dict[str, int]:
    counts = {}
    with transaction() as connection:
        for table in kind.tables:
            query = sql.SQL("SELECT count(*) FROM {} WHERE origin_id = ANY (%s)")
            found = connection.execute(query.format(sql.Identifier(table)), [origins]).fetchone()
            assert found is not None
            counts[table] = found[0]
    return counts


def _columns(connection: Connection, table: str, *, identity: Literal["NO", ""] = "") -> list[str]:
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
        "AND (%s = '' OR is_identity = %s) ORDER BY ordinal_position",
        [table, identity, identity],
    )
    return [name for (name,) in rows]


def _comment(connection: Connection, table: str) -> str | None:
    row = connection.execute("SELECT obj_description(%s::regclass)", [table]).fetchone()
    return row[0] if row else None


def _same(rows: Rows, expected: Rows, when: str) -> None:
    for table, lines in expected.items():
        more = sorted(set(rows[table]) - set(lines))[:3]
        less = sorted(set(lines) - set(rows[table]))[:3]
        assert rows[table] == lines, f"{table} differs {when}: {more} instead of {less}"
