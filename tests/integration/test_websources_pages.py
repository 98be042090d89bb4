"""The sources' and the quarantine's pages, through Django's client, on a real database."""

import html
import json
import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from amity.store import api as store

NOW = datetime.now(UTC)


@pytest.fixture
def admin(db: str) -> Client:
    return sign_in("admin")


def sign_in(role: str) -> Client:
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    client.force_login(Staff.objects.create_user(f"{role}-person", role=role))
    return client


def text_of(page) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def test_without_sources_the_list_says_what_to_do(admin: Client) -> None:
    page = admin.get("/sources/")
    assert page.status_code == 200
    assert "Nothing is connected yet" in text_of(page)


def test_a_source_is_made_shown_renamed_switched_off_and_rekeyed(admin: Client) -> None:
    answer = admin.post("/sources/new/", {"name": " Web  shop ", "kind": "browser"})
    source = store.find_source(name="Web shop")
    assert source
    assert answer["Location"] == f"/sources/{source.source_id}/"
    page = text_of(admin.get(answer["Location"]))
    assert source.write_key in page
    assert "Waiting for the first event" in page
    assert page.index("analytics-next") < page.index("curl http")

    admin.post(f"/sources/{source.source_id}/rename/", {"name": "Shop"})
    admin.post(f"/sources/{source.source_id}/switch/", {"is_enabled": "no"})
    held = store.get_source(source_id=source.source_id)
    assert (held.name, held.is_enabled) == ("Shop", False)
    admin.post(f"/sources/{source.source_id}/rotate/", {"confirm": "not its name"})
    assert store.get_source(source_id=source.source_id).write_key == source.write_key
    admin.post(f"/sources/{source.source_id}/rotate/", {"confirm": "Shop"})
    assert store.get_source(source_id=source.source_id).write_key != source.write_key


def test_what_was_typed_stays_when_the_name_is_taken(admin: Client) -> None:
    store.create_source(name="Tills", kind="server")
    page = admin.post("/sources/new/", {"name": "Tills", "kind": "server"})
    assert page.status_code == 422
    assert 'value="Tills"' in text_of(page)
    assert "exists already" in text_of(page)
    assert 'value="server" checked' in text_of(page)


@pytest.mark.parametrize(
    ("role", "looks", "changes"),
    [("viewer", 403, 403), ("agent", 403, 403), ("analyst", 200, 403), ("marketer", 200, 403)],
)
def test_only_admins_change_sources(db: str, role: str, looks: int, changes: int) -> None:
    source = store.create_source(name="Shop", kind="browser")
    client = sign_in(role)
    assert client.get("/sources/").status_code == looks
    assert client.get(f"/sources/{source.source_id}/").status_code == looks
    for address in ("rotate", "switch", "test", "rename"):
        assert client.post(f"/sources/{source.source_id}/{address}/").status_code == changes
    assert client.post("/quarantine/replay/").status_code == changes
    assert store.get_source(source_id=source.source_id) == source


def test_nothing_changes_by_get_nor_without_a_token(admin: Client) -> None:
    source = store.create_source(name="Shop", kind="browser")
    for address in ("rotate", "switch", "test", "rename"):
        assert admin.get(f"/sources/{source.source_id}/{address}/").status_code == 405
    strict = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    strict.cookies = admin.cookies
    assert strict.post(f"/sources/{source.source_id}/switch/").status_code == 403
    assert store.get_source(source_id=source.source_id).is_enabled


def test_a_test_event_shows_in_the_stream_and_in_the_counts(admin: Client) -> None:
    source = store.create_source(name="Shop", kind="browser")
    first = text_of(admin.get(f"/sources/{source.source_id}/"))
    after = re.search(r"stream/\?after=([^\"&]*)\"", first)
    assert after
    admin.post(f"/sources/{source.source_id}/test/")
    turn = admin.get(f"/sources/{source.source_id}/stream/", {"after": after[1]})
    assert "Test Event" in text_of(turn)
    next_after = re.search(r"after=([^\"&]+)", text_of(turn))
    assert next_after
    quiet = admin.get(f"/sources/{source.source_id}/stream/", {"after": next_after[1]})
    assert "Test Event" not in text_of(quiet)
    counts = text_of(admin.get(f"/sources/{source.source_id}/counts/"))
    assert counts.count("<dd>1</dd>") == 2  # received and stored


def test_more_events_than_fit_are_skipped_and_said_so(admin: Client) -> None:
    source = store.create_source(name="Shop", kind="server")
    admin.post(f"/sources/{source.source_id}/test/")
    start = store.list_received(source_id=source.source_id, limit=1)[0].cursor
    store.append_events(source_id=source.source_id, events=_tracks(80), now=NOW)
    turn = text_of(admin.get(f"/sources/{source.source_id}/stream/", {"after": start}))
    assert "More came in between" in turn
    assert "Number 79" in turn
    assert "Number 3<" not in turn


def _tracks(count: int) -> list[bytes]:
    return [
        b'{"type":"track","userId":"u-%d","event":"Number %d","messageId":"m-%d"}' % (n, n, n)
        for n in range(count)
    ]


HOSTILE = b'{"type":"<script>alert(1)</script>","userId":"\xe2\x80\xaeevil"}'


def test_quarantined_bytes_are_shown_but_never_run(admin: Client) -> None:
    source = store.create_source(name="Shop", kind="server")
    broken = [HOSTILE, b"\xff\xfe\x00binary", b'{"type":"track","userId":"u"']
    store.append_events(source_id=source.source_id, events=broken, now=NOW)
    page = text_of(admin.get("/quarantine/"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "\u202e" not in page
    assert "\\u202e" in page
    assert "ff fe 00" in page
    assert "3 events waiting" in page


def test_quarantine_is_filtered_by_reason_and_replayed_in_batches(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from amity.web.sources import quarantine

    source = store.create_source(name="Shop", kind="server")
    nobody = [b'{"type":"track","event":"X","messageId":"m-%d"}' % n for n in range(5)]
    store.append_events(source_id=source.source_id, events=[*nobody, b"not json"], now=NOW)
    reasons = store.count_quarantine()
    assert reasons["missing_identity"] == 5
    page = text_of(admin.get("/quarantine/", {"reason": "missing_identity"}))
    assert page.count("nobody named") == 1 + 5
    assert "not json" not in page

    monkeypatch.setattr(quarantine, "_BATCH", 2)
    asked = {"what": "all", "reason": "missing_identity"}
    turns = 0
    while True:
        turn = text_of(admin.post("/quarantine/replay/", asked, headers={"HX-Request": "true"}))
        turns += 1
        values = re.search(r"hx-vals='([^']+)'", turn)
        if not values:
            break
        asked = json.loads(html.unescape(values[1]))
    assert turns == 3
    assert "5 events replayed" in turn
    assert "5 still cannot be taken in" in turn
    assert store.count_quarantine() == reasons


def test_chosen_ones_alone_are_replayed(admin: Client) -> None:
    source = store.create_source(name="Shop", kind="server")
    store.append_events(source_id=source.source_id, events=[b"one", b"two", b"three"], now=NOW)
    ids = [event.quarantine_id for event in store.list_quarantine().items]
    page = text_of(admin.post("/quarantine/replay/", {"what": "chosen", "id": ids[:2]}))
    assert "2 events replayed" in page
    assert admin.post("/quarantine/replay/", {"one": "abc"}).status_code == 422
