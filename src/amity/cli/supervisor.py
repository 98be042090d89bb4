"""The supervisor of `amity up`: starts every process in order, watches them, stops them in order.

PostgreSQL first, then the migrations, then edge, web and worker. A process that dies is started
again after a short pause that grows while it keeps dying; nothing a customer sent is lost by it,
since the collector answers only what is committed.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any, Final

from amity.infra import config, database, disks
from amity.infra.config import Settings, settings
from amity.infra.crypto import installation_secrets
from amity.infra.postgres import EmbeddedPostgres
from amity.infra.process import die_with_parent
from amity.kernel.errors import Unavailable

_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
# What ran this long did start; to be killed then is no reason to keep it waiting.
_STEADY_SECONDS: Final = 3.0
# Without the database nothing works, so it is not waited for long.
_LONGEST_POSTGRES_PAUSE_SECONDS: Final = 0.5
_BALLAST_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 15.0
_TICK_SECONDS: Final = 0.1

# A collector that refuses for these reasons has started: only what runs here can mend them.
_MENDED_WHILE_RUNNING: Final = {"behind", "disk_full"}

Say = Callable[[str], None]


@dataclass
class Child:
    """One process under watch."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE_SECONDS
    start_after: float = 0.0

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches only the supervisor."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own arguments
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=config.environment(),
                start_new_session=True,
                # The supervisor has one thread, so this is safe.
                preexec_fn=partial(die_with_parent, parent=os.getpid()),  # noqa: PLW1509
            )
        self.started = time.monotonic()

    def watch(self, say: Say) -> None:
        """Start the process again if it has died and its pause is over."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return
            code = self.process.returncode
            self.process = None
            if now - self.started > _STEADY_SECONDS:
                self.pause = _FIRST_PAUSE_SECONDS
            say(f"{self.name} ended ({_ending(code)}); starting it again, see {self.log}")
            self.start_after = now + self.pause
            self.pause = min(self.pause * 2, _LONGEST_PAUSE_SECONDS)
        if now >= self.start_after:
            self.start()

    def ask_to_end(self) -> None:
        """Ask the process to end, without waiting for it."""
        if self.process is not None:
            self.process.terminate()

    def stop(self) -> None:
        """Wait for the process to end; kill it when it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _children(using: Settings) -> list[Child]:
    logs = using.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    granian_web = [python, "-m", "amity.site.serve"]
    commands = {
        "worker": [python, "-m", "amity.cli", "worker", "--part", "consumers"],
        "projections": [python, "-m", "amity.cli", "worker", "--part", "projections"],
        "web": granian_web,
        "edge": [python, "-m", "amity.edge"],
        **{
            f"sender-{number}": [python, "-m", "amity.cli", "sender"]
            for number in range(1, using.senders + 1)
        },
    }
    if using.smtp_url is None:
        commands["mailbox"] = [python, "-m", "amity.cli", "mailbox", "serve"]
    return [Child(name, command, logs / f"{name}.log") for name, command in commands.items()]


def is_ready(url: str) -> bool:
    """Say whether a health address answers 200."""
    return _ask_health(url)[0] == 200


def is_up(url: str) -> bool:
    """Say whether it has started: ready, or kept back by what only time or room mends."""
    status, told = _ask_health(url)
    troubles = told.get("troubles", [])
    return status == 200 or (bool(troubles) and set(troubles) <= _MENDED_WHILE_RUNNING)


def _ask_health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own address
            return answer.status, {}
    except urllib.error.HTTPError as error:
        with error:
            try:
                return error.code, dict(json.loads(error.read()))
            except (OSError, ValueError):
                return error.code, {}
    except OSError:
        return 0, {}


def addresses(using: Settings) -> dict[str, str]:
    """Return where the screens and the collector are reached from this machine."""

    def name(host: str) -> str:
        return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared only

    return {
        "web": f"http://{name(using.web_host)}:{using.web_port}",
        "edge": f"http://{name(using.edge_host)}:{using.edge_port}",
    }


