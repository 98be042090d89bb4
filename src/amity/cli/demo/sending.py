"""Sending the demo's events by their sources, and remembering how far that has come."""

import time
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from typing import Final, Protocol

import msgspec

from amity.cli.demo.about import demo_folder, write_json
from amity.cli.demo.client import CollectorClient
from amity.cli.demo.shop import Event
from amity.infra.config import settings
from amity.store.contracts import Source

_SAVE_EVERY: Final = 2_000
_FILE: Final = "sent.json"


class Progress(Protocol):
    """Who watches: told what is being done, and how much of it is."""

    def __call__(self, label: str, done: int, total: int) -> None: ...


class Stream(msgspec.Struct, frozen=True):
    """Events of one kind, on their way from one source; ``total`` is about how many."""

    label: str
    source: str
    events: Iterable[Event]
    total: int


class Sender:
    """Sends streams, each from where an earlier run of the same ``scale`` left off.

    A stream gives the same events in the same order each time, so what was acknowledged can be
    counted off. Should the count be lost, sending all again adds nothing.
    """

    def __init__(self, sources: dict[str, Source], *, scale: str, progress: Progress) -> None:
        self._sources = sources
        self._scale = scale
        self._progress = progress
        self._sent = self._resume()
        self.seconds: dict[str, float] = {}
        self.sent_now: dict[str, int] = {}

    def recall(self, label: str) -> int:
        """Return the number remembered under ``label``; 0 when there is none."""
        return self._sent.get(label, 0)

    def remember(self, label: str, number: int) -> None:
        """Keep a number for a later run, should this one be cut off."""
        self._sent[label] = number
        write_json(_FILE, {"scale": self._scale, "sent": self._sent})

    def send(self, stream: Stream) -> None:
        """Send what is left of a stream; return when the collector has all of it."""
        done = saved = before = self.recall(stream.label)
        started = time.monotonic()

        def seen(count: int) -> None:
            nonlocal done, saved
            done += count
            self._progress(stream.label, done, max(stream.total, done))
            if done - saved >= _SAVE_EVERY:
                self.remember(stream.label, done)
                saved = done

        using = settings()
        key = self._sources[stream.source].write_key
        with closing(CollectorClient(using.edge_host, using.edge_port, key)) as client:
            client.send(islice(stream.events, done, None), seen)
        self.remember(stream.label, done)
        self.seconds[stream.label] = time.monotonic() - started
        self.sent_now[stream.label] = done - before

    def _resume(self) -> dict[str, int]:
        try:
            kept = msgspec.json.decode((demo_folder() / _FILE).read_bytes(), type=_Sent)
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}
        return kept.sent if kept.scale == self._scale else {}


class _Sent(msgspec.Struct):
    scale: str
    sent: dict[str, int]
