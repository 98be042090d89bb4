"""Copies of a customer's data: whole by the data map, safe to open, kept for a while."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.infra import data_map
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, NotFound
from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest
from amity.store import api as store
from amity.store import api_requests as requests
from amity.store.contracts_requests import RequestPlan
from amity.web.erasing import erase_customer
from amity.web.requests import copying

NOW = datetime.now(UTC)
FORMULA = '=HYPERLINK("http://x.example","win")'


def settle():
    for _ in range(50):
        now = datetime.now(UTC)
        handled = store.fold_batch().events + store.follow(now=now)
        handled += store.write_consents(now=now) + analysis.follow_batch(now=now).events
        if not handled:
            return
    raise AssertionError("the consumers never came to rest")


def send(source_id, *events):
    raw = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=raw, now=datetime.now(UTC))
    settle()


@pytest.fixture
def her(db):
    """A customer of two joined profiles who was in most of what there is."""
    source_id = store.create_source(name="Shop", kind="server").source_id
    rule = {"node": "did", "event": "Order Completed", "within_days": 30}
    analysis.create_segment(name="Buyers", rule=rule, by="t", now=NOW)
    yes = {"categoryPreferences": {"marketing.email": True}, "form": "checkout"}
    named = {"email": "ann@x.example", "phone": "+4930111222", "name": FORMULA}
    send(
        source_id,
        {"type": "page", "anonymousId": "a1", "properties": {"url": "https://x.example/"}},
        {"type": "track", "anonymousId": "a1", "event": "Product Viewed", "properties": {"sku": 1}},
        {"type": "identify", "userId": "ann", "anonymousId": "a1", "traits": named},
        {"type": "identify", "userId": "bob", "traits": {"email": "bob@x.example"}},
        {
            "type": "track",
            "userId": "ann",
            "event": "Order Completed",
            "properties": {"order_id": "o1", "total": 12.5},
        },
        {
            "type": "track",
            "userId": "ann",
            "event": "Segment Consent Preference Updated",
            "properties": yes,
        },
        {"type": "alias", "userId": "ann", "previousId": "old-ann"},
    )
    store.append_events(
        source_id=source_id, events=[b'{"type": 7, "email": "ann@x.example"}'], now=NOW
    )
    personalization.create_placement(key="hero", kind="offers", by="t", now=NOW, slots=1)
    asked = DecideRequest(placement="hero", identifiers={"user_id": "ann"})
    personalization.decide(request=asked, now=datetime.now(UTC))
    yield store.find_profile(kind="user_id", value="ann").profile_id
    for path in requests.copy_path(0).parent.glob("*.zip"):
        path.unlink()


def ask(profile_id, kind="access"):
    plan = RequestPlan(kind=kind, came_by="call", profile_id=profile_id, verified_by="call_back")
    request = requests.create_request(plan=plan, by="ann", now=datetime.now(UTC))
    requests.ask_copy(request_id=request.request_id, by="ann", now=datetime.now(UTC))
    return request.request_id


def copy_of(profile_id, kind="access"):
    number = ask(profile_id, kind)
    assert copying.make_copies(now=datetime.now(UTC)) == 1
    return zipfile.ZipFile(requests.find_copy_file(request_id=number))


def rows_of(archive, table):
    text = io.StringIO(archive.read(f"csv/{table}.csv").decode(), newline="")
    return list(csv.DictReader(text))


def test_the_copy_holds_every_row_of_every_table_of_the_data_map(her):
    archive = copy_of(her)
    told = json.loads(archive.read("data.json"))
    joined = store.list_joined(profile_id=her)
    in_copy = set(told["tables"])
    named_otherwise = {"store_event_log", "store_quarantine", "store_contact_point"}
    for table in data_map.read_map().tables:
        is_erased = not table.erase.startswith("keep")
        if table.subject and table.personal:
            assert (table.name in in_copy) != (table.name in told["about"]["left_out"]), table.name
        elif is_erased and table.personal:
            known = {*named_otherwise, "store_request_step", *told["about"]["left_out"]}
            assert table.name in known, f"{table.name} is erased but in no copy"
        if table.name in in_copy and table.subject:
            with transaction() as connection:
                query = f"SELECT count(*) FROM {table.name} WHERE {table.subject} = ANY (%s)"
                (held,) = connection.execute(query, [joined]).fetchone()
            # The copy is being made while it is: its own row says so.
            assert len(told["tables"][table.name]["rows"]) == held, table.name
            assert len(rows_of(archive, table.name)) == held, table.name
    assert named_otherwise <= in_copy
    filled = {name for name, table in told["tables"].items() if table["rows"]}
    assert {
        *("store_profile", "store_identifier", "store_claim", "store_consent", "store_event_log"),
        *("store_order", "store_quarantine", "store_activity", "analysis_membership"),
        *("personalization_decision", "store_request", "store_request_step", "store_visit"),
    } <= filled
    text = archive.read("data.json").decode()
    assert '"form":"checkout"' in text.replace("\\", ""), "evidence is opened, not sealed"
    assert "bob@x.example" not in text


def test_the_copy_can_be_read_and_opens_nothing(her):
    archive = copy_of(her)
    page = archive.read("index.html").decode()
    assert "Your orders" in page
    assert "What we use it for" in page
    assert FORMULA not in page, "escaped"
    assert not {"<script", 'http://x.example"', " src=", "@import"} & set(page.split())
    (profile,) = [row for row in rows_of(archive, "store_profile") if row["email"]]
    assert profile["name"].startswith("'=")
    read_me = archive.read("README.txt").decode()
    assert "csv/store_order.csv  1 rows" in read_me
    assert "store_subject_key" in read_me
    receipt = json.loads(archive.read("consent-receipt.json"))
    assert receipt["records"][0]["purpose"] == "marketing.email"
    assert zipfile.ZipFile.testzip(archive) is None


def test_portability_holds_what_she_gave_and_nothing_worked_out(her):
    send(
        store.list_sources()[-1].source_id,
        {
            "type": "track",
            "userId": "ann",
            "event": "Order Completed",
            "properties": {"order_id": "o2", "total": 1},
        },
    )
    archive = copy_of(her, "portability")
    told = json.loads(archive.read("data.json"))
    assert set(told["tables"]) == requests.PROVIDED
    sources = {row["source"] for row in told["tables"]["store_event_log"]["rows"]}
    assert sources == {"Shop"}, "what Amity recorded itself is not hers to take along"
    assert "inferred" not in {row["how"] for row in told["tables"]["store_claim"]["rows"]}
    assert "worked out" in told["about"]["holds"]


def test_a_copy_is_kept_for_a_while_and_goes_with_her(her):
    number = ask(her)
    with pytest.raises(Conflict):
        requests.ask_copy(request_id=number, by="t", now=NOW)
    assert copying.make_copies(now=NOW) == 1
    assert copying.make_copies(now=NOW) == 0
    path = requests.find_copy_file(request_id=number)
    assert path.stat().st_mode & 0o077 == 0
    assert not list(path.parent.glob("*.part")), "nothing half done is left"
    assert requests.forget_copies(now=NOW + timedelta(days=29)) == 0
    assert requests.forget_copies(now=NOW + timedelta(days=31)) == 1
    assert not path.exists()
    with pytest.raises(NotFound):
        requests.find_copy_file(request_id=number)
    requests.ask_copy(request_id=number, by="t", now=NOW)
    copying.make_copies(now=NOW)
    path = requests.find_copy_file(request_id=number)
    other = store.find_profile(kind="user_id", value="bob").profile_id
    erase_customer(profile_id=other, by="t", now=NOW)
    assert path.exists(), "another's erasure leaves it alone"
    erase_customer(profile_id=her, by="t", now=NOW)
    assert not path.exists()
    left = requests.get_request(request_id=number)
    assert (left.request.profile_id, left.request.state) == (None, "done")
    assert left.request.receipt_id == str(store.list_erasures().items[0].receipt_id)
    assert left.steps[-1].what == "erased"


def test_whoever_is_erased_while_her_copy_is_made_leaves_no_copy(her):
    number = ask(her)

    def slow(request, profile_id, copy_id):
        made = copying.make_copy(request, profile_id, copy_id)
        erase_customer(profile_id=her, by="t", now=NOW)
        made.path.write_bytes(b"late")
        return made

    assert requests.make_copies(maker=slow, now=NOW) == 1
    assert not requests.copy_path(1).exists()
    assert requests.get_request(request_id=number).copy.state == "deleted"


def test_a_copy_that_cannot_be_made_says_so_and_can_be_asked_for_anew(her):
    number = ask(her)

    def broken(request, profile_id, copy_id):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        requests.make_copies(maker=broken, now=NOW)
    held = requests.get_request(request_id=number)
    assert (held.copy.state, held.steps[-1].words) == ("failed", "OSError")
    requests.ask_copy(request_id=number, by="t", now=NOW)
    assert copying.make_copies(now=NOW) == 1
