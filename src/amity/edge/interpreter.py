"""Requests in the dialects of other vendors: let in, read, committed, answered as they expect.

What stands in `amity.store.dialect` says what the requests mean; here is all that needs a clock,
the collector or HTTP. Only addresses that are not those of the house's own form come here.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from amity.edge import http
from amity.edge.gate import Gate
from amity.edge.http import Exchange, Refusal, Scope
from amity.edge.routes import WRITE_KEY, Match
from amity.kernel.errors import AmityError
from amity.store.contracts import Receipt, Source
from amity.store.hot import (
    BATCH,
    CALL,
    MAX_EVENTS,
    BadEvent,
    Call,
    Collector,
    Dialect,
    Incoming,
    Reply,
    Request,
    Taken,
    pack_call,
)

_log = logging.getLogger(__name__)
_MOST_FIELDS: Final = 200
_NOTHING: Final = Receipt(accepted=0, duplicate=0, quarantined=0)


class Interpreter:
    """Serves the addresses of the dialects; ``clock`` says now, for signatures."""

    def __init__(self, collector: Collector, gate: Gate, clock: Callable[[], datetime]) -> None:
        self._collector = collector
        self._gate = gate
        self._clock = clock

    async def answer(self, scope: Scope, exchange: Exchange, match: Match) -> None:
        """Answer one request to an address of a dialect."""
        headers = scope.headers
        origin = headers.get("origin")
        if scope.method == "OPTIONS":
            _reply_options(scope, exchange, match)
            return
        found = match.methods.get("GET" if scope.method == "HEAD" else scope.method)
        if found is None:
            allowed = ", ".join(sorted({*match.methods, "OPTIONS"}))
            message = f"this address takes {allowed}"
            raise Refusal(405, "method_not_allowed", message, (("allow", allowed),))
        dialect, parts = found
        try:
            reply = await self._serve(scope, exchange, dialect, parts)
        except Refusal as refusal:
            reply = _refused(dialect, refusal)
        except AmityError as error:
            reply = _refused(dialect, http.refusal_of(error))
        body = b"" if scope.method == "HEAD" else reply.body
        exchange.response_bytes(reply.status, [*reply.headers, *http.cors(origin)], body)

    async def _serve(
        self, scope: Scope, exchange: Exchange, dialect: Dialect, parts: dict[str, str]
    ) -> Reply:
        call = _call(scope, parts)
        key = _head_key(call)
        if call.method in {"GET", "HEAD"}:
            if dialect.is_signed:
                raise Refusal(405, "method_not_allowed", "what is signed is sent by POST")
            return await self._take(dialect, call, None, key)
        source, held = await self._gate.begin(scope, exchange, key)
        try:
            body = await self._gate.read(scope, exchange)
            whole = _call(scope, parts, body)
            if dialect.is_signed:
                self._check_signature(dialect, whole, source)
            return await self._take(dialect, whole, source, key)
        except Refusal:
            if source is not None:
                self._collector.refuse(source)
            raise
        finally:
            self._collector.release(held)

    def _check_signature(self, dialect: Dialect, call: Call, source: Source | None) -> None:
        """Refuse what is not signed with a secret of the source; without a secret, everything."""
        secrets = self._collector.source_secrets(source, dialect) if source is not None else ()
        if not secrets:
            message = "this source has no secret to check signatures with"
            raise Refusal(401, "no_secret", message)
        now = self._clock()
        try:
            is_good = any(dialect.verify(call, secret, now) for secret in secrets)
        except Exception as error:
            _log.exception("a signature could not be checked: %s", type(error).__name__)
            is_good = False
        if not is_good:
            raise Refusal(401, "bad_signature", "the signature is not the sender's, or too old")

    async def _take(self, dialect: Dialect, call: Call, source: Source | None, key: str) -> Reply:
        try:
            taken = _read(dialect, call)
        except BadEvent as fault:
            source = source or await self._gate.let_in(key or dialect.find_key(call))
            await self._collector.quarantine(
                source, pack_call(dialect, call), fault, Incoming(CALL)
            )
            # The sender is told as of any request that says nothing; it is counted already.
            return _refused(dialect, Refusal(400, fault.reason, fault.message))
        key = key or taken.write_key
        if taken.is_question:
            return dialect.answer(call, source or await self._identify(call, key))
        if len(taken.events) > MAX_EVENTS:
            message = f"more than {MAX_EVENTS} events in one request"
            raise Refusal(413, "too_many_events", message)
        if call.method == "HEAD":
            return dialect.reply(call, _NOTHING)
        source = source or await self._gate.let_in(key)
        if dialect.is_for_servers and source.kind != "server":
            raise Refusal(403, "server_key_needed", "this takes the key of a server source")
        self._collector.hold(0)
        request = Request(taken.events, key, taken.sent_at)
        incoming = Incoming(BATCH, is_private=call.headers.get("sec-gpc") == "1")
        receipt = await self._collector.append(source, request, incoming)
        return dialect.reply(call, receipt)

    async def _identify(self, call: Call, key: str) -> Source:
        """Return the source that something is asked for, whether it may send now or not."""
        source = await self._collector.find_source(key) if key else None
        if source is None:
            # To whoever only looks, there is nothing at such an address.
            status = 404 if call.method in {"GET", "HEAD"} else 401
            raise Refusal(status, "unknown_write_key", "this write key belongs to no source")
        return source


def _read(dialect: Dialect, call: Call) -> Taken:
    """Return what a request says; a dialect that fails is a request which cannot be read."""
    try:
        return dialect.read(call)
    except BadEvent:
        raise
    except Exception as error:
        _log.exception("%s failed to read a request: %s", dialect.name, type(error).__name__)
        raise BadEvent("unreadable", "the request could not be read; it is kept") from error


def _call(scope: Scope, parts: dict[str, str], body: bytes = b"") -> Call:
    try:
        pairs = parse_qsl(scope.query_string, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Refusal(400, "bad_query", "the query has too many fields") from error
    return Call(
        method=scope.method,
        path=scope.path,
        query=dict(pairs),
        headers=dict(scope.headers.items()),
        body=body,
        parts=parts,
        host=scope.headers.get("host") or scope.authority or "",
        scheme=scope.scheme,
    )


def _head_key(call: Call) -> str:
    """Return the write key that stands in the address or the headers, "" when none does."""
    authorization = call.headers.get("authorization")
    return (
        call.parts.get(WRITE_KEY)
        or http.basic_key(authorization)
        or http.bearer(authorization)
        or call.query.get("writeKey")
        or call.query.get("access_token", "")
    )


def _refused(dialect: Dialect, refusal: Refusal) -> Reply:
    body = dialect.refuse(refusal.status, refusal.code, refusal.message)
    headers = (("content-type", "application/json"), *refusal.extra)
    return Reply(status=refusal.status, headers=headers, body=body)


def _reply_options(scope: Scope, exchange: Exchange, match: Match) -> None:
    """Answer a browser's preflight, or a sender that asks whether it may send."""
    asked = scope.headers.get("access-control-request-method")
    dialect, parts = next(iter(match.methods.values()))
    greeting = None if asked else dialect.greet(_call(scope, parts))
    if greeting is None:
        http.reply_preflight_to(exchange, scope.headers, [*match.methods, "OPTIONS"])
    else:
        exchange.response_bytes(greeting.status, list(greeting.headers), greeting.body)
