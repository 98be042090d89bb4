"""Speaking IMAP with somebody else's server (RFC 9051): bounded, over a checked address."""

import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator
from typing import Any, Final

from amity.infra import egress
from amity.kernel.errors import Denied, Invalid, Retryable
from amity.store.contracts_hooks import MailboxPlan
from amity.store.logic.mail.reading import MOST_BYTES

WINDOW: Final = 2_000
_TIMEOUT_SECONDS: Final = 20.0
_MOST_LITERAL: Final = MOST_BYTES + 65_536
_NUMBER: Final = re.compile(rb"\d+")


class _Bounded(imaplib.IMAP4):
    """A client that reads no more at once than it asked for, whatever the server announces."""

    def _create_socket(self, timeout: float | None) -> egress.Socket:
        return egress.open_socket(self.host, self.port, timeout_seconds=_TIMEOUT_SECONDS)

    def read(self, size: int) -> bytes:
        if size > _MOST_LITERAL:
            raise self.abort("the server sends more than was asked for")
        return super().read(size)


class _BoundedTls(_Bounded):
    """The same, with TLS from the first byte."""

    def _create_socket(self, timeout: float | None) -> egress.Socket:
        plain = super()._create_socket(timeout)
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


class Folder:
    """One folder of a mailbox, open for reading only."""

    def __init__(self, client: imaplib.IMAP4, validity: int, next_uid: int) -> None:
        self._client = client
        self.validity = validity
        """When it changes, the numbers of messages mean others than before."""
        self.next_uid = next_uid
        """Messages have lower numbers than this."""

    def list_uids(self, first: int, last: int) -> list[int]:
        """Return the numbers there are in a range, at most `WINDOW` of them asked for."""
        kind, found = self._client.uid("SEARCH", None, f"UID {first}:{last}")  # type: ignore[arg-type]
        _expect(kind, found)
        numbers = _NUMBER.findall(found[0] or b"") if found else []
        return sorted({int(n) for n in numbers if first <= int(n) <= last})

    def fetch(self, uid: int) -> bytes:
        """Return the beginning of a message, b"" when it has gone; it stays unread."""
        kind, found = self._client.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
        _expect(kind, found)
        return next((bytes(each[1]) for each in found if isinstance(each, tuple)), b"")


@contextlib.contextmanager
def open_folder(plan: MailboxPlan, password: str) -> Iterator[Folder]:
    """Sign in and open a folder; raise Denied, Invalid for what must be mended, or Retryable."""
    client: imaplib.IMAP4 | None = None
    try:
        client = _connect(plan)
        _sign_in(client, plan, password)
        yield _select(client, plan)
    except ssl.SSLError as error:
        raise Invalid(f"the certificate of {plan.host!r} does not hold") from error
    except imaplib.IMAP4.abort as error:
        raise Retryable(f"{plan.host!r} ended the conversation") from error
    except imaplib.IMAP4.error as error:
        raise Retryable(f"{plan.host!r} answered what is not understood") from error
    except OSError as error:
        raise Retryable(f"{plan.host!r} could not be reached") from error
    finally:
        if client is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                client.logout()


def _connect(plan: MailboxPlan) -> imaplib.IMAP4:
    if plan.security == "tls":
        return _BoundedTls(plan.host, plan.port, timeout=_TIMEOUT_SECONDS)
    if plan.security == "none" and not egress.resolve(plan.host, plan.port).startswith("127."):
        raise Denied("a password goes over the network by TLS only", code="no_tls")
    client = _Bounded(plan.host, plan.port, timeout=_TIMEOUT_SECONDS)
    if plan.security == "starttls":
        client.starttls(ssl.create_default_context())
    return client


def _sign_in(client: imaplib.IMAP4, plan: MailboxPlan, password: str) -> None:
    try:
        client.login(plan.username, password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        raise Invalid("the mail server refuses this user name and password") from error


def _select(client: imaplib.IMAP4, plan: MailboxPlan) -> Folder:
    quoted = '"' + plan.folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
    kind, _ = client.select(quoted, readonly=True)
    if kind != "OK":
        raise Invalid(f"there is no folder {plan.folder!r} in this mailbox")
    validity, following = _number(client, "UIDVALIDITY"), _number(client, "UIDNEXT")
    if not validity or not following:
        raise Invalid("this mail server gives its messages no lasting numbers")
    return Folder(client, validity, following)


def _number(client: imaplib.IMAP4, name: str) -> int:
    _, found = client.response(name)
    text = found[0] if found else None
    digits = _NUMBER.search(text) if isinstance(text, bytes) else None
    return int(digits[0]) if digits else 0


def _expect(kind: str, found: Any) -> None:
    if kind != "OK":
        raise Retryable("the mail server refused to tell what is in the folder")
