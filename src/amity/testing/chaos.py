"""Senders that write down what they send, a nemesis that kills under them, and the reckoning."""

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import TupleRow

from amity.infra.crypto import load_secrets
from amity.infra.postgres import OWNER, EmbeddedPostgres
from amity.testing.edge import basic
from amity.testing.edge import send as ask
from amity.testing.installation import Installation, wait_for

_GIVE_UP_SECONDS: Final = 60.0
_MOST_RECOVERY_SECONDS: Final = 30.0
VICTIMS: Final = ("edge", "edge worker", "worker", "postgres", "backend")


def connect(installation: Installation) -> psycopg.Connection[TupleRow]:
    """Connect to an installation's database as its owner."""
    data = Path(installation.environment["AMITY_DATA"])
    conninfo = EmbeddedPostgres(data, load_secrets(data)).conninfo(OWNER)
    return psycopg.connect(conninfo, autocommit=True)


class Answer(msgspec.Struct, frozen=True):
    """What came back for one request; status 0 when nothing did."""

    status: int
    content: dict[str, Any]
    headers: dict[str, str]
    seconds: float


class Caller:
    """One kept-open connection to a collector."""

    def __init__(self, port: int, write_key: str, *, timeout_seconds: float = 60) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
        self._headers = {"Authorization": basic(write_key), "Content-Type": "application/json"}

    def post(self, body: bytes, *, path: str = "/v1/batch", **headers: str) -> Answer:
        """Send one request. A lost connection is an answer with status 0."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        began = time.monotonic()
        try:
            self._connection.request("POST", path, body, {**self._headers, **more})
            answer = self._connection.getresponse()
            content = msgspec.json.decode(answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, {}, {}, time.monotonic() - began)
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, content, told, time.monotonic() - began)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Sender:
    """Sends batches until told to stop, each again and again with the same ids until it is taken.

    Before a batch is sent its ids are on the disk, and so is each acknowledgement: the record
    would survive a crash of this process too.
    """

    def __init__(
        self, name: str, port: int, write_key: str, folder: Path, *, pause_seconds: float = 0.0
    ) -> None:
        self.name = name
        self._pause = pause_seconds
        self.answers: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0
        self.taken_at: list[tuple[float, float]] = []
        self._caller = Caller(port, write_key)
        self._path = folder / f"{name}.log"
        self._record = self._path.open("ab")
        self._rng = random.Random(name)  # noqa: S311  # to be repeated
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop once the batch at hand is acknowledged."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the end; a batch that was never taken is told as wrong."""
        self._thread.join()
        self._caller.close()
        self._record.close()

    def acknowledged(self) -> list[str]:
        """Read back from the disk which ids were acknowledged, in their order."""
        ids: list[str] = []
        for line in self._path.read_text("utf-8").splitlines():
            word, name, size = line.split()
            if word == "acknowledged":
                ids += _ids(name, int(size))
        return ids

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            name, size = f"{self.name}-{number}", self._rng.randint(1, 100)
            self._write("sending", name, size)
            if not self._deliver(_batch(_ids(name, size))):
                self.wrong.append(f"{name} was never taken")
                return
            self._write("acknowledged", name, size)
            number += 1
            self._stopping.wait(self._pause)

    def _write(self, word: str, name: str, size: int) -> None:
        self._record.write(f"{word} {name} {size}\n".encode())
        self._record.flush()
        os.fsync(self._record.fileno())

    def _deliver(self, body: bytes) -> bool:
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            began = time.monotonic()
            answer = self._caller.post(body)
            self._note(answer)
            if answer.status == 200:
                self.taken_at.append((began, time.monotonic()))
                return True
            time.sleep(self._rng.uniform(0.02, 0.15))
        return False

    def _note(self, answer: Answer) -> None:
        self.answers[answer.status] += 1
        self.slowest = max(self.slowest, answer.seconds)
        if answer.status == 429:
            self.codes[answer.content["code"]] += 1
            wait = answer.headers.get("retry-after", "")
            if not (wait.isdigit() and 1 <= int(wait) <= 300):
                self.wrong.append(f"429 with Retry-After {wait!r}")
        elif answer.status == 200:
            if answer.content["quarantined"]:
                self.wrong.append(f"a good event was put aside: {answer.content}")
        elif answer.status:
            self.wrong.append(f"{answer.status} {answer.content}")


def _ids(name: str, size: int) -> list[str]:
    return [f"{name}-{index}" for index in range(size)]


def _batch(ids: list[str]) -> bytes:
    events = [
        {
            "type": "track",
            "event": "Looked",
            "userId": f"u{_spread(each) % 50}",
            "anonymousId": f"a{_spread(each) % 50}",
            "messageId": each,
            "properties": {"sku": each, "words": "something that was looked at " * 3},
        }
        for each in ids
    ]
    return msgspec.json.encode({"batch": events})


def _spread(text: str) -> int:
    return int.from_bytes(text.encode()[-6:], "big")  # unlike hash(), always the same


@contextmanager
def sending(
    write_key: str,
    folder: Path,
    *,
    port: int,
    senders: int = 4,
    name: str = "s",
    pause_seconds: float = 0.0,
) -> Iterator[list[Sender]]:
    """Keep senders busy; at the end each has its last batch acknowledged.

    A pause after each batch keeps short what has to be folded afterwards.
    """
    busy = [
        Sender(f"{name}{number}", port, write_key, folder, pause_seconds=pause_seconds)
        for number in range(senders)
    ]
    try:
        yield busy
    finally:
        for sender in busy:
            sender.stop()
        for sender in busy:
            sender.join()


