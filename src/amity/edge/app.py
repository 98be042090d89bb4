"""The collector over HTTP (an RSGI application).

The house's own form, which is that of Segment and RudderStack, goes the short way here; what
other vendors' clients send goes through `interpreter`. Whatever the SDKs send is answered as they
expect it: exactly 200 with a verdict on each event once all of it is committed, 429 with
Retry-After when it cannot be taken now, and an error with `code` and `message` otherwise. No
Django here.
"""

import asyncio
import gc
import logging
import multiprocessing
import random
import signal
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import msgspec

from amity.edge import deciding, http, shop, tracker
from amity.edge.gate import Gate
from amity.edge.http import Exchange, Refusal, Scope
from amity.edge.interpreter import Interpreter
from amity.edge.links import PREFIXES, STYLESHEET, Links
from amity.edge.passing import Naming
from amity.edge.routes import Table, tidy
from amity.edge.signups import FORM as SIGN_UP_FORM
from amity.edge.signups import PATH as SIGN_UP
from amity.edge.signups import Signups
from amity.infra.config import Settings, settings
from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging
from amity.kernel.errors import AmityError
from amity.kernel.structs import settle_types
from amity.personalization.hot import Decider
from amity.store.contracts import Receipt, Source
from amity.store.hot import (
    BadEvent,
    Collector,
    Incoming,
    dialects,
    read_instant,
    split_request,
    support_document,
)

_log = logging.getLogger(__name__)
_BODY_SECONDS: Final = 10.0
_DECIDE: Final = "decide"
_SIGN_UP: Final = "sign up"
_SIGN_IN: Final = "sign in"
_GPC: Final = "/.well-known/gpc.json"
_HEALTH: Final = ("/health", "/health/live", "/health/ready")
_GETS: Final = frozenset({*_HEALTH, _GPC, SIGN_UP_FORM, *shop.PATHS})
_CLEAN: Final = b'{"success":true,"accepted":%d,"duplicate":%d,"quarantined":0,"errors":[]}'


