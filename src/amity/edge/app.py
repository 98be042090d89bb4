"""The collector over HTTP, in the dialects of Segment and RudderStack (an RSGI application).

Whatever the SDKs send is answered as they expect it: exactly 200 with a verdict on each event
once all of it is committed, 429 with Retry-After when it cannot be taken now, and an error with
`code` and `message` otherwise. No Django here.
"""

import asyncio
import contextlib
import gc
import logging
import random
import signal
from typing import Any, Final

import msgspec

from amity.edge import deciding, http, shop
from amity.edge.http import Exchange, Refusal, Scope
from amity.edge.links import PREFIXES, STYLESHEET, Links
from amity.infra.config import Settings, settings
from amity.infra.process import die_with_parent
from amity.infra.telemetry import configure_logging
from amity.kernel.errors import AmityError
from amity.personalization.hot import Decider
from amity.store.contracts import Receipt, Source
from amity.store.hot import BATCH, BadEvent, Collector, Incoming, read_instant, split_request

_log = logging.getLogger(__name__)
_BODY_SECONDS: Final = 10.0
_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")
# What a POST to an address carries; None is accepted and dropped (the SDKs' own metrics).
_POSTS: Final[dict[str, str | None]] = {
    **{f"/v1/{name}": name for name in _TYPES},
    **{f"/v1/{name[0]}": name for name in _TYPES},
    **dict.fromkeys(("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"), BATCH),
    **dict.fromkeys(("/v1/m", "/rsaMetrics", "/v1/rsaMetrics")),
}
_DECIDE: Final = "decide"
_POSTS[deciding.PATH] = _DECIDE
_GETS: Final = frozenset({"/health", "/health/live", "/health/ready", "/sourceConfig", *shop.PATHS})
_CLEAN: Final = b'{"success":true,"accepted":%d,"duplicate":%d,"quarantined":0,"errors":[]}'