class Nemesis:
    """Kills processes of one installation, and only of that one."""

    def __init__(self, installation: Installation, rng: random.Random) -> None:
        self._installation = installation
        self._rng = rng
        self.kills: list[tuple[float, str]] = []

    def find(self, victim: str) -> int | None:
        """Return the process id of a kind of victim, None while there is none."""
        assert self._installation.process is not None
        family = _children()
        own = family.get(self._installation.process.pid, [])
        words = {
            "worker": "amity.cli worker",
            "postgres": "bin/postgres",
            "backend": "bin/postgres",
        }
        word = words.get(victim, "amity.edge")
        mains = [pid for pid in own if word in _command(pid)]
        main = self._rng.choice(mains) if mains else None
        if main is None or victim in {"edge", "worker", "postgres"}:
            return main
        below = [p for p in family.get(main, []) if victim == "edge worker" or _is_session(p)]
        return self._rng.choice(below) if below else None

    def server(self) -> list[int]:
        """Return all processes of the installation's PostgreSQL, its head first."""
        main = self.find("postgres")
        return [] if main is None else [main, *_children().get(main, [])]

    def kill(self, victim: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send one victim a signal; False when there is none to be found now."""
        pid = self.find(victim)
        if pid is None:
            return False
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            # The handle is of this very process; is that still one of ours?
            if pid not in self._installation.descendants():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        self.kills.append((time.monotonic(), victim))
        return True

    def rage(self, *, seconds: float, pauses: tuple[float, float] = (0.3, 1.0)) -> None:
        """Kill one after the other, each kind in turn, until the time is over; each kind once.

        Each round begins with a collector that takes events: where a recovery or a start takes
        longer than a round of kills, nothing would ever come up, and that proves nothing.
        """
        deadline = time.monotonic() + seconds
        left = self._rng.sample(VICTIMS, len(VICTIMS))
        while time.monotonic() < deadline or len(self.kills) < len(VICTIMS):
            if not left:
                left = self._rng.sample(VICTIMS, len(VICTIMS))
                self._wait_for_collector(until=time.monotonic() + _MOST_RECOVERY_SECONDS)
            if self.kill(left[-1]):
                left.pop()
                time.sleep(self._rng.uniform(*pauses))
            else:
                self._rng.shuffle(left)
                time.sleep(0.05)

    def _wait_for_collector(self, *, until: float) -> None:
        address = f"http://127.0.0.1:{self._installation.edge_port}/health/ready"
        while time.monotonic() < until:
            with suppress(OSError, http.client.HTTPException):
                if ask(address)[0] == HTTPStatus.OK:
                    return
            time.sleep(0.1)

    def delays(self, senders: list[Sender], victim: str) -> list[float]:
        """Return how long after each kill of a kind the next request was made and taken."""
        taken = sorted(pair for sender in senders for pair in sender.taken_at)
        found = []
        for moment, killed in self.kills:
            ends = [end - moment for began, end in taken if began > moment]
            if killed == victim and ends:
                found.append(min(ends))
        return found


def _children() -> dict[int, list[int]]:
    family: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] not in "ZX":
                family.setdefault(int(stat[1]), []).append(int(entry.name))
    return family


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _is_session(pid: int) -> bool:
    return _command(pid).startswith("postgres: amity_")


class Books(msgspec.Struct, frozen=True):
    """What the database says became of one source's events."""

    logged: list[str]
    folded: list[str]
    stored: int
    duplicate: int
    quarantined: int
    refused: int


def read_books(connection: psycopg.Connection[TupleRow], source_id: int) -> Books:
    """Read the log, the fold's copy of it and the counters of one source."""
    logged = connection.execute(
        "SELECT message_id FROM store_event_log WHERE source_id = %s", [source_id]
    ).fetchall()
    # By its place, so that an event folded twice is seen twice.
    folded = connection.execute(
        "SELECT l.message_id FROM store_activity a JOIN store_event_log l ON l.id = a.event_id"
        " WHERE a.source_id = %s AND a.type <> 'system'",
        [source_id],
    ).fetchall()
    counters = connection.execute(
        "SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,"
        " coalesce(sum(quarantined), 0)::bigint, coalesce(sum(refused), 0)::bigint"
        " FROM store_counter WHERE source_id = %s",
        [source_id],
    ).fetchone()
    assert counters is not None
    return Books([row[0] for row in logged], [row[0] for row in folded], *counters)


def find_faults(acknowledged: list[str], books: Books) -> list[str]:
    """Say what does not add up; empty when everything acknowledged is there, once, and folded."""
    log = Counter(books.logged)
    lost = set(acknowledged) - set(log)
    twice = [each for each, times in log.items() if times > 1]
    faults = []
    if lost:
        faults.append(f"{len(lost)} acknowledged events are not in the log, as {min(lost)}")
    if twice:
        faults.append(f"{len(twice)} events are in the log twice, as {min(twice)}")
    if Counter(books.folded) != log:
        faults.append(f"{len(books.folded)} events were folded of {len(books.logged)}")
    if books.stored != len(books.logged):
        faults.append(f"{books.stored} events were counted of {len(books.logged)}")
    return faults


def wait_until_folded(
    connection: psycopg.Connection[TupleRow], source_id: int, *, seconds: float = 60
) -> None:
    """Wait until the fold has taken as many events of a source as are in the log, or more."""

    def caught_up() -> bool:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM store_event_log WHERE source_id = %(id)s)"
            " <= (SELECT count(*) FROM store_activity"
            "     WHERE source_id = %(id)s AND type <> 'system')",
            {"id": source_id},
        ).fetchone()
        assert row is not None
        return bool(row[0])

    wait_for(caught_up, seconds=seconds, what="the fold to catch up")
