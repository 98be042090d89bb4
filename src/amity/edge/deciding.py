"""`POST /v1/decide`: a decision for whoever is there, answered once it is in the log."""

from datetime import UTC, datetime
from typing import Final

from amity.edge import http
from amity.edge.http import Exchange
from amity.personalization.hot import Asked, Decider, check_public, read_request
from amity.store.contracts import Source

PATH: Final = "/v1/decide"
_MOST_BYTES: Final = 65_536
"""Largest request for a decision: a question is short."""


def read(body: bytes) -> Asked:
    """Read the question; raises Invalid, or Refusal when it is no question by its size."""
    if len(body) > _MOST_BYTES:
        raise http.too_large(_MOST_BYTES)
    return read_request(body)


async def answer(exchange: Exchange, decider: Decider, source: Source, asked: Asked) -> None:
    """Decide and answer; a source whose key is public may name nobody but its visitor."""
    if source.kind != "server":
        check_public(asked)
    reply = await decider.decide(asked, now=datetime.now(UTC))
    exchange.response_bytes(200, http.OK_HEADERS, reply)
