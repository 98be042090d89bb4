"""A real IMAP server for tests: Dovecot, as an ordinary process in a folder of its own."""

import contextlib
import grp
import imaplib
import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from amity.testing.ports import free_port

_START_SECONDS: Final = 60.0
_CONFIG: Final = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
disable_plaintext_auth = no
auth_failure_delay = 0
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


class MailServer(msgspec.Struct, frozen=True):
    """A server that takes any user with one password; its certificate is for `localhost`."""

    port: int
    tls_port: int
    certificate: Path
    password: str = "seven-kettles"  # noqa: S105  # of a server that lives for a test

    def put(self, user: str, *messages: bytes) -> None:
        """Put messages into a user's inbox."""
        with self._signed_in(user) as client:
            for message in messages:
                client.append("INBOX", None, None, message)

    def renew(self, user: str) -> None:
        """Make a user's inbox anew: its messages get other numbers."""
        with self._signed_in(user) as client:
            client.rename("INBOX", f"old{time.monotonic_ns()}")

    @contextlib.contextmanager
    def _signed_in(self, user: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port) as client:
            client.login(user, self.password)
            yield client


def find_dovecot() -> str | None:
    """Return the server's program, None when it is not installed (`scripts/servers.sh`)."""
    return shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")


@contextlib.contextmanager
def running_dovecot() -> Iterator[MailServer]:
    """Run a server until the block ends."""
    program = find_dovecot()
    assert program, "there is no Dovecot here (scripts/servers.sh)"
    who = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with tempfile.TemporaryDirectory(prefix="amity-mail-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        certificate = _make_certificate(folder)
        server = MailServer(free_port(), free_port(), certificate)
        config = _CONFIG.format(
            folder=folder,
            user=who.pw_name,
            group=grp.getgrgid(who.pw_gid).gr_name,
            uid=who.pw_uid,
            gid=who.pw_gid,
            port=server.port,
            tls_port=server.tls_port,
            password=server.password,
        )
        (folder / "conf").write_text(config, "utf-8")
        (folder / "mail").mkdir()
        os.chmod(folder, 0o755)  # noqa: S103  # the server's processes are somebody else's
        os.chown(folder / "mail", who.pw_uid, who.pw_gid)
        command = [program, "-F", "-c", str(folder / "conf")]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603
            try:
                _wait(server, process, folder)
                yield server
            finally:
                process.terminate()
                process.wait(timeout=20)


def _make_certificate(folder: Path) -> Path:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    kind = "openssl req -x509 -newkey ec -nodes -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
    whose = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [*kind.split(), *whose, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own arguments
    return certificate


def _wait(server: MailServer, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError, ssl.SSLError, imaplib.IMAP4.error):
            with imaplib.IMAP4("127.0.0.1", server.port) as client:
                client.noop()
            return
        log = folder / "log"
        said = log.read_text("utf-8", "replace") if log.exists() else ""
        assert process.poll() is None, f"Dovecot ended by itself: {said}"
        assert time.monotonic() < deadline, f"Dovecot did not start: {said}"
        time.sleep(0.05)
