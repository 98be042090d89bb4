"""Several questions to one locked-down process (`warehouse_reader`), and tables kept between them.

The process dies with the session. What does not fit into its memory lies in a folder of its own
meanwhile, which goes with it; one that a killed process left behind goes with the next session.
"""

import os
import secrets
import selectors
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

import msgspec
import pyarrow as pa

from amity.infra.config import environment, settings
from amity.infra.warehouse import ENDED, folder
from amity.infra.warehouse_files import make_folder
from amity.infra.warehouse_reader import DATA, END, HEAD, REFUSAL, Ask, Request
from amity.kernel.errors import Invalid, Unavailable

Ended = Callable[[], bool]
"""Says whether nobody waits for an answer any more."""
Views = Callable[[], Mapping[str, str]]
"""Returns by name the SELECT each table of the warehouse stands for by now."""
MEMORY_BYTES: Final = 512 * 2**20
_MOST_BYTES: Final = 512 * 2**20
"""The most an answer may have."""
_MOST_SPILLED: Final = 64 * 2**30
_TRIES: Final = 3
_GONE: Final = ("No such file", "No files found that match")
"""What DuckDB says of a file that is not there any more."""
_LOOK_SECONDS: Final = 0.5
_PIECE: Final = 2**20
TOO_LARGE: Final = (
    "the query needs more memory or room on the disk than it may have; ask for fewer days"
)


class Session:
    """A process that answers questions over the warehouse until the block ends.

    Raises Unavailable when a question is not answered ``seconds`` after the session began, needs
    more room than it may have, or ``ended``, asked twice a second, says that nobody waits any
    more; Invalid when DuckDB refuses it. A file that was replaced since the views were read is
    not missed: they are read again. Starting the process costs about half a second.
    """

    def __init__(
        self,
        views: Views,
        *,
        seconds: float,
        functions: Sequence[str] = (),
        ended: Ended | None = None,
    ) -> None:
        self._views = views
        self._seconds = seconds
        self._functions = functions
        self._ended = ended
        self._deadline = time.monotonic() + seconds
        self._spill = Path()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Session":
        views = dict(self._views())
        make_folder(folder())
        self._spill = _make_spill()
        self._child = subprocess.Popen(  # our own interpreter and module
            [sys.executable, "-I", "-m", "amity.infra.warehouse_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
        )
        request = Request(
            folder=str(folder()),
            views=views,
            functions=list(self._functions),
            seconds=self._seconds,
            memory_bytes=MEMORY_BYTES,
            spill=str(self._spill),
            spill_bytes=_room(self._spill),
        )
        self._send(msgspec.json.encode(request))
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child is not None
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.communicate(timeout=5)
        shutil.rmtree(self._spill, ignore_errors=True)

    def run(self, sql: str) -> pa.Table:
        """Run one SELECT and return its rows."""
        with pa.ipc.open_stream(self._ask(Ask(sql=sql))) as stream:
            return stream.read_all()

    def keep(self, name: str, sql: str) -> None:
        """Run one SELECT and keep its rows as a table of the session's."""
        self._ask(Ask(sql=sql, keep=name))

    def _ask(self, question: Ask) -> bytearray:
        for _ in range(_TRIES):
            self._send(msgspec.json.encode(question))
            kind, answer = self._receive()
            if kind == END:
                return answer
            said = answer.decode(errors="replace").strip()
            if not any(words in said for words in _GONE):
                break
            question = msgspec.structs.replace(question, views=dict(self._views()))
        if "Out of Memory" in said or "max_temp_directory_size" in said:
            raise Unavailable(TOO_LARGE, code="query_too_large")
        raise Invalid(f"the query cannot be run: {said}", code="query_refused")

    def _send(self, line: bytes) -> None:
        assert self._child is not None
        # What died before it read this is found when its answer is read.
        with suppress(BrokenPipeError):
            stdin = cast("IO[bytes]", self._child.stdin)
            stdin.write(line + b"\n")
            stdin.flush()

    def _receive(self) -> tuple[bytes, bytearray]:
        """Return how an answer ended, and what was answered, or why it was refused."""
        answer = bytearray()
        while True:
            kind, length = struct.unpack(HEAD, self._read(struct.calcsize(HEAD)))
            answer += self._read(length)
            if len(answer) > _MOST_BYTES:
                raise Invalid("the answer is too large; ask for less", code="query_too_large")
            if kind == REFUSAL:
                return kind, answer[-length:] if length else bytearray()
            if kind != DATA:
                return kind, answer

    def _read(self, length: int) -> bytes:
        assert self._child is not None
        stdout = cast("IO[bytes]", self._child.stdout)
        parts, left = [], length
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while left:
                self._wait(selector)
                part = os.read(stdout.fileno(), min(left, _PIECE))
                if not part:
                    raise Unavailable(
                        "the query was ended: it asked for too much", code="query_too_large"
                    )
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    def _wait(self, selector: selectors.BaseSelector) -> None:
        """Return when there is something to read; raise when it is too late or not wanted."""
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(
                    f"the query took longer than {self._seconds:g} seconds", code="query_too_long"
                )
            if selector.select(min(left, _LOOK_SECONDS) if self._ended else left):
                return
            if self._ended and self._ended():
                raise Unavailable("the query was ended: nobody waits for it", code=ENDED)


def _environment() -> dict[str, str]:
    """Return only what starting Python needs: no address, no secret."""
    return {k: v for k, v in environment().items() if k in {"PATH", "LANG", "LC_ALL"}}


def _make_spill() -> Path:
    """Return a new folder for what does not fit into memory, and delete those nobody owns."""
    root = settings().data / "warehouse-spill"
    make_folder(root)
    for left in root.iterdir():
        owner = left.name.split("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    made = root / f"{os.getpid()}-{secrets.token_hex(8)}"
    made.mkdir(mode=0o700)
    return made


def _room(place: Path) -> int:
    """Return how much may be spilled: half of what is free and not set aside."""
    reserve = max(settings().disk_reserve_bytes, 0)
    free = max(shutil.disk_usage(place).free - reserve, 0)
    return min(free // 2, _MOST_SPILLED)
