"""The log of decisions: how a row is written and read, and its group commit.

A row holds what is needed to make the decision again; what was to be shown (`content`) is not in
it, for the snapshot says that. Candidates that met the same end for the same reason share a place.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.infra import queries
from amity.infra.copying import copy_in
from amity.infra.database import Connection
from amity.infra.grouping import AsyncConnection, Grouping
from amity.personalization.contracts import DecidedItem, DecideRequest, Decision, Stage, Verdict

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
_JSONB_VERSION: Final = b"\1"
_encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder().encode


class Logged(msgspec.Struct, frozen=True, gc=False):
    """One decision with all that the log keeps of it; ``facts`` as `encode_facts` gives them."""

    decision: Decision
    placement_id: int
    request: DecideRequest
    facts: bytes


class _Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    item: str
    propensity: float
    score: float
    reason: str


class _End(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Candidates that met the same end."""

    stage: Stage
    passed: bool
    reason: str
    items: list[str]


class _Result(msgspec.Struct, frozen=True, gc=False):
    items: list[_Item]
    verdicts: list[_End]


class _Written(msgspec.Struct, frozen=True, gc=False):
    items: list[_Item]
    verdicts: msgspec.Raw


_RESULT: Final = msgspec.json.Decoder(_Result)
# Decisions that judged alike share their list of verdicts, so most of them are written already.
_written: Final[dict[int, tuple[list[Verdict], msgspec.Raw]]] = {}


def encode_result(decision: Decision) -> bytes:
    """Write what was chosen and what became of every candidate, as JSON."""
    held = _written.get(id(decision.verdicts))
    if held is None or held[0] is not decision.verdicts:
        if len(_written) >= _MOST_WRITTEN:
            _written.clear()
        raw = msgspec.Raw(_encode(_join_ends(decision.verdicts)))
        held = _written[id(decision.verdicts)] = (decision.verdicts, raw)
    items = [_Item(each.item, each.propensity, each.score, each.reason) for each in decision.items]
    return _encode(_Written(items, held[1]))


def _join_ends(verdicts: list[Verdict]) -> list[_End]:
    ends: dict[tuple[str, bool, str], _End] = {}
    for verdict in verdicts:
        key = (verdict.stage, verdict.passed, verdict.reason)
        end = ends.get(key)
        if end is None:
            ends[key] = _End(*key, [verdict.item])
        else:
            end.items.append(verdict.item)
    return list(ends.values())


def decode_result(text: bytes | str) -> tuple[list[DecidedItem], list[Verdict]]:
    """Read what `encode_result` wrote; the items are without their content."""
    result = _RESULT.decode(text)
    items = [
        DecidedItem(
            rank=rank,
            item=each.item,
            propensity=each.propensity,
            score=each.score,
            reason=each.reason,
            content={},
        )
        for rank, each in enumerate(result.items, start=1)
    ]
    verdicts = [
        Verdict(item=item, stage=end.stage, passed=end.passed, reason=end.reason)
        for end in result.verdicts
        for item in end.items
    ]
    return items, verdicts


def _without_names(request: DecideRequest) -> DecideRequest:
    """Return the request with only the kinds of its identifiers.

    Whoever asked unknown is in no profile, so nobody could find the names again to erase them.
    """
    if not request.identifiers:
        return request
    return msgspec.structs.replace(request, identifiers=dict.fromkeys(request.identifiers, ""))


def pack_row(logged: Logged) -> bytes:
    """Return one row in the format of PostgreSQL's binary COPY (its manual, COPY)."""
    decision = logged.decision
    channel, policy = decision.channel.encode(), decision.policy.encode()
    fallback, request = decision.fallback.encode(), _encode(_without_names(logged.request))
    result = encode_result(decision)
    start = (12, 16, decision.decision_id.bytes, 8, _micros(decision.decided_at))
    if decision.profile_id is None:
        head = _STRANGER(*start, -1, 4, logged.placement_id)
    else:
        head = _KNOWN(*start, 8, decision.profile_id, 4, logged.placement_id)
    return b"".join(
        (
            head,
            _LENGTH(len(channel)),
            channel,
            _SNAPSHOT_SEED(8, decision.snapshot_id, 8, decision.seed),
            _LENGTH(len(policy)),
            policy,
            _LENGTH(len(fallback)),
            fallback,
            _LENGTH(len(request) + 1),
            _JSONB_VERSION,
            request,
            _LENGTH(len(logged.facts)),
            logged.facts,
            _LENGTH(len(result) + 1),
            _JSONB_VERSION,
            result,
        )
    )


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
