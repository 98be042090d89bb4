"""A real collector in a process of its own, for tests and benchmarks."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from amity.infra import database
from amity.infra.config import environment
from amity.testing.ports import free_port

_START_SECONDS: Final = 90.0


class LiveEdge:
    """A collector on one port, in processes that can be killed and started again."""

    def __init__(self, port: int, environ: dict[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._environ = environ
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "amity.edge"], env=self._environ, stdin=subprocess.DEVNULL
        )

    def worker_pids(self) -> list[int]:
        """Return the processes that answer requests (children of the one we started)."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def kill_and_restart(self) -> None:
        """Kill all of it without warning and start it again, as the supervisor does."""
        for pid in self.worker_pids():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process = self._start()
        wait_until_ready(self)

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running_edge(
    *, database_url: str | None = None, wait: bool = True, **settings: object
) -> Iterator[LiveEdge]:
    """Start a collector on this process's database, stop it at the end.

    With ``wait`` it is ready then, without it answers, ready or not.

    ``settings`` become `AMITY_…` variables of its process.
    """
    port = free_port()
    more = {f"AMITY_{name.upper()}": str(value) for name, value in settings.items()}
    environ = {
        **environment(),
        "AMITY_DATABASE_URL": database_url or database.conninfo("app"),
        "AMITY_EDGE_PORT": str(port),
        "AMITY_EDGE_HOST": "127.0.0.1",
        **more,
    }
    edge = LiveEdge(port, environ)
    try:
        wait_until_ready(edge, path="/health/ready" if wait else "/health/live")
        yield edge
    finally:
        edge.stop()


def wait_until_ready(edge: LiveEdge, *, path: str = "/health/ready", status: int = 200) -> None:
    """Wait until a health address answers ``status``."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if edge.process.poll() is not None:
            raise RuntimeError(f"the collector ended with {edge.process.returncode}")
        try:
            if send(edge.url + path)[0] == status:
                return
        except OSError:
            pass
        time.sleep(0.03)
    raise TimeoutError(f"{path} did not become {status}")


def send(
    url: str,
    body: bytes | None = None,
    *,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    method: str | None = None,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Send one request; return the status, the JSON of the answer ({} without) and its headers."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)  # noqa: S310
    if key is not None:
        request.add_header("Authorization", basic(key))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, _json(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read()), dict(error.headers)


def basic(key: str) -> str:
    """Return the header with which the SDKs send a write key."""
    return "Basic " + msgspec.json.encode(f"{key}:".encode()).decode().strip('"')


def _json(body: bytes) -> dict[str, Any]:
    return dict(json.loads(body)) if body else {}


def process_cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
