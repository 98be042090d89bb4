"""The consent ledger: what the log says, once, in order, in a chain that shows every touch."""

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest

from amity.infra import crypto, database
from amity.store import api
from amity.store.logic.consent import heads as consent_heads
from amity.store.logic.consent import ledger as consent_ledger

NOW = datetime.now(UTC)


@pytest.fixture
def ledger(db):
    shop = api.create_source(name="Shop", kind="server").source_id
    site = api.create_source(name="Site", kind="browser").source_id
    return shop, site


def say(source_id, user_id, choices, *, at=NOW, **told):
    event = {
        "type": "track",
        "userId": user_id,
        "event": "Segment Consent Preference Updated",
        "properties": {"categoryPreferences": choices, **told},
        "timestamp": at.isoformat(),
        "context": {"ip": "203.0.113.9"},
    }
    api.append_events(source_id=source_id, events=[msgspec.json.encode(event)], now=NOW)


def settle(now=NOW):
    while api.fold_batch().events:
        pass
    while api.write_consents(now=now):
        pass


def records(**filters):
    from amity.store.contracts_consent import LedgerFilter

    return api.list_consent_records(filters=LedgerFilter(**filters)).items[::-1]


def fill(ledger, people=3):
    shop, site = ledger
    for number in range(people):
        say(shop, f"u{number}", {"marketing.email": True, "profiling": False}, method="import")
        say(site, f"u{number}", {"tracking.email": True})
        settle()


def owner(statement, arguments=()):
    """As somebody who holds the database and has put the triggers out of the way."""
    with database.transaction("owner") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statement, arguments)


def test_what_was_said_is_written_once_in_order_and_is_whole(ledger):
    fill(ledger)
    found = records()
    assert [each.record_id for each in found] == list(range(1, 10))
    assert [(each.purpose, each.status) for each in found[:3]] == [
        ("marketing.email", "given"),
        ("profiling", "denied"),
        ("tracking.email", "pending"),  # a browser's key is public: its yes gives nothing
    ]
    assert found[0].method == "import"
    assert "203.0.113.9" in found[0].evidence
    assert found[0].basis == "consent"
    with database.transaction() as connection:  # as after a crash that lost the consumer's place
        connection.execute("UPDATE store_consumer SET position = 0 WHERE name = 'consents'")
    settle()
    assert len(records()) == 9
    verdict = api.verify_consents()
    assert verdict.is_whole
    assert verdict.records == 9


