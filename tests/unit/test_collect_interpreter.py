"""Signed dialects: without the right secret nothing of a request is believed."""

import asyncio
import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar

import msgspec
import pytest

from amity.edge.gate import Gate
from amity.edge.http import Deadlines
from amity.edge.interpreter import Interpreter
from amity.edge.routes import Table
from amity.infra.config import settings
from amity.store.contracts import Receipt, Source
from amity.store.dialect import BadEvent, Call, Dialect, Taken, dump
from amity.store.hot import Held

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHOP = Source(
    source_id=7, name="shop", kind="server", write_key="K", is_enabled=True, created_at=NOW
)


class SignedDialect(Dialect):
    name: ClassVar[str] = "signed"
    title: ClassVar[str] = "Signed"
    description: ClassVar[str] = "A vendor that signs."
    is_signed: ClassVar[bool] = True

    def verify(self, call: Call, secret: bytes, now: datetime) -> bool:
        assert now == NOW
        if call.headers.get("x-signature") == "raise":
            raise ValueError("a signature that breaks the check")
        made = hmac.new(secret, call.body, sha256).hexdigest()
        return hmac.compare_digest(made, call.headers.get("x-signature", ""))

    def read(self, call: Call) -> Taken:
        if call.body == b"odd":
            raise BadEvent("not_json")
        if call.body == b"broken":
            raise KeyError("a fault of the dialect")
        return Taken(events=[dump({"type": "track", "event": "Paid", "userId": "u1"})])


class RememberingCollector:
    """Stands in for the collector: knows one source, remembers what it was given."""

    def __init__(self, secret: bytes | None) -> None:
        self.secret = secret
        self.appended: list[bytes] = []
        self.kept: list[str] = []
        self.refused = 0

    def known_source(self, key: str) -> Source | None:
        return SHOP if key == "K" else None

    async def find_source(self, key: str) -> Source | None:
        return self.known_source(key)

    def source_secrets(self, source: Source, dialect: object) -> tuple[bytes, ...]:
        assert source == SHOP
        return (self.secret,) if self.secret else ()

    def admit(self, source: Source) -> None: ...
    def hold(self, size_bytes: int, source: Source | None = None) -> Held:
        return Held(source.source_id if source else 0, size_bytes)

    def release(self, held: Held) -> None: ...

    def refuse(self, source: Source, events: int = 1) -> None:
        self.refused += events

    async def quarantine(self, source: Source, body: bytes, fault: Any, incoming: Any) -> None:
        self.kept.append(fault.reason)

    async def append(self, source: Source, request: Any, incoming: Any) -> Receipt:
        self.appended += request.events
        return Receipt(accepted=len(request.events), duplicate=0, quarantined=0)


class Asking:
    """A request, and the answer to it."""

    method = "POST"
    query_string = ""
    scheme = "http"
    authority = "localhost"

    def __init__(self, path: str, body: bytes, signature: str) -> None:
        self.path = path
        self.headers = {"content-length": str(len(body)), "x-signature": signature}
        self.body = body
        self.status = 0
        self.answer: dict[str, Any] = {}

    async def __call__(self) -> bytes:
        return self.body

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.answer = status, msgspec.json.decode(body)


def ask(
    collector: RememberingCollector, body: bytes, signature: str, path: str = "/hooks/signed/K"
) -> Asking:
    table, asking = Table([SignedDialect()]), Asking(path, body, signature)
    match = table.find(path)
    assert match is not None
    gate = Gate(collector, settings(), Deadlines(5.0))  # type: ignore[arg-type]

    async def run() -> None:
        interpreter = Interpreter(collector, gate, lambda: NOW)  # type: ignore[arg-type]
        await interpreter.answer(asking, asking, match)  # type: ignore[arg-type]

    asyncio.run(run())
    return asking


def sign(body: bytes, secret: bytes = b"secret") -> str:
    return hmac.new(secret, body, sha256).hexdigest()


def test_the_senders_signature_lets_a_request_in():
    collector = RememberingCollector(b"secret")
    assert ask(collector, b"paid", sign(b"paid")).status == 200
    assert len(collector.appended) == 1


@pytest.mark.parametrize(
    "signature", ["", "nonsense", sign(b"other"), sign(b"paid", b"x"), "raise"]
)
@pytest.mark.parametrize("body", [b"paid", b"odd"])
def test_any_other_signature_keeps_it_out(signature, body):
    collector = RememberingCollector(b"secret")
    asking = ask(collector, body, signature)
    assert (asking.status, asking.answer["code"]) == (401, "bad_signature")
    assert (collector.appended, collector.kept, collector.refused) == ([], [], 1)


@pytest.mark.parametrize("secret", [None, b""])
def test_without_a_secret_everything_is_refused(secret):
    collector = RememberingCollector(secret)
    asking = ask(collector, b"paid", sign(b"paid", secret or b""))
    assert (asking.status, asking.answer["code"]) == (401, "no_secret")
    assert collector.appended == []
    assert ask(collector, b"paid", "", "/hooks/signed/unknown").status == 401


@pytest.mark.parametrize(("body", "reason"), [(b"odd", "not_json"), (b"broken", "unreadable")])
def test_a_signed_request_that_cannot_be_read_is_kept(body, reason):
    collector = RememberingCollector(b"secret")
    asking = ask(collector, body, sign(body))
    assert (asking.status, asking.answer["code"]) == (400, reason)
    assert (collector.kept, collector.refused) == ([reason], 0)
