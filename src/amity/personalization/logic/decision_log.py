"""The log of decisions: how a row is written and read, and its group commit.

A row holds what is needed to make the decision again. What the snapshot says is not in it: what was
to be shown (`content`), and the words of the verdicts, of which there is one byte for a candidate.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.copying import copy_in
from amity.infra.database import Connection
from amity.infra.grouping import AsyncConnection, Grouping
from amity.personalization.contracts import DecidedItem, DecideRequest, Decision, Verdict
from amity.personalization.logic.deciding import say_reason
from amity.personalization.logic.snapshot import Candidate, Place, encode_verdicts

_SQL: Final = queries.load("amity.personalization")
_MOST_ROWS: Final = 2_000
_MOST_WRITTEN: Final = 4_096

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = struct.pack("!h", -1)
# The number of columns, then each value behind the length of its bytes.
_KNOWN: Final = struct.Struct("!hi16siqiqii").pack
_STRANGER: Final = struct.Struct("!hi16siqiii").pack
_SNAPSHOT_SEED: Final = struct.Struct("!iqiq").pack
_LENGTH: Final = struct.Struct("!i").pack
_JSONB: Final = struct.Struct("!ib").pack
"""The length of a jsonb and the version of its notation."""
_encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder().encode


class Logged(msgspec.Struct, frozen=True, gc=False):
    """One decision with all that the log keeps of it; ``facts`` as `encode_facts` gives them."""

    decision: Decision
    place: Place
    request: DecideRequest
    facts: bytes


class KeptItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the log keeps of one thing chosen."""

    item: str
    propensity: float
    score: float
    reason: str
    """"" where the decision's fallback says it."""


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was chosen, and by candidate, in the order of the snapshot, what became of it."""

    items: list[KeptItem]
    verdicts: bytes
    """One byte each: which of the candidate's `Verdicts`."""


_pack: Final[Callable[[Any], bytes]] = msgspec.msgpack.Encoder().encode
_KEPT: Final = msgspec.msgpack.Decoder(Kept)
# Decisions that judged alike share their list of verdicts, so most of them are written already.
_written: Final[dict[int, tuple[list[Verdict], bytes]]] = {}


def encode_result(decision: Decision, candidates: Sequence[Candidate]) -> bytes:
    """Write what was chosen and what became of every candidate of the placement."""
    held = _written.get(id(decision.verdicts))
    if held is None or held[0] is not decision.verdicts:
        if len(_written) >= _MOST_WRITTEN:
            _written.clear()
        codes = encode_verdicts(decision.verdicts, candidates)
        held = _written[id(decision.verdicts)] = (decision.verdicts, codes)
    said = say_reason(decision.fallback) if decision.kind == "offers" else ""
    items = [
        (one.item, one.propensity, one.score, "" if one.reason == said else one.reason)
        for one in decision.items
    ]
    return _pack((items, held[1]))  # as `Kept` has it


def decode_result(raw: bytes) -> Kept:
    """Read what `encode_result` wrote; raises msgspec's errors for anything else."""
    return _KEPT.decode(raw)


def read_chosen(raw: bytes) -> list[str]:
    """Return what was chosen, by key, the first rank first."""
    return [one.item for one in decode_result(raw).items]


def read_items(kept: Kept, fallback: str) -> list[DecidedItem]:
    """Return the items as they were decided, without what was to be shown of them."""
    return [
        DecidedItem(
            rank=rank,
            item=one.item,
            propensity=one.propensity,
            score=one.score,
            reason=one.reason or say_reason(fallback),
            content={},
        )
        for rank, one in enumerate(kept.items, start=1)
    ]


def _without_names(request: DecideRequest) -> DecideRequest:
    """Return the request with only the kinds of its identifiers.

    Whoever asked unknown is in no profile, so nobody could find the names again to erase them.
    """
    if not request.identifiers:
        return request
    return DecideRequest(
        placement=request.placement,
        identifiers=dict.fromkeys(request.identifiers, ""),
        context=request.context,
        channel=request.channel,
    )


def pack_row(logged: Logged) -> bytes:
    """Return one row in the format of PostgreSQL's binary COPY (its manual, COPY)."""
    decision = logged.decision
    request = _encode(_without_names(logged.request))
    result = encode_result(decision, logged.place.candidates)
    placement_id = logged.place.placement.placement_id
    start = (12, 16, decision.decision_id.bytes, 8, _micros(decision.decided_at))
    if decision.profile_id is None:
        head = _STRANGER(*start, -1, 4, placement_id)
    else:
        head = _KNOWN(*start, 8, decision.profile_id, 4, placement_id)
    return b"".join(
        (
            head,
            _pack_text(decision.channel),
            _SNAPSHOT_SEED(8, decision.snapshot_id, 8, decision.seed),
            _pack_text(decision.policy),
            _pack_text(decision.fallback),
            _JSONB(len(request) + 1, 1),
            request,
            _LENGTH(len(logged.facts)),
            logged.facts,
            _LENGTH(len(result)),
            result,
        )
    )


@lru_cache(maxsize=1024)
def _pack_text(text: str) -> bytes:
    """Return one of the few short texts that all rows share."""
    value = text.encode()
    return _LENGTH(len(value)) + value


def _micros(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def join_rows(rows: Sequence[bytes]) -> bytes:
    """Return packed rows as one COPY."""
    return b"".join((_HEADER, *rows, _TRAILER))


def log_decisions(connection: Connection, decisions: Sequence[Logged]) -> None:
    """Write decisions in the caller's transaction."""
    with connection.cursor().copy(_SQL["copy_decisions"]) as copy:
        copy.write(join_rows([pack_row(each) for each in decisions]))


class DecisionCommitter(Grouping[bytes, bool]):
    """Writes the packed rows of many requests in few transactions.

    A row that PostgreSQL refuses for what is in it is told so, and the others are written.
    """

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo, who="the decision log", most=_MOST_ROWS)

    async def _carry_out(
        self, connection: AsyncConnection, lane: int, works: Sequence[bytes]
    ) -> Sequence[bool]:
        try:
            await _copy(connection, works)
        except psycopg.DataError:
            return [await _is_written(connection, row) for row in works]
        return [True] * len(works)


async def _copy(connection: AsyncConnection, rows: Sequence[bytes]) -> None:
    await copy_in(connection, _SQL["copy_decisions"], join_rows(rows))


async def _is_written(connection: AsyncConnection, row: bytes) -> bool:
    try:
        await _copy(connection, [row])
    except psycopg.DataError:
        return False
    return True
