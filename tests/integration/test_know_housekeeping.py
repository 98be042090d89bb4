"""What the store does by itself from time to time."""

from datetime import UTC, datetime

from amity.infra import database
from amity.store import api


def test_missing_partitions_are_made_again(db):
    with database.transaction("owner") as connection:
        day = connection.execute(
            "SELECT to_char((now() AT TIME ZONE 'UTC') + interval '1 day', 'YYYYMMDD')"
        ).fetchone()[0]
        connection.execute(f"DROP TABLE store_event_log_{day}")
    assert not api.check_log().is_tomorrow_ready
    assert api.keep_house()["partitions"] == 1
    assert api.check_log().is_tomorrow_ready


def test_a_log_from_another_server_is_noticed(db):
    source = api.create_source(name="Shop")
    event = b'{"type":"track","event":"Ping","userId":"u1","messageId":"m1"}'
    api.append_events(source_id=source.source_id, events=[event], now=datetime.now(UTC))
    assert not api.check_log().is_ahead
    with database.transaction("owner") as connection:
        connection.execute("UPDATE store_event_log SET xid = '9999999999'")
    assert api.check_log().is_ahead
