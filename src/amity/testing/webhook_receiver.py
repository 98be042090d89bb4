"""A receiver of webhooks that behaves as its path says: for tests of what is told to others."""

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple


class Received(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(http.server.ThreadingHTTPServer):
    """Answers 200, or `/STATUS/…` with that status, `/slow/…` after a second, `/hang/…` never."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.mended = False
        """Answers 200 to everything from now on."""
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, path: str) -> int:
        """Return how many requests came to addresses that begin so."""
        return sum(each.path.startswith(path) for each in self.received)

    def ids(self, path: str) -> Counter[str]:
        """Return how often each message came to addresses that begin so; halves count for none."""
        came = [each.headers for each in self.received if each.path.startswith(path)]
        return Counter(head["webhook-id"] for head in came if "webhook-id" in head)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.path, headers, body))
        how = self.path.split("/")[1]
        if how == "hang" and not self.server.mended:
            self.server.over.wait(30)
        if how == "slow":
            time.sleep(1)
        status = int(how) if how.isdecimal() and not self.server.mended else 200
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "120")
        if status == 302:
            self.send_header("Location", f"{self.server.url}/stolen")
        with suppress(OSError):  # who asked may have waited no longer
            self.end_headers()
            self.wfile.write(b"thank you")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port for a while."""
    server = Receiver()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