def test_a_rebuild_leaves_the_ledger_alone(ledger):
    fill(ledger)
    before = records()
    api.rebuild()
    settle()
    assert records() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE store_consent SET status = 'given'",
        "DELETE FROM store_consent",
        "TRUNCATE store_consent",
        "UPDATE store_notice SET wording = 'other'",
        "DELETE FROM store_consent_head",
    ],
)
@pytest.mark.parametrize("role", ["app", "owner"])
def test_nobody_changes_what_was_written(ledger, statement, role):
    fill(ledger, people=1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction(role) as one:
        one.execute(statement)


def forge(record_id, **changes):
    """Write a row anew with fitting hashes, and all after it, as one who lacks the key must."""
    with database.transaction("owner") as connection:
        rows = connection.execute(
            consent_ledger._SQL["consents_chain"], [record_id - 1, 1000], binary=True
        ).fetchall()
    previous = consent_ledger.read_record(rows[0]).prev_hash
    for number, row in enumerate(rows):
        record = consent_ledger.read_record(row)
        if not number:
            record = msgspec.structs.replace(record, **changes)
        digest = consent_ledger.hash_of(record, previous)
        owner(
            "UPDATE store_consent SET status = %s, prev_hash = %s, hash = %s WHERE record_id = %s",
            [record.status, previous, digest, record.record_id],
        )
        previous = digest


def edit():
    owner("UPDATE store_consent SET status = 'given' WHERE record_id = 5")


def delete():
    owner("DELETE FROM store_consent WHERE record_id = 5")


def insert():
    owner("UPDATE store_consent SET record_id = record_id + 100 WHERE record_id >= 5")
    owner("UPDATE store_consent SET record_id = record_id - 99 WHERE record_id >= 105")
    columns = (
        "origin_id, subject, event_id, purpose, status, event_time, recorded_time, method,"
        " source_id, evidence, evidence_sha256, prev_hash, hash, seal"
    )
    owner(
        f"INSERT INTO store_consent (record_id, {columns})"
        f" SELECT 5, {columns} FROM store_consent WHERE record_id = 2"
    )


def reorder():
    owner("UPDATE store_consent SET record_id = -record_id + 1000 WHERE record_id IN (5, 6)")
    owner("UPDATE store_consent SET record_id = 11 - (1000 - record_id) WHERE record_id > 100")


def swap():
    owner(
        "UPDATE store_consent c SET status = o.status, purpose = o.purpose FROM store_consent o"
        " WHERE (c.record_id, o.record_id) IN ((5, 6), (6, 5))"
    )


def truncate_tail():
    owner("DELETE FROM store_consent WHERE record_id >= 5")


def rewrite():
    forge(5, status="given")


def move():
    owner("UPDATE store_consent SET origin_id = origin_id + 1 WHERE record_id = 5")


def change_evidence():
    owner("UPDATE store_consent SET evidence = '{}' WHERE record_id = 5")


def blank_in_secret():
    owner("UPDATE store_consent SET origin_id = NULL, evidence = NULL WHERE record_id = 5")


@pytest.mark.parametrize(
    "tamper",
    [
        *(edit, delete, insert, reorder, swap, truncate_tail, rewrite),
        *(move, change_evidence, blank_in_secret),
    ],
)
def test_tampering_is_found_at_its_first_record(ledger, tamper):
    fill(ledger)
    tamper()
    verdict = api.verify_consents()
    assert not verdict.is_whole
    assert verdict.bad_record == 5
    assert verdict.fault


def test_an_older_database_is_found_even_after_it_went_on(ledger):
    fill(ledger, people=2)
    fill_more = ledger[0]
    say(fill_more, "late", {"marketing.email": True})
    settle()
    owner("DELETE FROM store_consent WHERE record_id > 6")  # the copy of the day before
    verdict = api.verify_consents()
    assert (verdict.is_whole, verdict.bad_record) == (False, 7)
    say(fill_more, "other", {"marketing.email": False})
    settle()
    verdict = api.verify_consents()
    assert not verdict.is_whole
    # New records stand where others stood: only the signed heads on both sides tell where.
    assert verdict.bad_record == 4
    assert "from 4 to 7" in verdict.fault


def test_who_removes_the_heads_as_well_is_found(ledger):
    fill(ledger)
    owner("DELETE FROM store_consent_head")
    consent_heads.newest_path().unlink()
    consent_heads.kept_path().unlink(missing_ok=True)
    assert not api.verify_consents().is_whole


def test_a_head_of_another_key_is_found(ledger):
    fill(ledger, people=1)
    head = consent_heads.read_newest()
    forged = msgspec.structs.replace(head, signature=head.signature[::-1])
    consent_heads.put_newest(forged)
    assert not api.verify_consents().is_whole


def test_erasure_takes_what_is_personal_and_the_chain_stays_whole(ledger):
    fill(ledger)
    profile = api.find_profile(kind="user_id", value="u1")
    counts = api.erase_profile(profile_id=profile.profile_id, by="test", now=NOW)
    settle()
    assert counts["store_consent"] == 3
    found = records()
    assert [each.record_id for each in found if each.evidence is None] == [4, 5, 6, 10]
    assert all(each.origin_id is None for each in found if each.evidence is None)
    assert found[-1].status == "invalidated"
    assert api.verify_consents().is_whole
    with database.transaction() as connection:
        text = connection.execute("SELECT string_agg(c::text, '') FROM store_consent c").fetchone()
    assert "203.0.113.9" not in text[0]  # sealed under each customer's own key
    assert sum("203.0.113.9" in (each.evidence or "") for each in found) == 6


def test_time_ends_a_consent(ledger):
    shop, _ = ledger
    until = NOW + timedelta(days=1)
    say(shop, "u1", {"marketing.email": True}, expires_at=until.isoformat())
    settle()
    profile = api.find_profile(kind="user_id", value="u1").profile_id
    asked = {"profile_ids": [profile], "purpose": "marketing.email"}
    assert api.may_use(**asked, now=NOW) == {profile: ""}
    assert api.may_use(**asked, now=until) == {profile: "consent_expired"}
    settle(now=until)
    settle(now=until)
    assert [each.status for each in records()] == ["given", "expired"]
    say(shop, "u1", {"marketing.email": True}, at=NOW + timedelta(microseconds=1))
    settle(now=until)
    assert api.may_use(**asked, now=until + timedelta(days=999)) == {profile: ""}
    assert api.verify_consents().is_whole


def test_a_subject_is_not_the_profile_number(ledger):
    fill(ledger, people=1)
    one = records()[0]
    assert one.subject == crypto.pseudonym(f"profile:{one.origin_id}")
