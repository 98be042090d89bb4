"""The signatures of each vendor: right, wrong, missing, old, and a body that was changed."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from amity.store.dialect import Call, dialects

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = b"a secret of the shop"
BODY = b'{"id":1}'


def digest(secret: bytes, text: bytes) -> bytes:
    return hmac.digest(secret, text, hashlib.sha256)


def shopify(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    return {"x-shopify-hmac-sha256": base64.b64encode(digest(secret, body)).decode()}


def woocommerce(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    return {"x-wc-webhook-signature": base64.b64encode(digest(secret, body)).decode()}


def saleor(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    return {"saleor-signature": digest(secret, body).hex()}


def stripe(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    made = digest(secret, f"{stamp}.".encode() + body).hex()
    return {"stripe-signature": f"t={stamp},v1={'0' * 64},v1={made},v0=x"}


def calls(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    made = base64.b64encode(digest(secret, f"m1.{stamp}.".encode() + body)).decode()
    return {
        "webhook-id": "m1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,AAAA v2,x v1,{made}",
    }


Sign = Callable[[bytes, bytes, datetime], dict[str, str]]
SIGNS: dict[str, Sign] = {
    "shopify": shopify,
    "woocommerce": woocommerce,
    "saleor": saleor,
    "stripe": stripe,
    "calls": calls,
}
WITH_TIME = {"stripe", "calls"}


def is_good(name: str, headers: dict[str, str], body: bytes = BODY, secret: bytes = SECRET) -> bool:
    call = Call(
        method="POST", path=f"/hooks/{name}/k", query={}, headers=headers, body=body, parts={}
    )
    return dialects()[name]().verify(call, secret, NOW)


def test_every_signed_dialect_is_tried_here() -> None:
    assert {kind.name for kind in dialects() if kind.is_signed} == {*SIGNS}


@pytest.mark.parametrize("name", SIGNS)
def test_only_the_right_signature_is_good(name: str) -> None:
    sign = SIGNS[name]
    right = sign(SECRET, BODY, NOW)
    assert is_good(name, right)
    assert not is_good(name, {})
    assert not is_good(name, dict.fromkeys(right, ""))
    assert not is_good(name, dict.fromkeys(right, "é☃"))
    assert not is_good(name, sign(b"another secret", BODY, NOW))
    assert not is_good(name, right, secret=b"")
    assert not is_good(name, sign(b"", BODY, NOW), secret=b"")
    for at in range(len(BODY)):
        changed = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
        assert not is_good(name, right, changed)


@pytest.mark.parametrize("name", sorted(WITH_TIME))
def test_what_is_old_or_of_the_future_is_not(name: str) -> None:
    for seconds in (-299, 299):
        assert is_good(name, SIGNS[name](SECRET, BODY, NOW + timedelta(seconds=seconds)))
    for seconds in (-302, 302, -10_000_000):
        assert not is_good(name, SIGNS[name](SECRET, BODY, NOW + timedelta(seconds=seconds)))


def test_calls_are_signed_as_the_library_of_standard_webhooks_signs() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    hook = Webhook(secret)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": hook.sign("msg_1", NOW, BODY.decode()),
    }
    assert is_good("calls", headers, secret=secret.encode())
    assert not is_good("calls", headers | {"webhook-id": "msg_2"}, secret=secret.encode())
