"""Privacy signals: Global Privacy Control at the collector, and TCF strings in events."""

from datetime import UTC, datetime

import msgspec
import pytest

from amity.infra import config
from amity.store import api
from amity.store.contracts import SourceKind
from amity.store.contracts_consent import LedgerFilter
from amity.testing.edge import LiveEdge, running_edge
from amity.testing.edge import send as ask
from amity.testing.tc_strings import AFTER, BEFORE, core, disclosed

NOW = datetime.now(UTC)


@pytest.fixture
def edge(db):
    with running_edge() as live:
        yield live


def fold():
    while api.fold_batch().events:
        pass
    while api.write_consents(now=NOW):
        pass


def send(edge: LiveEdge, kind: SourceKind, *, gpc="1", name="Site"):
    key = api.create_source(name=name, kind=kind).write_key
    for number in range(2):
        event = {"event": "Looked", "anonymousId": "device-1", "messageId": f"{name}-{number}"}
        headers = {"sec-gpc": gpc} if gpc else {}
        body = msgspec.json.encode(event)
        status, answer, _ = ask(f"{edge.url}/v1/track", body, key=key, headers=headers)
        assert status == 200
        assert answer == {
            "success": True,
            "accepted": 1,
            "duplicate": 0,
            "quarantined": 0,
            "errors": [],
        }
    fold()
    return api.find_profile(kind="anonymous_id", value="device-1")


def test_the_signal_is_an_opt_out_once_for_browser_and_known_customer(edge):
    device = send(edge, "browser")
    assert device.consents["sharing"].status == "denied"
    assert device.event_counts["Segment Consent Preference Updated"] == 1
    [record] = api.list_consent_records(filters=LedgerFilter(method="GPC")).items
    assert (record.purpose, record.status) == ("sharing", "denied")
    shop = api.create_source(name="Shop", kind="server").source_id
    known = {"type": "identify", "userId": "u1", "anonymousId": "device-1", "traits": {}}
    api.append_events(source_id=shop, events=[msgspec.json.encode(known)], now=NOW)
    fold()
    who = api.find_profile(kind="user_id", value="u1")
    reasons = api.may_use(profile_ids=[who.profile_id], purpose="sharing", now=NOW)
    assert reasons == {who.profile_id: "objected"}


@pytest.mark.parametrize("value", ["0", "true", "", "1, 1"])
def test_only_the_value_1_is_the_signal(edge, value):
    assert send(edge, "browser", gpc=value).consents == {}


def test_a_server_has_no_browser_whose_signal_counts(edge):
    assert send(edge, "server").consents == {}


def test_the_support_document_says_that_it_is_honoured(edge):
    status, answer, _ = ask(f"{edge.url}/.well-known/gpc.json")
    assert (status, answer["gpc"]) == (200, True)
    assert datetime.fromisoformat(answer["lastUpdate"])


def tcf_event(source_id, text):
    event = {
        "type": "track",
        "userId": "u1",
        "event": "Segment Consent Preference Updated",
        "properties": {"categoryPreferences": {}},
        "context": {"consent": {"tcf": text}},
    }
    api.append_events(source_id=source_id, events=[msgspec.json.encode(event)], now=NOW)
    fold()
    return api.find_profile(kind="user_id", value="u1")


@pytest.mark.parametrize(
    ("kind", "at", "segment", "status"),
    [
        ("server", BEFORE, False, "granted"),
        ("server", AFTER, True, "granted"),
        ("server", AFTER, False, "denied"),
        ("browser", AFTER, True, None),
        ("browser", AFTER, False, "denied"),
    ],
)
def test_a_tcf_string_is_read_as_settings_map_it(db, kind, at, segment, status):
    text = core(at=at, purposes={1, 2, 4}, vendors={7})
    text = f"{text}.{disclosed({7})}" if segment else text
    with config.override(tcf_purposes="sharing=1+2+4, profiling=3", tcf_vendor=7):
        source = api.create_source(name="Site", kind=kind).source_id
        profile = tcf_event(source, text)
    consent = profile.consents.get("sharing")
    assert (consent.status if consent else None) == status
    assert profile.consents["profiling"].status == "denied"
    [record] = api.list_consent_records(filters=LedgerFilter(purpose="sharing")).items
    # What a browser's public key may not grant is written down as pending.
    assert record.method == "TCF"
    assert record.status == {"granted": "given", None: "pending"}.get(status, status)


@pytest.mark.parametrize("text", ["garbage", "CO", "", "BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA"])
def test_a_tcf_string_that_is_none_says_nothing(db, text):
    with config.override(tcf_purposes="sharing=1"):
        source = api.create_source(name="Site", kind="server").source_id
        assert tcf_event(source, text).consents == {}