class Edge:
    """The application: one collector, one process."""

    def __init__(self) -> None:
        self._collector: Collector | None = None
        self._decider: Decider | None = None
        self._links: Links | None = None
        self._signups: Signups | None = None
        self._gate: Gate | None = None
        self._naming: Naming | None = None
        self._interpreter: Interpreter | None = None
        self._table = Table(())
        # What a POST to an address carries; None is accepted and dropped (the SDKs' own metrics).
        self._posts: dict[str, str | None] = {}
        self._settings: Settings = settings()
        self._deadlines = http.Deadlines(_BODY_SECONDS)
        self._watching: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin in a worker process."""
        # Granian's worker waits for its parent's word to end; a parent that was killed gives none,
        # also while this one was still being loaded.
        starter = multiprocessing.parent_process()
        die_with_parent(signal.SIGKILL, parent=starter.pid if starter else None)
        configure_logging()
        settle_types()
        loop.run_until_complete(self.open())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """End: what was accepted is written first."""
        loop.run_until_complete(self.close())

    async def open(self) -> None:
        """Start the collector with the settings of this process."""
        self._settings = settings()
        self._collector = Collector(self._settings, random.Random())  # noqa: S311  # for spreading
        await self._collector.open()
        self._decider = Decider(self._settings, random.SystemRandom())
        await self._decider.open()
        self._links = Links(self._deadlines)
        self._links.open()
        self._naming = Naming(self._settings)
        self._gate = Gate(self._collector, self._settings, self._deadlines)
        self._signups = Signups(self._collector, self._gate, self._links.in_thread)
        self._interpreter = Interpreter(self._collector, self._gate, lambda: datetime.now(UTC))
        self._table = Table(dialect() for dialect in dialects())
        self._posts = {**self._table.native, deciding.PATH: _DECIDE, SIGN_UP: _SIGN_UP}
        self._posts[shop.SIGN_IN] = _SIGN_IN
        self._watching = asyncio.create_task(self._deadlines.watch())
        # Nothing here is made in circles, so looking for them less often costs no memory.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    async def close(self) -> None:
        """Stop the collector."""
        if self._watching is not None:
            self._watching.cancel()
        # Together: each may have to wait for the database, and there is little time to end.
        parts = (self._links, self._decider, self._collector)
        await asyncio.gather(*(part.close() for part in parts if part is not None))

    @property
    def collector(self) -> Collector:
        """Return the collector of this process."""
        assert self._collector is not None
        return self._collector

    @property
    def decider(self) -> Decider:
        """Return the decider of this process."""
        assert self._decider is not None
        return self._decider

    @property
    def signups(self) -> Signups:
        """Return the signups of this process."""
        assert self._signups is not None
        return self._signups

    @property
    def gate(self) -> Gate:
        """Return the gate of this process."""
        assert self._gate is not None
        return self._gate

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            kind = self._posts.get(scope.path, "") if scope.method == "POST" else ""
            if kind == _DECIDE:
                await self._decide(scope, exchange)
            elif kind == _SIGN_UP:
                await self.signups.take(scope, exchange)
            elif kind == _SIGN_IN:
                await self._sign_in(scope, exchange)
            elif kind:
                await self._collect(scope, exchange, kind)
            elif self._links is not None and _is_link(scope.path):
                await self._links.answer(scope, exchange)
            else:
                await self._other(scope, exchange)
        except Refusal as refusal:
            http.reply_refusal(exchange, refusal)
        except AmityError as error:
            http.reply_refusal(exchange, http.refusal_of(error))
        except Exception as error:
            _log.exception("a request failed: %s", type(error).__name__)
            trouble = self.collector.unavailable("storage")
            http.reply_refusal(exchange, http.refusal_of(trouble))

    async def _decide(self, scope: Scope, exchange: Exchange) -> None:
        key = http.basic_key(scope.headers.get("authorization"))
        source, held = await self.gate.begin(scope, exchange, key)
        try:
            body = await self.gate.read(scope, exchange)
            asked = deciding.read(body)
            if source is None:
                key = asked.write_key or http.query_value(scope.query_string, "writeKey")
                source = await self.gate.let_in(key)
            self.collector.charge(source)
            await deciding.answer(exchange, self.decider, source, asked)
        finally:
            self.collector.release(held)

    async def _sign_in(self, scope: Scope, exchange: Exchange) -> None:
        _, held = await self.gate.begin(scope, exchange, "")
        try:
            body = await self.gate.read(scope, exchange)
            await shop.sign_in(scope, exchange, body, self.collector)
        finally:
            self.collector.release(held)

    async def _collect(self, scope: Scope, exchange: Exchange, kind: str) -> None:
        key = http.basic_key(scope.headers.get("authorization"))
        source, held = await self.gate.begin(scope, exchange, key)
        headers = scope.headers
        try:
            body = await self.gate.read(scope, exchange)
            incoming = _incoming(headers, kind)
            receipt = await self._take(scope, body, incoming, source)
        except Refusal:
            if source is not None:
                self.collector.refuse(source)
            raise
        finally:
            self.collector.release(held)
        _reply_receipt(exchange, receipt)

    async def _take(
        self, scope: Scope, body: bytes, incoming: Incoming, source: Source | None
    ) -> Receipt:
        try:
            request = split_request(body, incoming.kind)
        except BadEvent as fault:
            source = source or await self.gate.let_in(
                http.query_value(scope.query_string, "writeKey")
            )
            if fault.reason != "too_many_events":
                await self.collector.quarantine(source, body, fault, incoming)
                raise BadEvent(fault.reason, fault.message) from fault
            raise Refusal(413, fault.reason, fault.message) from fault
        if source is None:
            key = request.write_key or http.query_value(scope.query_string, "writeKey")
            source = await self.gate.let_in(key)
        assert self._naming is not None
        incoming = self._naming.name(scope, source, incoming, body)
        return await self.collector.append(source, request, incoming)

    async def _other(self, scope: Scope, exchange: Exchange) -> None:
        """Answer everything but events at their usual addresses."""
        path = tidy(scope.path)
        if path in self._posts:
            await self._other_post(scope, exchange, path)
        elif path in _GETS or tracker.is_tracker(path):
            await self._other_get(scope, exchange, path)
        elif (match := self._table.find(scope.path)) is not None:
            assert self._interpreter is not None
            await self._interpreter.answer(scope, exchange, match)
        else:
            raise Refusal(404, "not_found", "there is nothing at this address")

    async def _other_post(self, scope: Scope, exchange: Exchange, path: str) -> None:
        kind = self._posts[path]
        if scope.method == "OPTIONS":
            http.reply_preflight(exchange)
        elif scope.method != "POST":
            raise _not_allowed("POST, OPTIONS")
        elif kind is None:
            await self.gate.drain(exchange, http.content_length(scope.headers))
            http.reply_json(exchange, {"success": True})
        elif kind == _DECIDE:
            await self._decide(scope, exchange)
        elif kind == _SIGN_UP:
            await self.signups.take(scope, exchange)
        elif kind == _SIGN_IN:
            await self._sign_in(scope, exchange)
        else:
            await self._collect(scope, exchange, kind)

    async def _other_get(self, scope: Scope, exchange: Exchange, path: str) -> None:
        if scope.method == "OPTIONS":
            http.reply_preflight(exchange)
        elif scope.method in {"GET", "HEAD"}:
            await self._get(scope, exchange, path)
        else:
            raise _not_allowed("GET, HEAD, OPTIONS")

    async def _get(self, scope: Scope, exchange: Exchange, path: str) -> None:
        if path == "/health/live":
            http.reply_json(exchange, {"status": "live"})
        elif tracker.is_tracker(path):
            tracker.answer(scope, exchange, path)
        elif path in shop.PATHS:
            await shop.answer(exchange, path, collector=self.collector, decider=self.decider)
        elif path == SIGN_UP_FORM:
            await self.signups.show(exchange)
        elif path == _GPC:
            http.reply_json(exchange, support_document())
        else:
            health = self.collector.health()
            content = {
                "status": "ready" if health.is_ready else "not ready",
                **msgspec.to_builtins(health),
                "decisions": msgspec.to_builtins(self.decider.health()),
            }
            http.reply_json(exchange, content, status=200 if health.is_ready else 503)


def _is_link(path: str) -> bool:
    return path.startswith(PREFIXES) or path == STYLESHEET


def _not_allowed(allowed: str) -> Refusal:
    message = f"this address takes {allowed}"
    return Refusal(405, "method_not_allowed", message, (("allow", allowed),))


def _incoming(headers: Any, kind: str) -> Incoming:
    sent_at = headers.get("sentat")
    named = headers.get("anonymousid")
    is_private = headers.get("sec-gpc") == "1"
    if not sent_at and not named:
        return _plain(kind, is_private=True) if is_private else _plain(kind)
    moment = read_instant(sent_at) if sent_at else None
    return Incoming(kind, moment, http.anonymous_id(named), is_private)


_plain: Final = cache(Incoming)


def _reply_receipt(exchange: Exchange, receipt: Receipt) -> None:
    if receipt.quarantined:
        http.reply_json(exchange, {"success": True, **msgspec.to_builtins(receipt)})
    else:
        counts = (receipt.accepted, receipt.duplicate)
        exchange.response_bytes(200, http.OK_HEADERS, _CLEAN % counts)


app = Edge()
