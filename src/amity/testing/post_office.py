"""Only what sending needs, in processes of its own: a database, senders, a mail server that counts.

For tests that kill: `kill` ends any of them at once, `keep_alive` starts again what has ended.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from amity.infra import config, database
from amity.infra.crypto import load_secrets
from amity.infra.postgres import EmbeddedPostgres
from amity.testing.ports import free_port
from amity.testing.smtp_sink import read_log

_SETTINGS: Final = {"quiet_from": 0, "quiet_until": 0, "senders": 0, "disk_reserve_bytes": 0}


class PostOffice:
    """A folder with a database, `amity sender` processes and a counting sink."""

    def __init__(self, folder: Path, *, modes: str = "accept=1", **settings: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "sink.log"
        self.port = free_port()
        self.modes = modes
        self.postgres: EmbeddedPostgres | None = None
        self.senders: list[subprocess.Popen[bytes] | None] = []
        self.sink: subprocess.Popen[bytes] | None = None
        self.starts: Counter[str] = Counter()
        self._settings = {
            **_SETTINGS,
            "smtp_url": f"smtp://127.0.0.1:{self.port}?patience=0.005",
            "postal_address": "9 Sender Lane, Testville",
            **settings,
        }

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Point this process, and those it starts, at this database."""
        name = database.database_name()
        database.close_pools()
        with config.override(data=self.data, **self._settings):
            os.environ.pop("AMITY_DATABASE_URL", None)
            os.environ.pop("DATABASE_URL", None)
            config.settings.cache_clear()
            database.use_database("amity")
            try:
                yield
            finally:
                database.use_database(name)

    def start_postgres(self, *, is_new: bool = False, template: Path | None = None) -> None:
        """Start the database; with ``is_new`` bring its schema, or copy all from a template."""
        if template is not None:
            copy_tree(template, self.data)
        self.postgres = EmbeddedPostgres(self.data, load_secrets(self.data))
        self.postgres.start()
        if is_new:
            subprocess.run(
                [sys.executable, "-m", "amity.cli", "migrate"],
                env=config.environment(),
                check=True,
            )

    def start_sink(self) -> None:
        """Start the mail server; what it took before stays in its log."""
        self.starts["sink"] += 1
        self.sink = subprocess.Popen(  # noqa: S603  # our own arguments
            [
                *(sys.executable, "-m", "amity.testing.smtp_sink"),
                *("--port", str(self.port), "--log", str(self.log)),
                *("--modes", self.modes, "--seed", str(self.starts["sink"])),
            ],
        )

    def start_senders(self, count: int) -> None:
        """Start so many senders, whatever became of those before."""
        self.senders = [self._start_sender() for _ in range(count)]

    def _start_sender(self) -> subprocess.Popen[bytes]:
        self.starts["sender"] += 1
        with (self.folder / "sender.log").open("ab") as log:
            return subprocess.Popen(  # our own arguments
                [sys.executable, "-m", "amity.cli", "sender"],
                env=config.environment(),
                stdout=log,
                stderr=log,
            )

    def keep_alive(self) -> None:
        """Start again what has ended."""
        if self.postgres is not None and not self.postgres.is_running():
            self.postgres.restart()
        if self.sink is not None and self.sink.poll() is not None:
            self.start_sink()
        for place, process in enumerate(self.senders):
            if process is not None and process.poll() is not None:
                self.senders[place] = self._start_sender()

    def kill(self, victim: str, place: int = 0) -> None:
        """Kill -9 `sender`, `sink` or `postgres` (its head, which takes all sessions along)."""
        process = {
            "sender": self.senders[place % len(self.senders)] if self.senders else None,
            "sink": self.sink,
            "postgres": self.postgres.process if self.postgres else None,
        }[victim]
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop_senders(self) -> None:
        """Stop the senders in order."""
        for process in self.senders:
            if process is not None:
                process.terminate()
        for process in self.senders:
            if process is not None:
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.senders = []

    def stop(self) -> None:
        """Stop everything, the database last."""
        self.stop_senders()
        if self.sink is not None:
            self.sink.kill()
            self.sink.wait()
            self.sink = None
        database.close_pools()
        if self.postgres is not None:
            self.postgres.stop()
            self.postgres = None

    def size(self) -> int:
        """Return how much the mail server has taken so far."""
        return self.log.stat().st_size if self.log.exists() else 0

    def is_listening(self) -> bool:
        """Say whether the mail server answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def taken(self) -> Counter[str]:
        """Return how often the mail server took each message."""
        return read_log(self.log)


def copy_tree(source: Path, target: Path, *, without: tuple[str, ...] = ()) -> None:
    """Copy a folder as a restore would: owners and modes are kept, and every file is a new one."""
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*without))
    for path in (target, *target.rglob("*")):
        status = (source / path.relative_to(target)).stat(follow_symlinks=False)
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)


def wait_until(condition: Any, *, seconds: float, office: PostOffice | None = None) -> bool:
    """Wait for a condition that may fail while the database is away; say whether it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if office is not None:
            office.keep_alive()
        try:
            if condition():
                return True
        except Exception:
            time.sleep(0.2)
        time.sleep(0.05)
    return False
