"""Whoever tampers with the ledger of consents, in any of eight ways and at any record (T31).

The check names the first record that is not as it was written, whoever held the database.
"""

import random
import time
from datetime import UTC, datetime

import msgspec
import pytest

from amity.infra import database
from amity.store import api
from amity.store.logic.consent import ledger as consent_ledger
from amity.testing.chaos_record import Finding, chaos_number, record

RECORDS = chaos_number("LEDGER_RECORDS", 300)
TRIES = chaos_number("TAMPERINGS", 3)
AT_ONCE = 5000
SEED = 20261125
PLACES = 1_000_000_000
COLUMNS = (
    "origin_id, subject, event_id, purpose, status, event_time, recorded_time, method, source_id,"
    " evidence, evidence_sha256, prev_hash, hash, seal"
)
pytestmark = pytest.mark.timeout(360 + RECORDS // 500)


@pytest.fixture(scope="module")
def ledger(module_db):
    """A ledger of so many records, written as the worker writes it."""
    now = datetime.now(UTC)
    source_id = api.create_source(name="Shop", kind="server").source_id
    for first in range(0, RECORDS, AT_ONCE):
        events = [
            msgspec.json.encode(
                {
                    "type": "track", "userId": f"u{number % 1000}", "messageId": str(number),
                    "event": "Segment Consent Preference Updated",
                    "properties": {"categoryPreferences": {"marketing.email": number % 3 > 0}},
                }
            )
            for number in range(first, min(first + AT_ONCE, RECORDS))
        ]  # fmt: skip
        api.append_events(source_id=source_id, events=events, now=now)
        while api.fold_batch().events:
            pass
        while api.write_consents(now=now):
            pass
    assert api.verify_consents().records == RECORDS


def owner(statement, *arguments):
    """As somebody who holds the database and has put the triggers out of the way."""
    with database.transaction("owner") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statement, arguments)


def edit(place):
    owner(
        "UPDATE store_consent SET status = CASE status WHEN 'given' THEN 'denied' ELSE 'given' END"
        " WHERE record_id = %s",
        place,
    )


def delete(place):
    owner("DELETE FROM store_consent WHERE record_id = %s", place)


def insert(place):
    owner("UPDATE store_consent SET record_id = record_id + %s WHERE record_id >= %s",
          PLACES, place)  # fmt: skip
    owner("UPDATE store_consent SET record_id = record_id - %s WHERE record_id > %s",
          PLACES - 1, PLACES)  # fmt: skip
    owner(f"INSERT INTO store_consent (record_id, {COLUMNS})"
          f" SELECT %s, {COLUMNS} FROM store_consent WHERE record_id = %s",
          place, place - 1)  # fmt: skip


def reorder(place):
    move = "UPDATE store_consent SET record_id = %s WHERE record_id = %s"
    owner(move, PLACES, place + 1)
    owner(move, place + 1, place)
    owner(move, place, PLACES)


def swap(place):
    owner(
        "UPDATE store_consent c SET event_id = o.event_id, status = o.status"
        " FROM store_consent o WHERE (c.record_id, o.record_id) IN ((%s, %s), (%s, %s))",
        *(place, place + 1, place + 1, place),
    )


def truncate_tail(place):
    owner("DELETE FROM store_consent WHERE record_id >= %s", place)


def rewrite(place):
    """Change one and give it and all after it fitting hashes, as one who lacks the key must."""
    with database.transaction("owner") as connection:
        rows = connection.execute(
            consent_ledger._SQL["consents_chain"], [place - 1, RECORDS], binary=True
        ).fetchall()
    records = [consent_ledger.read_record(row) for row in rows]
    previous, values = records[0].prev_hash, []
    for number, each in enumerate(records):
        new = msgspec.structs.replace(each, method="forged") if not number else each
        digest = consent_ledger.hash_of(new, previous)
        values.append((new.method, previous, digest, new.record_id))
        previous = digest
    with database.transaction("owner") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.cursor().executemany(
            "UPDATE store_consent SET method = %s, prev_hash = %s, hash = %s WHERE record_id = %s",
            values,
        )


def restore_older(place):
    """The database of before, with its own heads; those outside it know better."""
    owner("DELETE FROM store_consent WHERE record_id >= %s", place)
    owner("DELETE FROM store_consent_head WHERE record_id >= %s", place)


WAYS = [edit, delete, insert, reorder, swap, truncate_tail, rewrite, restore_older]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_is_found_at_its_first_record(ledger, way):
    rng = random.Random(SEED)
    places = [2, RECORDS - 1, *(rng.randrange(3, RECORDS - 1) for _ in range(TRIES - 2))]
    began = time.monotonic()
    assert api.verify_consents().is_whole
    seconds = time.monotonic() - began
    keep_a_copy()
    for place in places:
        way(place)
        verdict = api.verify_consents()
        put_back()
        assert (verdict.is_whole, verdict.bad_record) == (False, place)
        assert verdict.fault
    assert api.verify_consents().is_whole
    record(
        Finding(
            card="T31",
            what=f"tampering with the ledger: {way.__name__.replace('_', ' ')}",
            seed=SEED,
            cuts=len(places),
            control="the ledger as it was written is found whole, before and after",
            more={"found": f"{len(places)} of {len(places)}, each at its first record of "
                  f"{RECORDS}; all of it read in {seconds:.1f} s"},
        )
    )  # fmt: skip


def keep_a_copy():
    owner("DROP TABLE IF EXISTS kept_consent, kept_head")
    owner("CREATE TABLE kept_consent AS SELECT * FROM store_consent")
    owner("CREATE TABLE kept_head AS SELECT * FROM store_consent_head")


def put_back():
    owner("DELETE FROM store_consent")
    owner("INSERT INTO store_consent SELECT * FROM kept_consent")
    owner("DELETE FROM store_consent_head")
    owner("INSERT INTO store_consent_head SELECT * FROM kept_head")
