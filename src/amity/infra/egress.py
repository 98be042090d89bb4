"""The one way out: every request to a host that a person or a record named goes through here.

A name is resolved once, every address it has is checked, and the connection goes to the checked
address itself, so an answer that changes between check and use changes nothing. Redirects are
returned, never followed; proxies of the environment are not used; size and time are bounded.
"""

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from amity.infra.addresses import (
    AllowList,
    IPAddress,
    clean_host,
    find_address,
    is_metadata,
    is_public,
    read_allow_list,
)
from amity.infra.config import settings
from amity.kernel.errors import Denied, Invalid, NeedsAttention, Permanent, Retryable

Socket = socket.socket
Resolver = Callable[[str, int], Sequence[str]]
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PORTS: Final = {"https": 443, "http": 80}
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_HEADER_BYTES: Final = 131_072
_CONNECT_TRIES: Final = 4
_SAFE: Final = "/%:@!$&'()*+,;=~-._?[]"


class Response(msgspec.Struct, frozen=True):
    """What came back. ``truncated`` says that the body went on beyond what was read."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool = False

    def header(self, name: str) -> str:
        """Return the first header of this name, or the empty text."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 2xx; a redirect is none, as nobody followed it."""
        return 200 <= self.status < 300

    @property
    def retry_after_seconds(self) -> int:
        """How long the other side asks to wait, when it says so in seconds; else 0."""
        text = self.header("retry-after").strip()
        return min(int(text), 86_400) if text.isascii() and text.isdecimal() else 0


