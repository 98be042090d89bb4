"""The deliverer: claims what is due, sends it from a few threads, writes down what came of it.

At least once: a claim is a lease with a token, so what a killed deliverer had in hand is taken up
by the next one under the same `webhook-id`. One endpoint has a few requests under way at most, and
after some failures in a row nothing is tried for a while, so that a dead one does not hold up the
others.
"""

import os
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store.contracts_outbound import Attempt, DeliveryTurn
from amity.store.logic.outbound.endpoints import Target, read_targets, send
from amity.store.logic.outbound.message import Content, Verdict, judge, make_message
from amity.store.logic.outbound.queueing import list_refused

_SQL: Final = queries.load("amity.store")
MOST_FAILURES: Final = 5
"""After so many in a row nothing is tried for a while."""
_THREADS: Final = 24
_EACH: Final = 4
_LEASE_SECONDS: Final = 60.0
_FIRST_PAUSE_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 900.0
_REBUILD_PAUSE_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 0.05


class _Claim(msgspec.Struct, frozen=True):
    delivery_id: int
    endpoint_id: int
    event_id: int
    position: int
    origin_id: int
    token: int
    attempts: int


class _Settled(msgspec.Struct, frozen=True):
    """The end of one attempt, to be written."""

    claim: _Claim
    verdict: Verdict
    attempt: Attempt


_NOTHING: Final = Attempt(status=None, error="", reply="")
_WITHHELD: Final = Verdict(state="withheld")
_LATER: Final = Verdict(state="waiting", delay_seconds=_REBUILD_PAUSE_SECONDS)


class Deliverer:
    """Sends from threads of its own; one thread at a time calls `turn`."""

    def __init__(self, *, rng: random.Random, lease_seconds: float = _LEASE_SECONDS) -> None:
        self._rng = rng
        self._lease_seconds = lease_seconds
        self._owner = f"{os.getpid()}-{rng.getrandbits(32):08x}"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="amity-outbound")
        self._under_way: dict[Future[Attempt], _Claim] = {}

    def turn(self, *, now: datetime) -> DeliveryTurn:
        """Write down what has ended, and send what is due as far as there are free threads.

        It does not wait for slow endpoints: what they answer is written in a later turn.
        """
        ended = [self._end(future) for future in list(self._under_way) if future.done()]
        room = _THREADS - len(self._under_way)
        with transaction() as connection:
            settled = settle(connection, ended)
            claims = self._claim(connection, room)
            ready, refused = prepare(connection, claims, now)
            withheld = settle(connection, refused)
        for claim, target, content in ready:
            message = make_message(content, target.format, target.endpoint_id)
            self._under_way[self._threads.submit(send, target, message, at=now)] = claim
        if not claims and not ended and self._under_way:
            wait(list(self._under_way), _WAIT_SECONDS, FIRST_COMPLETED)
        return DeliveryTurn(
            claimed=len(claims),
            delivered=settled["delivered"],
            failed=settled["failed"] + settled["waiting"],
            withheld=withheld["withheld"],
        )

    @property
    def is_busy(self) -> bool:
        """Whether requests are under way."""
        return bool(self._under_way)

    def close(self) -> None:
        """Wait for what is under way, and write down what came of it."""
        self._threads.shutdown(wait=True)
        with transaction() as connection:
            settle(connection, [self._end(future) for future in list(self._under_way)])

    def _end(self, future: Future[Attempt]) -> _Settled:
        claim = self._under_way.pop(future)
        attempt = future.result()
        return _Settled(claim, judge(attempt, attempts=claim.attempts, rng=self._rng), attempt)

    def _claim(self, connection: Connection, room: int) -> list[_Claim]:
        row = connection.execute(_SQL["outbound_is_ready"]).fetchone()
        if room < 1 or row is None or not row[0]:
            return []
        rows = connection.execute(
            _SQL["outbound_claim"],
            {
                "owner": self._owner,
                "lease": self._lease_seconds,
                "limit": room,
                "each": _EACH,
                "most_failures": MOST_FAILURES,
            },
        )
        return [_Claim(*row) for row in rows]


