"""Erasing one person who went through everything: no byte of her is left, in twelve encodings."""

import base64
import hashlib
import json
import quopri
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import quote

import msgspec
import psycopg
import pytest
from django.db import connections

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.infra import config, database
from amity.infra.postgres import OWNER
from amity.infra.warehouse_writing import ensure_exports, export_all
from amity.personalization import api as personalization
from amity.personalization.contracts import DecideRequest
from amity.store import api as store
from amity.store import api_outbound
from amity.store import api_requests as requests
from amity.store.contracts_outbound import OutboundPlan
from amity.store.contracts_requests import RequestFilter, RequestPlan
from amity.store.logic.outbound.message import make_message
from amity.web.erasing import erase_customer, replay_erasures, work_off_erasures
from amity.web.requests import copying
from amity.web.warehousing import list_exports

NOW = datetime.now(UTC).replace(microsecond=0)
TOKEN = "zqxjvkwyphq"
EMAIL = f"{TOKEN}.mail@{TOKEN}host.example"
PHONE = "+4930987654321"
USER, ANON = f"user-{TOKEN}", f"anon-{TOKEN}"
NAME = f"Zoë {TOKEN.capitalize()}"


def encodings() -> dict[str, bytes]:
    """What to look for: the token, the address and the number as others would write them."""
    token, email = TOKEN.encode(), EMAIL.encode()
    found = {
        "utf-8": token,
        "utf-16-le": TOKEN.encode("utf-16-le"),
        "utf-16-be": TOKEN.encode("utf-16-be"),
        "upper": token.upper(),
        "url": quote(EMAIL, safe="").encode(),
        "hex": token.hex().encode(),
        "quoted-printable": quopri.encodestring(email, quotetabs=True).strip(),
        "json": json.dumps(NAME).encode()[1:-1],
        "reversed-domain": ".".join(reversed(EMAIL.split("@")[1].split("."))).encode(),
        "sha256": hashlib.sha256(email.lower()).hexdigest().encode(),
        "md5": hashlib.md5(email.lower(), usedforsecurity=False).hexdigest().encode(),
        "e164": PHONE.encode(),
        "national": b"030987654321",
    }
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + token)
        found[f"base64+{shift}"] = coded[4 if shift else 0 : len(coded) - 4]
    return found


def hits(content: bytes) -> list[str]:
    lower = content.lower()
    return [
        name
        for name, needle in encodings().items()
        if (needle in content if name.startswith("base64") else needle.lower() in lower)
    ]


def dump() -> dict[str, list[str]]:
    """Every table as COPY writes it, binary too, so that no encoding of text hides anything."""
    found = {}
    with database.transaction("owner") as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p')"
                " AND relnamespace = 'public'::regnamespace AND NOT relispartition"
            )
        ]
        for table in tables:
            for form in ("text", "binary"):
                query = f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT {form})"
                with connection.cursor().copy(query) as copy:
                    names = hits(b"".join(bytes(part) for part in copy))
                if names:
                    found[f"{table} ({form})"] = names
    return found


def scan(folder, *, without=()) -> dict[str, list[str]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in path.parts for part in without):
            names = hits(path.read_bytes())
            if names:
                found[str(path.relative_to(folder))] = names
    return found


def database_files(server):
    """The files of this test's own database; the journal (WAL) is not among them."""
    with database.transaction() as connection:
        row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        oid = row.fetchone()[0]
    return server.folder / "base" / str(oid)


def settle():
    for _ in range(50):
        handled = store.fold_batch().events + store.follow(now=datetime.now(UTC))
        handled += store.write_consents(now=datetime.now(UTC))
        handled += analysis.follow_batch(now=datetime.now(UTC)).events
        handled += analysis.follow_scores(now=datetime.now(UTC)).events
        handled += personalization.reward_batch(now=datetime.now(UTC)).events
        handled += broadcast.follow_batch(now=datetime.now(UTC)).events
        handled += api_outbound.queue_deliveries(now=datetime.now(UTC))
        if not handled:
            return
    raise AssertionError("the consumers never came to rest")


def send(source_id, *events):
    bodies = [msgspec.json.encode(event) for event in events]
    store.append_events(source_id=source_id, events=bodies, now=datetime.now(UTC))
    settle()


def track(name, properties=None, **ids):
    return {"type": "track", "event": name, "properties": properties or {}, **ids}


