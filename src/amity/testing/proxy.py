"""A proxy in front of PostgreSQL's socket that can fail on purpose, for tests."""

import contextlib
import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg.conninfo

from amity.infra import database

_COPY_DONE: Final = b"c\x00\x00\x00\x04"
_CHUNK: Final = 1 << 16


class FaultProxy:
    """Passes bytes between clients and the server until it is told to fail."""

    def __init__(self, folder: Path, server: str) -> None:
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
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
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                server.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

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
                    key.data.sendall(data)
                    if cutting:
                        server.recv(1)  # the server has answered: it has committed
                        raise ConnectionError
        _cut((client, server))


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
    with tempfile.TemporaryDirectory(prefix="amity-proxy-") as folder:
        proxy = FaultProxy(Path(folder), f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}")
        try:
            yield proxy, psycopg.conninfo.make_conninfo(direct, host=folder, port=5432)
        finally:
            proxy.close()
