"""The one way out: what may be called, what is refused before a byte leaves, what ends in time."""

import gzip
import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from amity.infra import config, egress
from amity.infra.addresses import is_public
from amity.kernel.errors import (
    AmityError,
    Denied,
    Invalid,
    NeedsAttention,
    Permanent,
    Retryable,
)

PRIVATE = [
    "127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.5.4", "172.31.255.254", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0", "192.0.0.8", "192.0.2.7",
    "198.18.0.1", "198.51.100.9", "203.0.113.5", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "168.63.129.16",
]  # fmt: skip
PRIVATE_SIX = [
    "::", "::1", "fe80::1", "fe80::1%25lo", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1",
    "100::1", "2001::1", "2001:db8::1", "2001:10::1", "2001:20::1", "3fff::1", "5f00::1",
    "64:ff9b:1::1", "2620:4f:8000::1", "4000::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1",
    "2606:4700::1111", "2a00:1450:4001::200e", "64:ff9b::808:808", "2002:808:808::1",
    "::ffff:8.8.8.8",
]  # fmt: skip


def _forms(dotted: str) -> list[str]:
    """Return every way we know to write an IPv4 address into a URL."""
    number = int(ipaddress.IPv4Address(dotted))
    a, b, c, d = dotted.split(".")
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    turned = number ^ 0xFFFFFFFF
    return [
        dotted, f"{dotted}.", str(number), f"0x{number:08x}", f"0X{number:08X}", f"0{number:o}",
        ".".join(f"0{int(part):o}" for part in (a, b, c, d)),
        ".".join(f"0x{int(part):x}" for part in (a, b, c, d)),
        f"{a}.{(int(b) << 16) + (int(c) << 8) + int(d)}", f"{a}.{b}.{(int(c) << 8) + int(d)}",
        f"0{a}.{b}.{c}.{d}", f"{a}.{b}.{c}.0x{int(d):x}",
        f"[::ffff:{dotted}]", f"[::ffff:{high}:{low}]", f"[0:0:0:0:0:ffff:{dotted}]",
        f"[::{dotted}]", f"[2002:{high}:{low}::]", f"[2002:{high}:{low}::1]",
        f"[64:ff9b::{dotted}]", f"[64:ff9b:1::{dotted}]",
        f"[2001:0:{high}:{low}::1]",
        f"[2001:0:808:808:0:0:{turned >> 16:x}:{turned & 0xFFFF:x}]",
        f"[2606:4700::5efe:{dotted}]", f"[2606:4700::200:5efe:{dotted}]",
        f"{dotted}.nip.io", f"a.{dotted.replace('.', '-')}.nip.io",
        f"user:pass@{dotted}", f"8.8.8.8@{dotted}", f"{dotted}\\@8.8.8.8", f"{dotted}#@8.8.8.8",
        dotted.replace(".", "。"), dotted.replace("1", "①"), dotted.replace(".", "%2e"),
        f"%{ord(dotted[0]):02x}{dotted[1:]}", f" {dotted}", f"{dotted}\t", f"[{dotted}]",
    ]  # fmt: skip


HOSTS = [form for address in PRIVATE for form in _forms(address)]
HOSTS += [f"[{address}]" for address in PRIVATE_SIX]
HOSTS += [
    "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "metadata",
    "metadata.google.internal", "intranet", "a..b", ".", "", "-a.example", "a-.example",
    "mixed.example", "mapped.example", "none.example",
]  # fmt: skip
ODD = [
    "file:///etc/passwd", "gopher://127.0.0.1:70/_x", "unix:///run/x.sock", "ftp://127.0.0.1/",
    "http:127.0.0.1", "https:/127.0.0.1/", "//127.0.0.1/", "127.0.0.1", "https://", "dict://x:1/",
    "https://[::1", "https://::1/", "https://[::1]x/", "https://[fe80::1%25eth0]/", "javascript:1",
    "https://8.8.8.8:0/", "https://8.8.8.8:99999/", "https://8.8.8.8:-1/", "https://8.8.8.8:/",
    "http://8.8.8.8/", "https://8.8.8.8:8443/", "https://8.8.8.8:22/", "jar:https://8.8.8.8!/",
]  # fmt: skip