@pytest.fixture
def shop(db, server):
    (server.data / "erasures.jsonl").unlink(missing_ok=True)
    with config.override(egress_allow="127.0.0.0/8"):
        yield store.create_source(name="Shop", kind="server").source_id
    for name in ("warehouse", "imports", "exports", "requests"):
        for path in sorted((server.data / name).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def person(source_id, *, user, anon, email, phone, name):
    """Send one person through everything that comes in as an event."""
    send(
        source_id,
        track("Product Viewed", {"sku": "1", "by": name}, anonymousId=anon),
        {
            "type": "identify",
            "userId": user,
            "anonymousId": anon,
            "traits": {"email": email, "phone": phone, "name": name, "nick": name.upper()},
            "context": {"ip": "203.0.113.9", "userAgent": f"browser of {name}"},
        },
        track("Order Completed", {"order_id": f"o-{user}", "total": 12.5}, userId=user),
        track(
            "Segment Consent Preference Updated",
            {"categoryPreferences": {"marketing.email": True, "sharing": True}, "form": email},
            userId=user,
        ),
    )
    return store.find_profile(kind="user_id", value=user).profile_id


def go_through_everything(source_id) -> int:
    """Bring her into every feature there is; return her profile."""
    api_outbound.create_endpoint(
        plan=OutboundPlan(
            name="crm", url="http://127.0.0.1:9/hook", events=["*"], purpose="sharing"
        ),
        by="t",
    )
    analysis.create_segment(
        name="Buyers",
        rule={"node": "did", "event": "Order Completed", "within_days": 30},
        by="t",
        now=NOW,
    )
    her = person(source_id, user=USER, anon=ANON, email=EMAIL, phone=PHONE, name=NAME)
    send(source_id, {"type": "identify", "anonymousId": f"{ANON}2", "traits": {"email": EMAIL}})
    send(source_id, {"type": "alias", "userId": USER, "previousId": f"old-{TOKEN}"})
    store.append_events(
        source_id=source_id, events=[f'{{"type": 7, "userId": "{USER}"}}'.encode()], now=NOW
    )
    import_file(source_id)
    decide_and_write(her)
    ask_for_data(her)
    ensure_exports(list_exports())
    export_all(list_exports())
    return her


def ask_for_data(her):
    """Have her ask for a copy, which lies there, and for something that is refused."""
    for kind in ("access", "rectification"):
        plan = RequestPlan(
            kind=kind, came_by="mail", profile_id=her, verified_by="document", wish=f"I am {NAME}"
        )
        asked = requests.create_request(plan=plan, by="t", now=NOW).request_id
        requests.note_on_request(request_id=asked, words=f"wrote from {EMAIL}", by="t", now=NOW)
        if kind == "access":
            requests.ask_copy(request_id=asked, by="t", now=NOW)
        else:
            requests.refuse_request(request_id=asked, reason=f"no, {NAME}", by="t", now=NOW)
    assert copying.make_copies(now=NOW) == 1
    assert list(requests.copy_path(1).parent.glob("*.zip"))
    settle()


def import_file(source_id):
    body = f"email,phone,name\n{EMAIL},{PHONE},{NAME}\nno-address-{TOKEN},,\n"
    store.create_import(
        content=body.encode(),
        file_name=f"{TOKEN}.csv",
        connector="customers",
        source_id=source_id,
        mapping={"email": "email", "phone": "phone", "name": "name"},
    )
    while store.run_waiting_imports():
        pass
    settle()


def decide_and_write(her):
    personalization.create_placement(key="hero", kind="offers", by="t", now=NOW, slots=1)
    for identifiers in ({"user_id": USER}, {"anonymous_id": f"unseen-{TOKEN}", "email": EMAIL}):
        request = DecideRequest(placement="hero", identifiers=identifiers)
        personalization.decide(request=request, now=NOW)
    made = broadcast.create_template(
        name="Letter", subject="Hello {{ customer.name }}", source="<p>Hi</p>", by="t", now=NOW
    )
    queued = broadcast.queue_test(
        template_id=made.template_id, to=EMAIL, profile_id=her, by="t", now=NOW
    )
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", EMAIL, f"Hello {NAME}"
    mail.set_content(f"Dear {NAME}, with = signs and ü", cte="quoted-printable")
    with database.transaction("owner") as connection:
        for send_id in (queued.send_id, None):
            connection.execute(
                "INSERT INTO broadcast_mailbox (recipient, subject, send_id, raw)"
                " VALUES (%s, %s, %s, %s)",
                [EMAIL, f"Hello {NAME}", send_id, mail.as_bytes()],
            )
        connection.execute(
            "UPDATE broadcast_send SET state = 'failed', reply = %s, subject = %s",
            [f"550 no such user {EMAIL}", f"Hello {NAME}"],
        )


def test_no_byte_of_her_is_left(shop, server):
    bob = person(
        shop, user="bob", anon="b-1", email="bob@shop.example", phone="+4930111", name="Bob Bell"
    )
    before = store.get_profile(profile_id=bob)
    her = go_through_everything(shop)
    files = database_files(server)
    checkpoint()
    assert dump(), "the search finds her while she is there"
    assert scan(files), "in the database's files too"
    assert scan(server.data, without=("postgres",)), "and in the others"

    began = time.monotonic()
    counts = erase_customer(profile_id=her, by="t", now=datetime.now(UTC))
    checkpoint()
    assert scan(files), "deleted rows still lie in the files until their space is written anew"
    assert work_off_erasures(now=datetime.now(UTC)) == 1
    assert time.monotonic() - began < 60
    assert counts["store_event_log"] > 5

    assert dump() == {}
    assert scan(server.data, without=("postgres",)) == {}
    assert not list(requests.copy_path(1).parent.glob("*.zip"))
    kept = requests.list_requests(filters=RequestFilter(), now=NOW).items
    assert {(each.profile_id, each.wish, bool(each.receipt_id)) for each in kept} == {
        (None, "", True)
    }
    checkpoint()
    assert scan(files) == {}
    assert store.get_profile(profile_id=bob) == before
    assert store.verify_consents().is_whole


def test_an_older_database_put_back_is_mended_before_it_serves(shop, server):
    her = person(shop, user=USER, anon=ANON, email=EMAIL, phone=PHONE, name=NAME)
    bob = person(shop, user="bob", anon="b", email="bob@x.example", phone="+4930111", name="Bob")
    older = copy_database(server)
    erase_customer(profile_id=her, by="t", now=datetime.now(UTC))
    # She came back by herself, later: that is somebody new, and stays.
    newcomer = person(shop, user=USER, anon=ANON, email=EMAIL, phone=PHONE, name=NAME)
    assert replay_erasures(now=datetime.now(UTC)).receipts == 0
    assert store.get_profile(profile_id=newcomer).email == EMAIL
    with using(server, older):
        assert store.find_profile(kind="email", value=EMAIL) is not None
        done = replay_erasures(now=datetime.now(UTC))
        assert (done.receipts, done.erased) == (1, 1)
        assert store.find_profile(kind="email", value=EMAIL) is None
        work_off_erasures(now=datetime.now(UTC))
        assert dump() == {}
        assert store.get_profile(profile_id=bob).name == "Bob"
        assert replay_erasures(now=datetime.now(UTC)).receipts == 0


def test_the_receipt_is_signed_and_names_nobody(shop, server):
    her = person(shop, user=USER, anon=ANON, email=EMAIL, phone=PHONE, name=NAME)
    erase_customer(profile_id=her, by="t", now=datetime.now(UTC))
    (kept,) = store.read_receipts()
    listed = store.list_erasures().items[0]
    assert store.get_receipt(receipt_id=listed.receipt_id) == kept
    assert store.is_genuine(kept)
    assert not store.is_genuine(msgspec.structs.replace(kept, counts={}))
    assert hits(msgspec.json.encode(kept)) == []
    with (server.data / "erasures.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(msgspec.structs.replace(kept, receipt_id="x")) + b'\n{"cut')
    assert store.read_receipts() == [kept]


def test_an_erasure_that_was_cut_short_is_carried_on(shop):
    her = person(shop, user=USER, anon=ANON, email=EMAIL, phone=PHONE, name=NAME)
    analysis.create_segment(
        name="Buyers",
        rule={"node": "did", "event": "Order Completed", "within_days": 30},
        by="t",
        now=NOW,
    )
    settle()
    assert analysis.list_memberships(profile_id=her)
    store.erase_profile(profile_id=her, by="t", now=datetime.now(UTC))  # and no further
    assert work_off_erasures(now=datetime.now(UTC)) == 1
    assert not analysis.list_memberships(profile_id=her)
    assert store.list_unfinished_erasures() == {}


def test_others_are_told_without_an_identifier(shop):
    api_outbound.create_endpoint(
        plan=OutboundPlan(name="crm", url="http://127.0.0.1:9/x", events=["Customer Erased"]),
        by="t",
    )
    her = person(shop, user=USER, anon=ANON, email=EMAIL, phone=PHONE, name=NAME)
    erase_customer(profile_id=her, by="t", now=datetime.now(UTC))
    (queued,) = api_outbound.list_deliveries(
        endpoint_id=api_outbound.list_endpoints()[0].endpoint_id
    ).items
    assert (queued.name, queued.state) == ("Customer Erased", "waiting")
    (content,) = told(queued.event_id)
    body = make_message(content, "standard_webhooks", 1).body
    said = msgspec.json.decode(body)["data"]
    assert said["subject"] == store.read_receipts()[0].subject
    assert said["profile_ids"][0] == her
    assert hits(body) == []


def told(event_id):
    from amity.store.logic.outbound.delivering import _Claim, _read_contents

    claim = _Claim(1, 1, event_id, 0, 0, 1, 1)
    with database.transaction() as connection:
        return list(_read_contents(connection, [claim]).values())


def copy_database(server) -> str:
    database.close_pools()
    connections.close_all()
    name = f"{database.database_name()}_older"
    with psycopg.connect(server.conninfo(OWNER, database="postgres"), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {database.database_name()}")
    return name


@contextmanager
def using(server, name):
    present = database.database_name()
    database.use_database(name)
    yield
    database.use_database(present)
    with psycopg.connect(server.conninfo(OWNER, database="postgres"), autocommit=True) as owner:
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


def checkpoint():
    with psycopg.connect(database.conninfo("owner"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
