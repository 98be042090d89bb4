"""A proxy that can fail on purpose, in front of PostgreSQL's socket or of any port, for tests."""

import contextlib
import random
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, get_args

import psycopg.conninfo

from amity.infra import database

_COPY_DONE: Final = b"c\x00\x00\x00\x04"
_CHUNK: Final = 1 << 16
_SLOW_SECONDS: Final = 0.15
_DRIP_SECONDS: Final = 0.02
_LOOK_SECONDS: Final = 0.02

Weather = Literal["fair", "slow", "drip", "silent", "gone", "torn", "shuffled"]
"""How the network is: each piece late, byte by byte, nothing passed on, the other side gone
without a word, cut in the middle of a piece, new connections made late and in another order."""
WEATHERS: Final[tuple[Weather, ...]] = get_args(Weather)


class FaultProxy:
    """Passes bytes between clients and the server until it is told to fail."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self._listener = listener
        self._connect = connect
        self.weather: Weather = "fair"
        self.struck = 0
        """How many pieces or connections the weather has met."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._closed = False
        self.is_down = False
        self.cuts_left = 0
        # Whether to cut before the end of the COPY is passed on, so that nothing is committed.
        self.cut_early = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def go_down(self) -> None:
        """Cut all connections and refuse new ones, as a stopped server does."""
        self.is_down = True
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _cut(pair)

    def come_back(self) -> None:
        """Let connections through again."""
        self.is_down = False

    def close(self) -> None:
        """End everything."""
        self._closed = True
        self.go_down()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.weather == "shuffled":
            self.struck += 1
            time.sleep(random.uniform(0, 5 * _SLOW_SECONDS))  # noqa: S311  # any order will do
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        with self._lock:
            self._pairs.append((client, server))
        self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        """Pass bytes on; after the end of a COPY, while cuts are left, cut before the reply."""
        with selectors.DefaultSelector() as ready, contextlib.suppress(OSError, ValueError):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(_CHUNK)
                    if not data:
                        raise ConnectionError
                    cutting = source is client and self.cuts_left and _COPY_DONE in data[-16:]
                    if cutting:
                        self.cuts_left -= 1
                        self.cuts += 1
                        if self.cut_early:
                            raise ConnectionError
                    self._pass(key.data, data)
                    if cutting:
                        server.recv(1)  # the server has answered: it has committed
                        raise ConnectionError
        _cut((client, server))

    def _pass(self, target: socket.socket, data: bytes) -> None:
        """Pass a piece on, as the weather lets it."""
        weather = self.weather
        self.struck += weather not in {"fair", "shuffled"}
        if weather == "slow":
            time.sleep(_SLOW_SECONDS)
        elif weather == "torn":
            target.sendall(data[: len(data) // 2])
            raise ConnectionError
        elif weather in {"silent", "gone"}:
            self._wait_out(weather)
            if weather == "gone":
                raise ConnectionError
        while data and self.weather == "drip" and not self._closed:
            target.sendall(data[:1])
            data = data[1:]
            time.sleep(_DRIP_SECONDS)
        target.sendall(data)

    def _wait_out(self, weather: Weather) -> None:
        while self.weather == weather and not self._closed:
            time.sleep(_LOOK_SECONDS)


def _cut(pair: tuple[socket.socket, socket.socket]) -> None:
    for each in pair:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextlib.contextmanager
def fault_proxy() -> Iterator[tuple[FaultProxy, str]]:
    """Run a proxy before this process's database; give it and how to connect through it."""
    direct = database.conninfo("app")
    parts = psycopg.conninfo.conninfo_to_dict(direct)
    path = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"

    def connect() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(path)
        except OSError:
            server.close()
            raise
        return server

    with tempfile.TemporaryDirectory(prefix="amity-proxy-") as folder:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(Path(folder) / ".s.PGSQL.5432"))
        listener.listen(64)
        proxy = FaultProxy(listener, connect)
        try:
            yield proxy, psycopg.conninfo.make_conninfo(direct, host=folder, port=5432)
        finally:
            proxy.close()


@contextlib.contextmanager
def fault_port(port: int) -> Iterator[tuple[FaultProxy, int]]:
    """Run a proxy before a port of this machine; give it and the port it listens on."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    proxy = FaultProxy(listener, lambda: socket.create_connection(("127.0.0.1", port), timeout=5))
    try:
        yield proxy, int(listener.getsockname()[1])
    finally:
        proxy.close()
