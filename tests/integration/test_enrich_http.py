"""Asking others about customers: about who allows it, with what was agreed, within the rate."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Denied, Invalid, NotFound
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts_hooks import Enrichment, EnrichmentPlan

NOW = datetime.now(UTC)
ADA = hashlib.sha256(b"ada@example.com").hexdigest()


class Provider(http.server.ThreadingHTTPServer):
    """Knows Ada; what it was asked is kept."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.status = 200


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("X-Key", "")))
        is_known = ADA in self.path
        answer = {"company": {"size": 250, "tags": ["tea", {}, "shop"]}, "people": [{"n": "Ada"}]}
        body = json.dumps(answer).encode() if self.server.status == 200 else b"secret words"
        self.send_response(self.server.status if is_known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    with config.override(egress_allow="127.0.0.0/8"):
        yield server
    server.shutdown()
    server.server_close()


def plan(provider: Provider, **changed: Any) -> EnrichmentPlan:
    given: dict[str, Any] = {
        "name": "Panel",
        "url": f"http://127.0.0.1:{provider.server_port}/v1/people?hash={{value}}",
        "key": "email_sha256",
        "purpose": "sharing",
        "lawful_basis": "consent",
        "mapping": {
            "company_size": "company.size",
            "likes": "company.tags",
            "first": "people.0.n",
            "gone": "people.9.n",
        },
        "header": "X-Key",
        "ttl_days": 30,
    }
    return EnrichmentPlan(**given | changed)


def make(provider: Provider, **changed: Any) -> Enrichment:
    source = store.find_source(name="Panel") or store.create_source(name="Panel", kind="server")
    return api_fetching.create_enrichment(
        plan=plan(provider, **changed), source_id=source.source_id, secret="key-1", by="ada"
    )


def send(*events: dict[str, Any]) -> None:
    source = store.find_source(name="Shop") or store.create_source(name="Shop", kind="server")
    raw = [msgspec.json.encode(one) for one in events]
    store.append_events(source_id=source.source_id, events=raw, now=datetime.now(UTC))
    fold()


def fold() -> None:
    while store.fold_batch().events:
        pass
    while store.follow(now=datetime.now(UTC)):
        pass


def person(user: str, email: str | None, *, allows: bool) -> list[dict[str, Any]]:
    said = {"categoryPreferences": {"sharing": allows}}
    return [
        {"type": "identify", "userId": user, "traits": {"email": email} if email else {}},
        {
            "type": "track",
            "userId": user,
            "event": "Segment Consent Preference Updated",
            "properties": said,
        },
    ]


def id_of(user: str) -> int:
    found = store.find_profile(kind="user_id", value=user)
    assert found is not None
    return found.profile_id


def run(one: Enrichment) -> Enrichment:
    while api_fetching.run_enrichment(enrichment_id=one.enrichment_id, now=datetime.now(UTC)):
        pass
    return api_fetching.get_enrichment(enrichment_id=one.enrichment_id)


def test_what_is_answered_becomes_claims_and_nobody_else_is_asked_about(
    db: str, provider: Provider
) -> None:
    one = make(provider)
    send(
        *person("ada", "ada@example.com", allows=True),
        *person("bob", "bob@example.com", allows=False),
        *person("eve", None, allows=True),
        *person("joe", "joe@example.com", allows=True),
        {"type": "identify", "userId": "silent", "traits": {"email": "s@example.com"}},
    )
    users = ["ada", "bob", "eve", "joe", "silent"]
    ids = [id_of(user) for user in users]
    assert api_fetching.ask_enrichment(enrichment_id=one.enrichment_id, profile_ids=ids) == 5
    after = run(one)
    counts = (after.answered, after.unknown, after.withheld, after.failed, after.waiting)
    assert counts == (1, 2, 2, 0, 0)
    joe = hashlib.sha256(b"joe@example.com").hexdigest()
    assert sorted(provider.asked) == sorted(
        [(f"/v1/people?hash={each}", "key-1") for each in (ADA, joe)]
    )
    fold()
    ada = store.get_profile(profile_id=id_of("ada"))
    assert ada.traits["company_size"] == 250
    assert ada.traits["likes"] == ["tea", "shop"]
    assert ada.traits["first"] == "Ada"
    assert "gone" not in ada.traits
    truths = {t.trait: t for t in store.list_claims(profile_id=ada.profile_id, now=NOW)}
    [claim] = truths["company_size"].claims
    assert (claim.lawful_basis, claim.confidence) == ("consent", pytest.approx(0.7))
    assert claim.provenance == "Panel (127.0.0.1)"
    assert claim.expires_at is not None
    assert claim.expires_at > NOW + timedelta(days=29)
    problems = api_fetching.list_enrichment_problems(enrichment_id=one.enrichment_id)
    assert {state for _, state, _ in problems} == {"unknown", "withheld"}


def test_those_who_are_seen_are_asked_about_once(db: str, provider: Provider) -> None:
    send(*person("old", "old@example.com", allows=True))
    one = make(provider, is_automatic=True)
    send(*person("ada", "ada@example.com", allows=True))
    assert run(one).answered == 1
    fold()
    assert run(one).waiting == 0
    assert len(provider.asked) == 1
    with transaction() as connection:
        connection.execute("UPDATE store_enrichment_ask SET asked_at = now() - interval '31 days'")
    send({"type": "track", "userId": "ada", "event": "Seen"})
    run(one)
    assert len(provider.asked) == 2, "what was answered is too old"


def test_failures_are_told_and_the_rate_is_kept(db: str, provider: Provider) -> None:
    one = make(provider, per_minute=2)
    send(*person("ada", "ada@example.com", allows=True))
    provider.status = 500
    api_fetching.ask_enrichment(enrichment_id=one.enrichment_id, profile_ids=[id_of("ada")])
    failing = run(one)
    assert (failing.waiting, failing.answered) == (1, 0)
    assert "500" in failing.failure
    assert "secret words" not in failing.failure
    provider.status = 401
    with transaction() as connection:
        connection.execute("UPDATE store_enrichment_ask SET next_at = now()")
    failing = run(one)
    assert (failing.failed, len(provider.asked)) == (1, 2)
    provider.status = 200
    api_fetching.ask_enrichment(enrichment_id=one.enrichment_id, profile_ids=[id_of("ada")])
    assert run(one).failed == 0
    send(*(each for n in range(4) for each in person(f"u{n}", f"u{n}@example.com", allows=True)))
    ids = [id_of(f"u{n}") for n in range(4)]
    api_fetching.ask_enrichment(enrichment_id=one.enrichment_id, profile_ids=ids)
    assert run(one).waiting >= 3, "two a minute"
    api_fetching.switch_enrichment(enrichment_id=one.enrichment_id, is_enabled=False)
    assert api_fetching.run_enrichments(now=NOW) == 0


def test_what_cannot_be_asked_is_refused(db: str, provider: Provider) -> None:
    one = make(provider)
    with pytest.raises(Conflict):
        make(provider, name="PANEL")
    for wrong in (
        {"name": " "},
        {"url": "https://{value}.example.com/x"},
        {"url": "https://example.com/x"},
        {"key": "name"},
        {"purpose": " "},
        {"lawful_basis": "because"},
        {"mapping": {}},
        {"header": "X Key"},
        {"confidence": 2},
    ):
        with pytest.raises(Invalid):
            make(provider, **({"name": "other"} | wrong))
    with config.override(egress_allow=""), pytest.raises(Denied):
        make(provider, name="inside")
    with transaction() as connection:
        row = connection.execute("SELECT secret FROM store_enrichment").fetchone()
    assert row is not None
    assert b"key-1" not in bytes(row[0])
    api_fetching.delete_enrichment(enrichment_id=one.enrichment_id)
    with pytest.raises(NotFound):
        api_fetching.get_enrichment(enrichment_id=one.enrichment_id)