class Target(msgspec.Struct, frozen=True):
    """A URL taken apart, its host cleaned."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def fetch(
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    timeout_seconds: float = 15.0,
    max_bytes: int = 65_536,
) -> Response:
    """Send one request and return whatever status comes back, with at most ``max_bytes`` of body.

    ``timeout_seconds`` bounds all of it: the name, the connection, the last byte. Raises Denied
    for what this deployment does not allow to call, before anything is sent; NeedsAttention for
    a certificate that does not hold; Retryable when nothing usable came back.
    """
    if method not in _METHODS:
        raise Invalid(f"{method!r} is not a method that is used here")
    if any(name.lower() in _OURS for name, _ in headers):
        raise Invalid("the length and the host of a request are not the caller's to set")
    deadline = time.monotonic() + timeout_seconds
    target = parse_url(url)
    addresses = _admit_target(target, deadline)
    with _told(target.host):
        wire = _Wire(_connect(target, addresses, deadline), deadline, max_bytes)
        try:
            return _exchange(wire, target, method, headers=headers, body=body)
        finally:
            wire.hang_up()


def check_url(url: str) -> None:
    """Raise Denied unless ``url`` may be called now; used when one is saved."""
    _admit_target(parse_url(url), time.monotonic() + 10)


def check_host(host: str, port: int) -> None:
    """Raise Denied unless a connection to this host may be made, whatever is spoken there."""
    resolve(host, port)


def resolve(host: str, port: int) -> str:
    """Return the address to connect to in place of ``host``, for drivers that open connections.

    All its addresses were checked; connect to this one, and keep the name for certificates.
    Raises Denied when one of them may not be called, Retryable when the name is not known.
    """
    if not 0 < port < 65536:
        raise Denied("there is no such port", code="bad_port")
    return str(_admit(clean_host(host), port, time.monotonic() + 10)[0][0])


def open_socket(host: str, port: int, *, timeout_seconds: float = 10.0) -> Socket:
    """Connect to a host that was checked, for drivers that speak over a socket they are given.

    Raises Denied as `resolve` does, OSError when nobody answers.
    """
    return socket.create_connection((resolve(host, port), port), timeout_seconds)


def expect_success(response: Response) -> Response:
    """Return a response of 2xx; raise Retryable or Permanent for any other, with its status only.

    What the other side wrote is not repeated: it may hold what the reader is not to see.
    """
    if response.is_success:
        return response
    if response.status in (408, 425, 429) or response.status >= 500:
        raise Retryable(
            f"the other side answered {response.status}",
            retry_after_seconds=response.retry_after_seconds or 60,
        )
    raise Permanent(f"the other side answered {response.status}")


def parse_url(url: str) -> Target:
    """Take a URL apart; raise Denied for what is no plain http(s) URL."""
    if not url.isascii() or any(sign <= " " or sign in '\\"<>^`{|}\x7f' for sign in url):
        raise Denied("write the URL in plain ASCII, without spaces", code="bad_url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Denied("this is not a URL", code="bad_url") from error
    if parts.scheme not in _PORTS:
        raise Denied("only https can be called", code="bad_scheme")
    if "@" in parts.netloc:
        raise Denied("a URL with a name or a password before the host is not used", code="bad_url")
    if not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        raise Denied("this URL names no host", code="bad_url")
    if "[" in parts.netloc and not parts.netloc.startswith("["):
        raise Denied("this is not a URL", code="bad_url")
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return Target(
        scheme=parts.scheme,
        host=clean_host(parts.hostname),
        port=_PORTS[parts.scheme] if port is None else port,
        path=path + query,
    )


def _admit_target(target: Target, deadline: float) -> list[IPAddress]:
    addresses = _admit(target.host, target.port, deadline)
    opened = all(is_opened for _, is_opened in addresses)
    if not opened and (target.scheme, target.port) != ("https", 443):
        raise Denied(
            "only https on port 443 is called; another port or http must be opened with "
            "AMITY_EGRESS_ALLOW",
            code="bad_port",
        )
    return [address for address, _ in addresses]


def _admit(host: str, port: int, deadline: float) -> list[tuple[IPAddress, bool]]:
    """Return the addresses of a host, each with whether the deployment opened it in so many words.

    One address that may not be called condemns the name: it is not for us to guess which one
    was meant.
    """
    allowed = _allow_list(settings().egress_allow)
    by_name = allowed.has_host(host, port)
    literal = find_address(host)
    if not (by_name or literal or "." in host):
        raise Denied(
            f"{host!r} is a name of this network; open it with AMITY_EGRESS_ALLOW if it is meant",
            code="private_host",
        )
    found = [literal] if literal else _look_up(host, port, deadline)
    checked: list[tuple[IPAddress, bool]] = []
    for address in found:
        opened = not is_metadata(address) and (by_name or allowed.has_address(address))
        if not opened and (not is_public(address) or is_own(address)):
            raise Denied(
                f"{host!r} leads into a private network or to this machine; open it with "
                "AMITY_EGRESS_ALLOW if it is meant",
                code="private_host",
            )
        checked.append((address, opened))
    return checked


@cache
def _allow_list(text: str) -> AllowList:
    return read_allow_list(text)


def is_own(address: IPAddress) -> bool:
    """Return whether the address is this machine's: only then can a socket be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def ask_system(host: str, port: int) -> Sequence[str]:
    """Return the addresses the system's resolver knows for a name, each once, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


_resolver: Resolver = ask_system


@contextlib.contextmanager
def resolving_by(resolver: Resolver) -> Iterator[None]:
    """Ask another resolver for a while, as tests do to play a hostile one."""
    global _resolver  # noqa: PLW0603  # one process, one resolver
    before, _resolver = _resolver, resolver
    try:
        yield
    finally:
        _resolver = before


def _look_up(host: str, port: int, deadline: float) -> list[IPAddress]:
    """Resolve a name once. In a thread, as the system's resolver knows no time limit of ours."""
    answers: list[Sequence[str] | Exception] = []

    def ask() -> None:
        try:
            answers.append(_resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    asking = threading.Thread(target=ask, name="amity-resolve", daemon=True)
    asking.start()
    asking.join(max(0.0, deadline - time.monotonic()))
    answer = answers[0] if answers else TimeoutError()
    if isinstance(answer, Exception):
        raise Retryable(f"the name {host!r} could not be found", code="no_address") from answer
    addresses = [find_address(text) for text in answer]
    if not addresses or None in addresses:
        raise Denied(f"{host!r} has no address that may be called", code="private_host")
    return [address for address in addresses if address]


def _connect(target: Target, addresses: Sequence[IPAddress], deadline: float) -> socket.socket:
    """Connect to one of the checked addresses, in their order, under the name of the URL."""
    for number, address in enumerate(addresses[:_CONNECT_TRIES], start=1):
        try:
            plain = socket.create_connection((str(address), target.port), _left(deadline))
        except OSError:
            if number == min(len(addresses), _CONNECT_TRIES):
                raise
            continue
        if target.scheme == "http":
            return plain
        plain.settimeout(_left(deadline))
        try:
            return tls().wrap_socket(plain, server_hostname=target.host)
        except BaseException:
            plain.close()
            raise
    raise OSError("no address")


@cache
def tls() -> ssl.SSLContext:
    """Return how to encrypt: certificates and host names are checked, always."""
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left


class _Wire:
    """A connection as `http.client` wants it, that ends with its deadline and with its budget."""

    def __init__(self, connection: socket.socket, deadline: float, max_bytes: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._budget = 2 * max_bytes + _HEADER_BYTES
        self.max_bytes = max_bytes

    @property
    def is_spent(self) -> bool:
        """Whether more was sent than is ever read."""
        return self._budget <= 0

    def receive(self, buffer: Any) -> int:
        """Read what there is into ``buffer``; 0 at the end, and when the budget is."""
        room = memoryview(buffer)[: max(0, self._budget)]
        if not room.nbytes:
            return 0
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(room)
        self._budget -= count
        return count

    def sendall(self, content: Any) -> None:
        """Send all of it before the deadline."""
        rest = memoryview(content)
        while rest.nbytes:
            self._connection.settimeout(_left(self._deadline))
            rest = rest[self._connection.send(rest) :]

    def makefile(self, *_: Any) -> io.BufferedReader:
        """Return a reader of the connection."""
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Do nothing: `http.client` says this before the body is read."""

    def hang_up(self) -> None:
        """End the connection."""
        self._connection.close()


class _Reader(io.RawIOBase):
    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive(buffer)


def _exchange(
    wire: _Wire,
    target: Target,
    method: str,
    *,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> Response:
    line = http.client.HTTPConnection(target.host, target.port)
    line.sock = wire
    line.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    line.putheader("Host", target.authority)
    line.putheader("Connection", "close")
    if body or method in ("POST", "PUT", "PATCH"):
        line.putheader("Content-Length", str(len(body)))
    given = {name.lower() for name, _ in headers}
    for name, value in (("Accept-Encoding", "identity"), ("User-Agent", "Amity")):
        if name.lower() not in given:
            line.putheader(name, value)
    for name, value in headers:
        line.putheader(name, value)
    line.endheaders(body or None)
    answer = line.getresponse()
    content, truncated = _read(answer, wire)
    encoding = answer.getheader("content-encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate") and content:
        content, truncated = _inflate(content, wire.max_bytes, truncated=truncated)
    return Response(answer.status, tuple(answer.getheaders()), content, truncated)


def _read(answer: http.client.HTTPResponse, wire: _Wire) -> tuple[bytes, bool]:
    """Read at most the bytes allowed; a reply that is cut off by the other side is none."""
    try:
        content = answer.read(wire.max_bytes + 1)
    except http.client.IncompleteRead as error:
        if not wire.is_spent:
            raise
        return error.partial[: wire.max_bytes], True
    if len(content) > wire.max_bytes:
        return content[: wire.max_bytes], True
    missing = not wire.is_spent and answer.length and answer.chunked is False
    if missing:
        raise http.client.IncompleteRead(content)
    return content, wire.is_spent


def _inflate(content: bytes, max_bytes: int, *, truncated: bool) -> tuple[bytes, bool]:
    """Unpack at most ``max_bytes``, so that a small reply cannot become a large one."""
    machine = zlib.decompressobj(wbits=47)
    try:
        plain = machine.decompress(content, max_bytes)
    except zlib.error as error:
        raise http.client.HTTPException("the body is not what its header says") from error
    return plain, truncated or bool(machine.unconsumed_tail)


@contextlib.contextmanager
def _told(host: str) -> Iterator[None]:
    """Turn what can go wrong on a wire into words, none of which come from the other side."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise NeedsAttention(
            f"the certificate of {host!r} does not hold", code="bad_certificate"
        ) from error
    except TimeoutError as error:
        raise Retryable(f"{host!r} did not answer in time", code="timeout") from error
    except OSError as error:
        raise Retryable(f"{host!r} could not be reached", code="unreachable") from error
    except http.client.HTTPException as error:
        raise Retryable(f"{host!r} answered with what is not HTTP", code="bad_answer") from error
    except ValueError as error:
        raise Invalid("a header of this request has a character that none may have") from error
