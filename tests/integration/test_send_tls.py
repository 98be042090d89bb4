"""Encryption and signing in: certificates are checked, and a password never goes in clear."""

import asyncio
import ssl
from uuid import uuid4

import pytest
from tests.fixtures.tls_front import make_certificate

from amity.broadcast.channel import GateToken, Parcel
from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.mail.smtp_relay import parse_relay
from amity.testing.smtp_sink import Sink

NAMES = "PIPELINING", "8BITMIME", "STARTTLS"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for `localhost` that signs itself, with its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def send(url, certificate, *, is_tls=False, extensions=NAMES, users=None, encrypts=True):
    """Send one message to a sink; return the outcome and the sink."""

    async def go():
        sink = Sink(extensions=extensions)
        sink.users = users or {}
        sink.tls = serving(certificate) if encrypts else None
        port = await sink.start(tls=serving(certificate) if is_tls else None)
        channel = EmailChannel(parse_relay(url.format(port=port)))
        send_id = uuid4()
        parcel = Parcel(
            send_id=send_id,
            sender="b@x.example",
            recipient="p1@x.example",
            content=f"X-Send-Id: {send_id}\r\n\r\nhi\r\n".encode(),
        )

        async def gate():
            return GateToken(send_id)

        try:
            return await channel.send(parcel, gate), sink
        finally:
            await channel.close()
            await sink.stop()
            await asyncio.sleep(0.05)

    return asyncio.run(go())


def believed(scheme, certificate, *, sign_in=""):
    return f"{scheme}://{sign_in}localhost:{{port}}?patience=0.01&ca={certificate}"


@pytest.mark.parametrize(("scheme", "is_tls"), [("smtps", True), ("smtp+starttls", False)])
def test_encrypted_with_a_certificate_we_believe(certificate, scheme, is_tls):
    outcome, sink = send(believed(scheme, certificate), certificate, is_tls=is_tls)
    assert (outcome.kind, sink.taken) == ("sent", 1), outcome
    assert sink.commands["EHLO"] == (1 if is_tls else 2), "asked again once it is encrypted"


@pytest.mark.parametrize(("scheme", "is_tls"), [("smtps", True), ("smtp+starttls", False)])
def test_a_certificate_nobody_vouches_for_is_not_believed(certificate, scheme, is_tls):
    url = f"{scheme}://localhost:{{port}}?patience=0.01"
    outcome, sink = send(url, certificate, is_tls=is_tls)
    assert (outcome.kind, sink.taken) == ("unreachable", 0)
    wrong_name = believed(scheme, certificate).replace("localhost", "127.0.0.1")
    outcome, sink = send(wrong_name, certificate, is_tls=is_tls)
    assert (outcome.kind, sink.taken) == ("unreachable", 0)


def test_encryption_that_was_taken_out_of_the_offer_stops_us(certificate):
    outcome, sink = send(
        believed("smtp+starttls", certificate, sign_in="me:secret@"),
        certificate,
        extensions=("PIPELINING", "AUTH PLAIN"),
    )
    assert (outcome.kind, sink.taken) == ("unreachable", 0)
    assert sink.commands["AUTH"] == 0


@pytest.mark.parametrize("ways", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
def test_signing_in(certificate, ways):
    url = believed("smtp+starttls", certificate, sign_in="me:s%40cret@")
    names = (*NAMES, ways)
    outcome, sink = send(url, certificate, extensions=names, users={"me": "s@cret"})
    assert (outcome.kind, sink.taken) == ("sent", 1), outcome
    outcome, sink = send(url, certificate, extensions=names, users={"me": "other"})
    assert (outcome.kind, sink.taken) == ("unreachable", 0)
    assert "535" in outcome.reply
    outcome, sink = send(url, certificate, extensions=NAMES, users={"me": "s@cret"})
    assert (outcome.kind, sink.taken) == ("unreachable", 0)
