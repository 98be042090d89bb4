"""A key for each customer: unreadable once it is destroyed, and the chain stays whole."""

from datetime import UTC, datetime

import msgspec
import pytest

from amity.infra import database, subject_keys
from amity.store import api
from amity.store.contracts_consent import LedgerFilter

NOW = datetime.now(UTC)


@pytest.fixture
def people(db) -> list[int]:
    source = api.create_source(name="Shop", kind="server").source_id
    for user in ("ann", "bob"):
        event = {
            "type": "track",
            "userId": user,
            "event": "Segment Consent Preference Updated",
            "properties": {"categoryPreferences": {"marketing.email": True}, "form": f"f-{user}"},
            "context": {"ip": "203.0.113.9", "userAgent": f"browser of {user}"},
        }
        api.append_events(source_id=source, events=[msgspec.json.encode(event)], now=NOW)
    while api.fold_batch().events:
        pass
    while api.write_consents(now=NOW):
        pass
    return [api.find_profile(kind="user_id", value=user).profile_id for user in ("ann", "bob")]


def rows(statement, arguments=()):
    with database.transaction("owner") as connection:
        return connection.execute(statement, arguments).fetchall()


def evidence(profile_id):
    filters = LedgerFilter(profile_id=profile_id)
    return [each.evidence for each in api.list_consent_records(filters=filters).items]


def test_evidence_lies_sealed_and_is_read_as_it_was_said(people):
    stored = [row[0] for row in rows("SELECT evidence FROM store_consent ORDER BY record_id")]
    assert all(subject_keys.is_sealed(text) and "browser" not in text for text in stored)
    assert "browser of ann" in evidence(people[0])[0]
    wrapped = rows("SELECT wrapped FROM store_subject_key")
    assert len({bytes(row[0]) for row in wrapped}) == 2
    assert api.verify_consents().is_whole


def test_an_erasure_destroys_the_key_and_the_chain_stays_whole(people):
    api.erase_profile(profile_id=people[0], by="t", now=NOW)
    assert rows("SELECT origin_id FROM store_subject_key") == [(people[1],)]
    assert api.verify_consents().is_whole
    assert "browser of bob" in evidence(people[1])[0]


def test_a_copy_from_before_is_unreadable_without_its_key(people):
    before = rows("SELECT origin_id, evidence FROM store_consent WHERE origin_id = %s", people[:1])
    api.erase_profile(profile_id=people[0], by="t", now=NOW)
    with database.transaction() as connection:
        keys = subject_keys.read_keys(connection, people)
    (sealed,) = [row[1] for row in before]
    place = "consent.1"
    assert subject_keys.open_for(keys.get(people[0]), sealed, about=place) == sealed
    # Nor does anybody else's key open it.
    assert subject_keys.open_for(keys[people[1]], sealed, about=place) == sealed


def test_a_key_that_is_gone_without_an_erasure_is_told(people):
    with database.transaction() as connection:
        assert subject_keys.destroy_keys(connection, people[:1]) == 1
    verdict = api.verify_consents()
    assert not verdict.is_whole
    assert (verdict.bad_record, verdict.fault) == (1, "it is blank, and no erasure is recorded")