def prepare(
    connection: Connection, claims: Sequence[_Claim], now: datetime
) -> tuple[list[tuple[_Claim, Target, Content]], list[_Settled]]:
    """Read what claims are to say, past the gate; return what is to be sent, and what is not.

    Consent is looked at again, as it may have been taken back since the delivery was queued.
    """
    if not claims:
        return [], []
    targets = read_targets(connection, sorted({claim.endpoint_id for claim in claims}))
    contents = _read_contents(connection, claims)
    row = connection.execute(_SQL["outbound_is_ready"]).fetchone()
    missing = _WITHHELD if row and row[0] else _LATER
    refused = {
        purpose: list_refused(
            connection, purpose, {content.profile_id or 0 for content in contents.values()}, now
        )
        for purpose in {target.purpose for target in targets.values()}
    }
    ready: list[tuple[_Claim, Target, Content]] = []
    kept_back: list[_Settled] = []
    for claim in claims:
        target, content = targets.get(claim.endpoint_id), contents.get(claim.event_id)
        if target is None or content is None:
            kept_back.append(_Settled(claim, missing, _NOTHING))
        elif content.profile_id in refused[target.purpose]:
            kept_back.append(_Settled(claim, _WITHHELD, _NOTHING))
        else:
            ready.append((claim, target, content if target.purpose else _impersonal(content)))
    return ready, kept_back


def _impersonal(content: Content) -> Content:
    return msgspec.structs.replace(content, profile_id=None, user_id=None)


def _read_contents(connection: Connection, claims: Sequence[_Claim]) -> dict[int, Content]:
    rows = connection.execute(
        _SQL["outbound_contents"],
        {
            "events": [claim.event_id for claim in claims],
            "positions": [claim.position for claim in claims],
            "origins": [claim.origin_id for claim in claims],
        },
    )
    return {
        row[0]: Content(
            event_id=row[0],
            profile_id=row[1],
            user_id=row[2],
            source_id=row[3],
            occurred_at=row[4],
            name=row[6],
            properties=row[7],
        )
        for row in rows
    }


def settle(connection: Connection, ended: Sequence[_Settled]) -> Counter[str]:
    """Write down what came of the attempts that are still ours; return how many by state."""
    states: Counter[str] = Counter()
    if not ended:
        return states
    rows = connection.execute(_SQL["outbound_settle"], _columns(ended)).fetchall()
    written: dict[int, str] = dict(rows)
    states.update(written.values())
    ours = [each for each in ended if each.claim.delivery_id in written]
    for endpoint_id in sorted({each.claim.endpoint_id for each in ours}):
        own = [each for each in ours if each.claim.endpoint_id == endpoint_id]
        connection.execute(_SQL["outbound_note"], {"id": endpoint_id} | _note(own))
    return states


def _columns(ended: Sequence[_Settled]) -> dict[str, Any]:
    return {
        "ids": [each.claim.delivery_id for each in ended],
        "tokens": [each.claim.token for each in ended],
        "states": [each.verdict.state for each in ended],
        "statuses": [each.attempt.status for each in ended],
        "errors": [each.attempt.error for each in ended],
        "replies": [each.attempt.reply for each in ended],
        "delays": [each.verdict.delay_seconds for each in ended],
    }


def _note(own: Sequence[_Settled]) -> dict[str, Any]:
    return {
        "successes": sum(each.verdict.state == "delivered" for each in own),
        "failures": sum(each.verdict.is_failure for each in own),
        "withheld": sum(each.verdict.state == "withheld" for each in own),
        "is_gone": any(each.verdict.is_gone for each in own),
        "is_given_up": any(each.verdict.is_given_up for each in own),
        "most_failures": MOST_FAILURES,
        "first": _FIRST_PAUSE_SECONDS,
        "longest": _LONGEST_PAUSE_SECONDS,
    }
