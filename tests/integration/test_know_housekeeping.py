"""What the store does by itself from time to time."""

from datetime import UTC, datetime

from amity.infra import database
from amity.store import api


def test_old_keys_and_quarantine_are_forgotten_and_young_ones_kept(db):
    source = api.create_source(name="Shop")
    now = datetime.now(UTC)
    event = b'{"type":"track","event":"Ping","userId":"u1","messageId":"m1"}'
    api.append_events(source_id=source.source_id, events=[event, b"not json"], now=now)
    assert api.keep_house() == {"partitions": 0, "keys": 0, "quarantined": 0}
    with database.transaction() as connection:
        connection.execute("UPDATE store_event_key SET received_at = now() - interval '121 days'")
        connection.execute("UPDATE store_quarantine SET received_at = now() - interval '31 days'")
    assert api.keep_house() == {"partitions": 0, "keys": 1, "quarantined": 1}


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