class Edge:
    """The application: one collector, one process."""

    def __init__(self) -> None:
        self._collector: Collector | None = None
        self._decider: Decider | None = None
        self._links: Links | None = None
        self._settings: Settings = settings()
        self._deadlines = http.Deadlines(_BODY_SECONDS)
        self._watching: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin in a worker process."""
        # Granian's worker waits for its parent's word to end; a parent that was killed gives none.
        die_with_parent(signal.SIGKILL)
        configure_logging()
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

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            kind = _POSTS.get(scope.path, "") if scope.method == "POST" else ""
            if kind == _DECIDE:
                await self._decide(scope, exchange)
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

    async def _begin(self, scope: Scope, exchange: Exchange) -> tuple[Source | None, int]:
        """Let a request in as far as its head says who sends it; return how many bytes it holds."""
        announced = http.content_length(scope.headers)
        key = http.basic_key(scope.headers.get("authorization"))
        source: Source | None = None
        held = min(announced or self._settings.max_batch_bytes, self._settings.max_batch_bytes)
        try:
            if key:
                known = self.collector.known_source(key)
                source = self._admit(known) if known else await self._let_in(key)
            self.collector.hold(held)
        except (AmityError, Refusal):
            await self._drain(exchange, announced)
            raise
        return source, held

    async def _decide(self, scope: Scope, exchange: Exchange) -> None:
        source, held = await self._begin(scope, exchange)
        try:
            body = await self._read(scope, exchange)
            asked = deciding.read(body)
            if source is None:
                key = asked.write_key or http.query_value(scope.query_string, "writeKey")
                source = await self._let_in(key)
            self.collector.charge(source)
            await deciding.answer(exchange, self.decider, source, asked)
        finally:
            self.collector.release(held)

    async def _collect(self, scope: Scope, exchange: Exchange, kind: str) -> None:
        source, held = await self._begin(scope, exchange)
        headers = scope.headers
        try:
            body = await self._read(scope, exchange)
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
            source = source or await self._let_in(http.query_value(scope.query_string, "writeKey"))
            if fault.reason != "too_many_events":
                await self.collector.quarantine(source, body, fault, incoming)
                raise BadEvent(fault.reason, fault.message) from fault
            raise Refusal(413, fault.reason, fault.message) from fault
        if source is None:
            key = request.write_key or http.query_value(scope.query_string, "writeKey")
            source = await self._let_in(key)
        return await self.collector.append(source, request, incoming)

    async def _let_in(self, write_key: str) -> Source:
        """Return the source of a key, or refuse it."""
        if not write_key:
            raise Refusal(401, "missing_write_key", "send the source's write key")
        source = await self.collector.find_source(write_key)
        if source is None:
            raise Refusal(401, "unknown_write_key", "this write key belongs to no source")
        return self._admit(source)

    def _admit(self, source: Source) -> Source:
        """Return the source when it may send now, or refuse it."""
        if not source.is_enabled:
            self.collector.refuse(source)
            raise Refusal(404, "source_disabled", "this source is disabled")
        try:
            self.collector.admit(source)
        except AmityError:
            self.collector.refuse(source)
            raise
        return source

    async def _read(self, scope: Scope, exchange: Exchange) -> bytes:
        most = self._settings.max_batch_bytes
        announced = http.content_length(scope.headers)
        if announced is not None and announced <= most:
            body = await self._deadlines.keep(exchange())
        else:
            body = await self._deadlines.keep(http.read_body(exchange, announced, most))
        encoding = scope.headers.get("content-encoding")
        return http.inflate(body, encoding, self._settings.max_inflated_bytes)

    async def _drain(self, exchange: Exchange, announced: int | None) -> None:
        """Let a client that is refused finish writing, so that it sees the answer."""
        with contextlib.suppress(Refusal):
            most = self._settings.max_batch_bytes
            await self._deadlines.keep(http.read_body(exchange, announced, most))

    async def _other(self, scope: Scope, exchange: Exchange) -> None:
        """Answer everything but events at their usual addresses."""
        path = scope.path.replace("//", "/").rstrip("/")
        known = path in _POSTS or path in _GETS or _is_settings(path)
        if not known:
            raise Refusal(404, "not_found", "there is nothing at this address")
        if scope.method == "OPTIONS":
            http.reply_preflight(exchange)
        elif scope.method == "POST" and path in _POSTS:
            kind = _POSTS[path]
            if kind is None:
                await self._drain(exchange, http.content_length(scope.headers))
                http.reply_json(exchange, {"success": True})
            elif kind == _DECIDE:
                await self._decide(scope, exchange)
            else:
                await self._collect(scope, exchange, kind)
        elif scope.method in {"GET", "HEAD"} and path not in _POSTS:
            await self._get(scope, exchange, path)
        else:
            allowed = "POST, OPTIONS" if path in _POSTS else "GET, HEAD, OPTIONS"
            message = f"this address takes {allowed}"
            raise Refusal(405, "method_not_allowed", message, (("allow", allowed),))

    async def _get(self, scope: Scope, exchange: Exchange, path: str) -> None:
        if path == "/health/live":
            http.reply_json(exchange, {"status": "live"})
        elif path in {"/health", "/health/ready"}:
            health = self.collector.health()
            status = 200 if health.is_ready else 503
            words = "ready" if health.is_ready else "not ready"
            content = {
                "status": words,
                **msgspec.to_builtins(health),
                "decisions": msgspec.to_builtins(self.decider.health()),
            }
            http.reply_json(exchange, content, status=status)
        elif path in shop.PATHS:
            await shop.answer(exchange, path, collector=self.collector, decider=self.decider)
        elif path == "/sourceConfig":
            key = http.basic_key(scope.headers.get("authorization"))
            key = key or http.query_value(scope.query_string, "writeKey")
            http.reply_json(exchange, _rudder_config(await self._known(key)))
        else:
            source = await self._known(path.split("/")[3])
            host = scope.headers.get("host") or scope.authority or ""
            http.reply_json(exchange, _segment_settings(source, scope.scheme, host))

    async def _known(self, write_key: str) -> Source:
        source = await self.collector.find_source(write_key) if write_key else None
        if source is None:
            raise Refusal(404, "unknown_write_key", "this write key belongs to no source")
        return source


def _is_link(path: str) -> bool:
    return path.startswith(PREFIXES) or path == STYLESHEET


def _is_settings(path: str) -> bool:
    return path.startswith("/v1/projects/") and path.endswith("/settings") and path.count("/") == 4


def _incoming(headers: Any, kind: str) -> Incoming:
    sent_at = headers.get("sentat")
    named = headers.get("anonymousid")
    if not sent_at and not named:
        return _PLAIN[kind]
    return Incoming(kind, read_instant(sent_at) if sent_at else None, http.anonymous_id(named))


_PLAIN: Final = {kind: Incoming(kind) for kind in (*_TYPES, BATCH)}


def _reply_receipt(exchange: Exchange, receipt: Receipt) -> None:
    if receipt.quarantined:
        http.reply_json(exchange, {"success": True, **msgspec.to_builtins(receipt)})
    else:
        counts = (receipt.accepted, receipt.duplicate)
        exchange.response_bytes(200, http.OK_HEADERS, _CLEAN % counts)


def _segment_settings(source: Source, scheme: str, host: str) -> dict[str, Any]:
    """What analytics-next asks for before it sends anything (`GET …/settings`)."""
    sender = {"apiKey": source.write_key, "apiHost": f"{host}/v1", "protocol": scheme}
    return {
        "integrations": {"Segment.io": sender},
        "plan": {"track": {"__default": {"enabled": True}}, "identify": {}, "group": {}},
    }


def _rudder_config(source: Source) -> dict[str, Any]:
    """What RudderStack's browser SDK asks for before it sends anything (`GET /sourceConfig`)."""
    return {
        "source": {
            "id": str(source.source_id),
            "name": source.name,
            "writeKey": source.write_key,
            "config": {
                "statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}
            },
            "enabled": source.is_enabled,
            "workspaceId": "amity",
            "destinations": [],
        }
    }


app = Edge()
