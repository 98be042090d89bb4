"""Who is let in, and how much of what they send: keys, bytes held, bodies read in time.

All that takes something in at the edge goes through here, so that one hand counts.
"""

import contextlib

from amity.edge import http
from amity.edge.http import Deadlines, Exchange, Refusal, Scope
from amity.infra.config import Settings
from amity.kernel.errors import AmityError
from amity.store.contracts import Source
from amity.store.hot import Collector, Held


class Gate:
    """The gate of one collector."""

    def __init__(self, collector: Collector, settings: Settings, deadlines: Deadlines) -> None:
        self._collector = collector
        self._settings = settings
        self._deadlines = deadlines

    async def begin(self, scope: Scope, exchange: Exchange, key: str) -> tuple[Source | None, Held]:
        """Let a request in as far as ``key``, from its head, says who sends it.

        Returns the bytes it holds, to be given to `Collector.release`.
        """
        announced = http.content_length(scope.headers)
        most = self._settings.max_batch_bytes
        source: Source | None = None
        try:
            if key:
                known = self._collector.known_source(key)
                source = self.admit(known) if known else await self.let_in(key)
            held = self._collector.hold(min(announced or most, most), source)
        except (AmityError, Refusal):
            await self.drain(exchange, announced)
            raise
        return source, held

    async def let_in(self, write_key: str) -> Source:
        """Return the source of a key, or refuse it."""
        if not write_key:
            raise Refusal(401, "missing_write_key", "send the source's write key")
        source = await self._collector.find_source(write_key)
        if source is None:
            raise Refusal(401, "unknown_write_key", "this write key belongs to no source")
        return self.admit(source)

    def admit(self, source: Source) -> Source:
        """Return the source when it may send now, or refuse it."""
        if not source.is_enabled:
            self._collector.refuse(source)
            raise Refusal(404, "source_disabled", "this source is disabled")
        try:
            self._collector.admit(source)
        except AmityError:
            self._collector.refuse(source)
            raise
        return source

    async def read(self, scope: Scope, exchange: Exchange) -> bytes:
        """Return the body, inflated; refuse what is too large, too slow or broken."""
        most = self._settings.max_batch_bytes
        announced = http.content_length(scope.headers)
        if announced is not None and announced <= most:
            body = await self._deadlines.keep(exchange())
        else:
            body = await self._deadlines.keep(http.read_body(exchange, announced, most))
        encoding = scope.headers.get("content-encoding")
        return http.inflate(body, encoding, self._settings.max_inflated_bytes)

    async def drain(self, exchange: Exchange, announced: int | None) -> None:
        """Let a client that is refused finish writing, so that it sees the answer."""
        with contextlib.suppress(Refusal):
            most = self._settings.max_batch_bytes
            await self._deadlines.keep(http.read_body(exchange, announced, most))