@dataclass
class Supervisor:
    """Everything `amity up` runs, from the lock on the data folder to the last process."""

    say: Say
    using: Settings = field(default_factory=settings)
    stopping: bool = False
    postgres: EmbeddedPostgres | None = None
    postgres_started: float = 0.0
    postgres_pause: float = _FIRST_PAUSE_SECONDS
    ballast_looked: float = 0.0
    children: list[Child] = field(default_factory=list)
    # Held for as long as this object lives.
    lock: IO[str] | None = None

    def start(self) -> None:
        """Start everything; return when all of it answers.

        Raises AmityError when PostgreSQL is unsafe (rule D2) or something does not come up.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        if self.using.database_url is None:
            self.postgres = EmbeddedPostgres(self.using.data, installation_secrets())
            self.postgres.start()
        self.refuse_unsafe()
        self._migrate()
        database.close_pools()
        self.children = _children(self.using)
        for child in self.children:
            child.start()
        self._wait_until_ready()

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Watch until a signal comes or ``until`` says so."""
        while not self.stopping and not until():
            try:
                self._watch_postgres()
                for child in self.children:
                    child.watch(self.say)
            except OSError as error:  # no room for a process or a log now: no reason to end
                self.say(f"{error}; trying again")
                time.sleep(_FIRST_PAUSE_SECONDS)
            time.sleep(_TICK_SECONDS)

    def stop(self) -> None:
        """Stop all processes: those that take work first, the database last."""
        # Each takes a moment to end what it is at: they take it together.
        for child in reversed(self.children):
            child.ask_to_end()
        for child in reversed(self.children):
            child.stop()
        self.children = []
        if self.postgres is not None:
            self.postgres.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def refuse_unsafe(self) -> None:
        """Raise Unavailable when the server could lose a commit (rule D2); warn who insists."""
        wrong = database.find_unsafe_settings()
        if not wrong:
            return
        words = ", ".join(f"{s.name} is {s.value} (must be {s.wanted})" for s in wrong)
        if not self.using.unsafe:
            raise Unavailable(
                f"PostgreSQL could lose acknowledged events: {words}. "
                "Change it, or set AMITY_UNSAFE=1 to serve all the same.",
                code="unsafe_postgres",
            )
        self.say(f"warning: serving although events could be lost: {words}")

    def _migrate(self) -> None:
        done = subprocess.run(  # our own arguments
            [sys.executable, "-m", "amity.cli", "migrate"],
            env=config.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"the database could not be migrated: {done.stderr.strip()[-800:]}")

    def _wait_until_ready(self, timeout_seconds: float = 60) -> None:
        waiting = {name: f"{url}/health/ready" for name, url in addresses(self.using).items()}
        deadline = time.monotonic() + timeout_seconds
        while waiting and not self.stopping:
            waiting = {name: url for name, url in waiting.items() if not is_up(url)}
            for child in self.children:
                if child.process is not None and child.process.poll() is not None:
                    raise Unavailable(f"{child.name} does not start; see {child.log}")
            if waiting and time.monotonic() > deadline:
                name = next(iter(waiting))
                raise Unavailable(f"{name} does not become ready; see {self.using.data / 'logs'}")
            time.sleep(0.05)

    def _watch_postgres(self) -> None:
        """Start a server that has ended again; the others are watched while it recovers."""
        server, now = self.postgres, time.monotonic()
        if server is None:
            return
        if server.is_running():
            if now - self.postgres_started > _STEADY_SECONDS:
                self.postgres_pause = _FIRST_PAUSE_SECONDS
            if now - self.ballast_looked > _BALLAST_SECONDS:
                self.ballast_looked = now
                disks.keep_reserves(self.using.data)
            return
        if now - self.postgres_started < self.postgres_pause:
            return
        self.say("PostgreSQL ended; starting it again")
        if disks.release_reserves(self.using.data):
            self.say("the disk is full: giving the reserve file back for recovery")
        server.restart()
        self.postgres_started = now
        self.postgres_pause = min(self.postgres_pause * 2, _LONGEST_POSTGRES_PAUSE_SECONDS)
