"""Real servers to pull from: a MariaDB of the test's own, and the embedded PostgreSQL by TCP."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pymysql

from amity.testing.ports import free_port

_PASSWORD: Final = "p@ss/w:rd%é"  # noqa: S105  # of a server that lives for one test
_START_SECONDS: Final = 60.0
_CHUNK: Final = 1 << 16
_PATHS: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


class MariaDB:
    """A running server: its port on loopback, and the one account, which may do anything."""

    user: Final = "shop"
    password: Final = _PASSWORD

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.socket = str(folder / "s")

    def connect(self, database: str | None = None) -> Any:
        """Return a connection that may write, for the test to play the shop."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password.encode(),
            database=database,
            charset="utf8mb4",
            autocommit=True,
        )


def find_mariadb() -> tuple[str, str] | None:
    """Return the paths of the server and of what makes its folder, or None without them."""
    server = shutil.which("mariadbd", path=_PATHS)
    maker = shutil.which("mariadb-install-db", path=_PATHS)
    return (server, maker) if server and maker else None


@contextlib.contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """Run a server in a folder of its own, as an ordinary user, until the block ends."""
    found = find_mariadb()
    assert found, "there is no MariaDB here (scripts/servers.sh)"
    server, maker = found
    account = ["--user=nobody"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="amity-maria-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if account:
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        common = ["--no-defaults", f"--datadir={folder / 'data'}", *account]
        subprocess.run(  # noqa: S603  # a server that was found here
            [maker, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
        )
        port = free_port()
        more = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 's'}"]
        sizes = ["--innodb-buffer-pool-size=16M", "--skip-log-bin", "--skip-name-resolve"]
        command = [server, *common, *more, *sizes, f"--pid-file={folder / 'pid'}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            running = MariaDB(port, folder)
            _make_account(running, process)
            yield running
        finally:
            process.terminate()
            process.wait(timeout=30)


def _make_account(server: MariaDB, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(server.socket):
        assert process.poll() is None, "MariaDB ended by itself"
        assert time.monotonic() < deadline, "MariaDB did not start"
        time.sleep(0.05)
    root = pymysql.connect(unix_socket=server.socket, user="root", charset="utf8mb4")
    with root, root.cursor() as cursor:
        who = (server.user, "%", server.password)
        cursor.execute("CREATE USER %s@%s IDENTIFIED BY %s", who)
        cursor.execute("GRANT ALL ON *.* TO %s@%s", who[:2])


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@contextlib.contextmanager
def forwarding(path: str) -> Iterator[int]:
    """Let a Unix socket be reached by TCP on loopback; the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(path)
            open_sockets.extend((client, server))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in open_sockets:
            each.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_CHUNK):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
