"""A whole Amity on free ports and a folder of its own, for tests that use it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from amity.testing.ports import free_port

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], *, seconds: float = 60, what: str = "it") -> T:
    """Return the first truthy answer of ``condition``; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that ended and waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Installation:
    """`amity up` in a folder, with the command line and the collector beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # How Python is called; a test may have it run as somebody else.
        self.python = [sys.executable]
        self.web_port = free_port()
        self.edge_port = free_port()
        self.mailbox_port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL"}},
            "AMITY_DATA": str(folder / "data"),
            "AMITY_WEB_PORT": str(self.web_port),
            "AMITY_EDGE_PORT": str(self.edge_port),
            "AMITY_MAILBOX_PORT": str(self.mailbox_port),
            "AMITY_DISK_RESERVE_BYTES": "0",
            "PYTHONWARNINGS": "",
        }
        self.process: subprocess.Popen[str] | None = None
        self.output = folder / "up.log"

    @property
    def web(self) -> str:
        """Where the screens are."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def edge(self) -> str:
        """Where the collector is."""
        return f"http://127.0.0.1:{self.edge_port}"

    def without_mail(self) -> "Installation":
        """Leave out the processes that only mail needs: it starts the sooner."""
        self.environment |= {"AMITY_SENDERS": "0", "AMITY_SMTP_URL": "smtp://127.0.0.1:9"}
        return self

    def start(self, *options: str, seconds: float = 180) -> None:
        """Start it and wait until it greets."""
        with self.output.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(  # noqa: S603  # our own arguments
                [*self.python, "-m", "amity.cli", "up", *options],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )

        def greeted() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"amity up ended:\n{self.output.read_text('utf-8')}")
            return "Ctrl-C stops everything" in self.output.read_text("utf-8")

        wait_for(greeted, seconds=seconds, what="amity up")

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def amity(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line against this installation."""
        done = subprocess.run(  # noqa: S603  # our own arguments
            [*self.python, "-m", "amity.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"amity {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done

    def amity_json(self, *arguments: str) -> Any:
        """Run a command with --json and return its document."""
        return json.loads(self.amity(*arguments, "--json").stdout)

    def collect(self, path: str, body: object, write_key: str) -> tuple[int, dict[str, Any]]:
        """POST to the collector; return status and answer."""
        request = urllib.request.Request(  # noqa: S310  # our own address
            f"{self.edge}/v1/{path}",
            data=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
        )
        request.add_header("Authorization", "Basic " + b64encode(f"{write_key}:".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # ours
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def descendants(self) -> dict[int, str]:
        """Return the processes below `amity up`, by id, with their command lines."""
        assert self.process is not None
        parents: dict[int, int] = {}
        commands: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text("utf-8")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
            commands[int(entry.name)] = command.strip()
        found: dict[int, str] = {}
        frontier = {self.process.pid}
        while frontier:
            frontier = {pid for pid, parent in parents.items() if parent in frontier}
            found.update({pid: commands[pid] for pid in frontier})
        return found

    def find_process(self, part: str) -> int:
        """Return the id of the first process below `amity up` whose command holds ``part``."""
        return wait_for(
            lambda: next((p for p, c in sorted(self.descendants().items()) if part in c), None),
            what=part,
        )
