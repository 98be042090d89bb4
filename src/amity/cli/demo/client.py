"""A small client of the collector: batches over one kept-alive connection, patient when told."""

import base64
import http.client
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from amity.kernel.errors import AmityError, Unavailable

BATCH_EVENTS: Final = 100
_BATCH_BYTES: Final = 480_000
_TIMEOUT_SECONDS: Final = 30.0
_PATIENCE_SECONDS: Final = 300.0
_LONGEST_PAUSE_SECONDS: Final = 10.0
_OVERLOADED: Final = 429
_OK: Final = 200
_SERVER_FAULT: Final = 500


class Verdict(msgspec.Struct):
    """What the collector answered, summed up over batches."""

    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0

    def add(self, other: "Verdict") -> None:
        """Add the counts of another answer."""
        self.accepted += other.accepted
        self.duplicate += other.duplicate
        self.quarantined += other.quarantined


class CollectorClient:
    """Sends events with one write key, and goes on after a restart or a 429 of the collector.

    Events carry their message ids, so sending a batch again after a lost answer is safe.
    """

    def __init__(self, host: str, port: int, write_key: str) -> None:
        self._address = (host, port)
        basic = base64.b64encode(f"{write_key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None
        self.waited_seconds = 0.0

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def send(self, events: Iterable[object], seen: Callable[[int], None]) -> Verdict:
        """Send all events in batches; ``seen`` is told the size of each batch when it is in."""
        total = Verdict()
        for batch in _iter_batches(map(msgspec.json.encode, events)):
            total.add(self._post(b'{"batch":[' + b",".join(batch) + b"]}"))
            seen(len(batch))
        return total

    def _post(self, body: bytes) -> Verdict:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for attempt in itertools.count():
            pause = min(0.2 * 2**attempt, _LONGEST_PAUSE_SECONDS)
            try:
                status, answer, retry_after = self._exchange(body)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                problem = f"the collector cannot be reached: {error}"
            else:
                if status == _OK:
                    return msgspec.json.decode(answer, type=Verdict)
                problem = (
                    f"the collector answered {status}: {answer[:200].decode(errors='replace')}"
                )
                if status == _OVERLOADED:
                    pause = max(pause, min(retry_after, _LONGEST_PAUSE_SECONDS))
                elif status < _SERVER_FAULT:
                    raise AmityError(problem, code="collector_refused")
            if time.monotonic() + pause > deadline:
                raise Unavailable(problem, code="collector_unavailable")
            time.sleep(pause)
            self.waited_seconds += pause
        raise AssertionError

    def _exchange(self, body: bytes) -> tuple[int, bytes, float]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_SECONDS)
        self._connection.request("POST", "/v1/batch", body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        retry_after = response.headers.get("Retry-After", "1")
        return response.status, answer, float(retry_after) if retry_after.isdecimal() else 1.0


def _iter_batches(encoded: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in encoded:
        if batch and (len(batch) == BATCH_EVENTS or size + len(event) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event) + 1
    if batch:
        yield batch