def hostile_resolver(host: str, port: int) -> list[str]:
    """Play the names of the table: `nip.io` names mean their number, the rest this machine."""
    if host == "mixed.example":
        return ["93.184.216.34", "127.0.0.1"]
    if host == "mapped.example":
        return ["::ffff:127.0.0.1"]
    if host == "none.example":
        raise socket.gaierror(socket.EAI_NONAME, "unknown")
    if host.endswith(".nip.io"):
        middle = host.removesuffix(".nip.io").removeprefix("a.").replace("-", ".")
        return [str(ipaddress.IPv4Address(middle))]
    return ["127.0.0.1"]


class Canary:
    """A listener that only counts who came."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.socket.listen(64)
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def count(self) -> int:
        """Return how many connections were made since the last look."""
        seen = 0
        while True:
            try:
                self.socket.accept()[0].close()
            except BlockingIOError:
                return seen
            seen += 1


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.socket.close()


def test_nothing_of_the_table_reaches_the_canary(canary: Canary) -> None:
    six = Canary("::1", canary.port)
    urls = [f"https://{host}{port}/x" for host in HOSTS for port in ("", f":{canary.port}")]
    urls += [f"http://{host}:{canary.port}/" for host in HOSTS] + ODD
    assert len(set(urls)) >= 400
    with egress.resolving_by(hostile_resolver):
        for url in urls:
            with pytest.raises((Denied, Retryable)) as refused:
                egress.fetch(method="GET", url=url, timeout_seconds=2)
            assert "none.example" in url or refused.type is Denied, (url, refused.value)
    assert (canary.count(), six.count()) == (0, 0)
    six.socket.close()


def test_a_driver_is_given_no_private_address(canary: Canary) -> None:
    with egress.resolving_by(hostile_resolver):
        for host in HOSTS:
            with pytest.raises((Denied, Retryable)):
                egress.check_host(host.strip("[]"), canary.port)
        with egress.resolving_by(lambda host, port: ["8.8.4.4", "2001:4860:4860::8844"]):
            assert egress.resolve("dns.example", 5432) == "8.8.4.4"
    assert canary.count() == 0


def test_the_proxies_of_the_environment_are_not_asked(
    canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    with config.override(egress_allow="127.0.0.2/32"), pytest.raises(Retryable):
        egress.fetch(method="GET", url="http://127.0.0.2:9/", timeout_seconds=2)
    assert canary.count() == 0


@pytest.mark.parametrize("text", PRIVATE + [six for six in PRIVATE_SIX if "%" not in six])
def test_private_addresses_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def test_own_addresses_are_known() -> None:
    assert egress.is_own(ipaddress.ip_address("127.0.0.1"))
    assert not egress.is_own(ipaddress.ip_address("8.8.8.8"))


def test_a_network_can_be_opened_but_never_what_serves_credentials() -> None:
    with config.override(egress_allow="169.254.0.0/16, 10.0.0.0/8 erp.internal:8443"):
        assert egress.resolve("10.1.2.3", 5432) == "10.1.2.3"
        with egress.resolving_by(lambda host, port: ["192.168.7.7"]):
            assert egress.resolve("erp.internal", 8443) == "192.168.7.7"
            with pytest.raises(Denied):
                egress.resolve("erp.internal", 8444)
        with egress.resolving_by(lambda host, port: ["169.254.169.254"]), pytest.raises(Denied):
            egress.resolve("erp.internal", 8443)
        with pytest.raises(Denied):
            egress.resolve("169.254.169.254", 80)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "host", "host:0", "host:x"])
def test_a_wrong_setting_is_named(text: str) -> None:
    with config.override(egress_allow=text), pytest.raises(Invalid, match=text.partition("/")[0]):
        egress.resolve("8.8.8.8", 443)


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Replier(http.server.BaseHTTPRequestHandler):
    """Answers in all the ways a bad target does."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._send(200, str(self.headers).encode() + body)

    def do_GET(self) -> None:
        match self.path:
            case "/redirect":
                self._send(302, b"", ("Location", "http://127.0.0.1:1/"))
            case "/bomb":
                self._send(200, gzip.compress(b"0" * 20_000_000), ("Content-Encoding", "gzip"))
            case "/notgzip":
                self._send(200, b"plain", ("Content-Encoding", "gzip"))
            case "/short":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                self.close_connection = True
            case "/garbage":
                self.wfile.write(b"220 mail.example ESMTP\r\n")
                self.close_connection = True
            case "/endless" | "/headers" | "/continue" | "/drip" | "/chunks":
                self._flow(self.path)
            case path:
                self._send(int(path[1:]), b"secret", ("Retry-After", "7"))

    def _flow(self, kind: str) -> None:
        start, piece = {
            "/endless": (b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", b"x" * 65536),
            "/headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000),
            "/continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
            "/drip": (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x"),
            "/chunks": (_CHUNKED, b"1\r\nx\r\n" * 999),
        }[kind]  # fmt: skip
        try:
            self.wfile.write(start)
            for _ in range(100):
                self.wfile.write(piece)
                if kind == "/drip":
                    time.sleep(0.1)
        except OSError:
            pass  # they hung up, which is what is tested
        self.close_connection = True

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def replier() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replier)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened() -> Iterator[None]:
    with config.override(egress_allow="127.0.0.0/8"):
        yield


def get(url: str, **given: float) -> egress.Response:
    return egress.fetch(method="GET", url=url, **given)  # type: ignore[arg-type]


def test_a_request_arrives_as_it_was_sent(replier: str, opened: None) -> None:
    answer = egress.fetch(
        method="POST", url=f"{replier}/p?q=1", body=b"hello", headers=[("X-Sign", "a=b")]
    )
    assert answer.is_success
    assert answer.body.endswith(b"hello")
    assert f"Host: {replier.removeprefix('http://')}".encode() in answer.body
    assert b"X-Sign: a=b" in answer.body
    for wrong in (("X", "a\r\nB: c"), ("Host", "other.example")):
        with pytest.raises(Invalid):
            egress.fetch(method="GET", url=replier, headers=[wrong])


def test_a_redirect_is_returned_and_not_followed(replier: str, opened: None) -> None:
    answer = get(f"{replier}/redirect")
    assert (answer.status, answer.is_success) == (302, False)
    with pytest.raises(Permanent):
        egress.expect_success(answer)


def test_what_comes_back_is_bounded(replier: str, opened: None) -> None:
    for path in ("/endless", "/bomb", "/chunks"):
        answer = get(replier + path, max_bytes=1000)
        assert (len(answer.body), answer.truncated) == (1000, True), path
    for path in ("/headers", "/continue", "/short", "/garbage", "/notgzip"):
        with pytest.raises(Retryable):
            get(replier + path, timeout_seconds=5)


def test_a_byte_at_a_time_ends_with_the_deadline(replier: str, opened: None) -> None:
    started = time.monotonic()
    with pytest.raises(Retryable, match="in time"):
        get(f"{replier}/drip", timeout_seconds=0.5)
    assert time.monotonic() - started < 8, "it drips for ten seconds"


def test_a_name_that_takes_forever_ends_with_the_deadline() -> None:
    over = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        over.wait(5)
        return ["127.0.0.1"]

    with egress.resolving_by(slow), pytest.raises(Retryable, match="could not be found"):
        get("https://slow.example/", timeout_seconds=0.2)
    over.set()


def test_a_name_that_changes_its_mind_is_asked_once(canary: Canary) -> None:
    target = Canary("127.0.0.2", canary.port)
    answers = iter([["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]])
    with (
        config.override(egress_allow="127.0.0.2/32"),
        egress.resolving_by(lambda host, port: next(answers)),
    ):
        with pytest.raises(Retryable):
            get(f"http://rebind.example:{canary.port}/", timeout_seconds=0.3)
        with pytest.raises(Denied):
            get(f"http://rebind.example:{canary.port}/")
    assert (target.count(), canary.count()) == (1, 0)
    target.socket.close()


def test_statuses_mean_again_or_never(replier: str, opened: None) -> None:
    for status, kind in ((500, Retryable), (429, Retryable), (404, Permanent), (410, Permanent)):
        with pytest.raises(kind) as refused:
            egress.expect_success(get(f"{replier}/{status}"))
        assert "secret" not in str(refused.value)
        if isinstance(refused.value, Retryable):
            assert refused.value.retry_after_seconds == 7


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """Return a certificate that nobody vouches for."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(made.public_bytes(pem) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


def test_a_certificate_must_hold(opened: None, self_signed: ssl.SSLContext) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Replier)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = self_signed.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        with pytest.raises(NeedsAttention, match="certificate"):
            get(f"https://127.0.0.1:{server.server_port}/200")
    finally:
        server.shutdown()
        server.server_close()


def test_a_closed_port_is_tried_again_later(opened: None) -> None:
    with pytest.raises(AmityError) as refused:
        get("http://127.0.0.1:9/", timeout_seconds=2)
    assert isinstance(refused.value, Retryable)
