"""The page "What we hold": the data map and the erasures, for whoever may look."""

from datetime import UTC, datetime

import msgspec
from django.test import Client

from amity.store import api as store


def test_the_page_tells_the_map_and_the_erasures(db):
    from amity.web.staff.models import Staff

    client = Client(SERVER_NAME="localhost")
    assert client.get("/held/").status_code == 302
    client.force_login(Staff.objects.create_user("vera", role="viewer"))
    page = client.get("/held/").content.decode()
    assert "store_profile" in page
    assert "warehouse/**" in page
    assert "store_tally" not in page
    assert "store_tally" in client.get("/held/?all").content.decode()
    assert "Nobody was erased yet" in page
    source = store.create_source(name="Shop", kind="server").source_id
    event = msgspec.json.encode({"type": "identify", "userId": "ann"})
    store.append_events(source_id=source, events=[event], now=datetime.now(UTC))
    while store.fold_batch().events:
        pass
    found = store.find_profile(kind="user_id", value="ann")
    store.erase_profile(profile_id=found.profile_id, by="t", now=datetime.now(UTC))
    page = client.get("/held/").content.decode()
    assert str(store.list_erasures().items[0].receipt_id) in page
    assert "under way" in page
