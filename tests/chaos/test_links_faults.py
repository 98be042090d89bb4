"""Public links when the database fails: what is answered with 200 is stored, and clicks lead on."""

import random
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import psycopg
import pytest

from amity.infra import database, tokens
from amity.infra.postgres import OWNER
from amity.store import api
from amity.testing.edge import running_edge
from amity.testing.proxy import fault_proxy

SEND = "018f3c5e7b1a7c3d9e4f5a6b7c8d9e0f"
ROUNDS = 30
ENOUGH = 2
_END_SESSIONS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'amity-app' AND datname = current_database()"""


@pytest.fixture
def proxied(db):
    with fault_proxy() as (proxy, url), running_edge(database_url=url) as edge:
        yield edge, proxy


def one_click(edge, number):
    """Unsubscribe as a mail program does; return the status and the address's key."""
    key = api.contact_key(channel="email", address=f"p{number}@example.com")
    token = tokens.sign("unsubscribe", [7, "email", key, "marketing.email", SEND])
    request = urllib.request.Request(f"{edge.url}/u/{token}", b"List-Unsubscribe=One-Click")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, key
    except urllib.error.HTTPError as error:
        with error:
            return error.code, key


def is_stored(connection, key):
    found = connection.execute(
        "SELECT objections ? 'marketing.email' FROM store_contact_point WHERE address_key = %s",
        [key],
    ).fetchone()
    return found == (True,)


def test_an_unsubscribe_is_only_confirmed_when_it_is_stored(db, server):
    """Every session of the edge is ended by the server, at some moment of a request."""
    rng = random.Random(8058)
    statuses = []
    owner = psycopg.connect(server.conninfo(OWNER, database=db), autocommit=True)
    with running_edge() as edge, owner:
        for number in range(ROUNDS):
            cut = threading.Timer(rng.random() * 0.012, owner.execute, [_END_SESSIONS])
            cut.start()
            status, key = one_click(edge, number)
            assert status in {200, 503}
            assert status == 503 or is_stored(owner, key)
            statuses.append(status)
            cut.join()
            deadline = time.monotonic() + 60
            while status == 503 and time.monotonic() < deadline:
                time.sleep(0.02)
                status, key = one_click(edge, number)
            assert status == 200
            assert is_stored(owner, key)
            if min(statuses.count(200), statuses.count(503)) >= ENOUGH:
                break
    assert set(statuses) == {200, 503}, "the cuts must hit some and miss some"


def test_without_the_database_links_lead_on_and_a_mail_program_is_told_to_come_back(proxied):
    edge, proxy = proxied
    proxy.go_down()
    status, key = one_click(edge, 1)
    assert status == 503
    began = time.monotonic()
    assert one_click(edge, 1)[0] == 503
    target = edge.url + "/pages.css"
    token = tokens.sign("click", [7, SEND, 1, target, "", ""])
    with urllib.request.urlopen(f"{edge.url}/c/{token}", timeout=30) as answer:
        assert answer.url == target
    assert time.monotonic() - began < 4
    proxy.come_back()
    with database.transaction() as connection:
        assert not is_stored(connection, key)


def test_a_click_waits_for_a_database_that_comes_back(db):
    source_id = api.create_source(name="Shop", kind="server").source_id
    event = (
        b'{"type":"track","userId":"u1","event":"Segment Consent Preference Updated",'
        b'"properties":{"categoryPreferences":{"tracking.email":true}}}'
    )
    api.append_events(source_id=source_id, events=[event], now=datetime.now(UTC))
    api.fold_batch()
    profile_id = api.find_profile(kind="user_id", value="u1").profile_id
    with fault_proxy() as (proxy, url), running_edge(database_url=url) as edge:
        token = tokens.sign("click", [profile_id, SEND, 1, edge.url + "/pages.css", "", ""])
        proxy.go_down()
        with urllib.request.urlopen(f"{edge.url}/c/{token}", timeout=30) as answer:
            assert answer.status == 200
        time.sleep(0.3)
        proxy.come_back()
        names = []
        deadline = time.monotonic() + 60
        while "Email Link Clicked" not in names and time.monotonic() < deadline:
            time.sleep(0.05)
            api.fold_batch()
            names = [one.name for one in api.list_activity(profile_id=profile_id).items]
        assert names.count("Email Link Clicked") == 1
