"""Signed webhooks over HTTP: who is let in, who is not, and what a redelivery adds."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store import api
from amity.store.contracts import Source
from amity.testing.edge import LiveEdge, running_edge, send
from amity.testing.installation import wait_for

ORDER = {
    "id": 7,
    "email": "ada@example.com",
    "processed_at": "2026-01-06T16:00:00Z",
    "currency": "EUR",
    "total_price": "19.99",
    "line_items": [],
}
OLD, NEW = "the old secret", "the new secret"


@pytest.fixture
def source(db: str) -> Source:
    return api.create_source(name="shop", kind="server")


@pytest.fixture
def edge(source: Source) -> Iterator[LiveEdge]:
    with running_edge() as running:
        yield running


def set_secret(source: Source, secret: str, dialect: str = "shopify", **more: Any) -> None:
    api.set_source_secret(
        source_id=source.source_id, dialect=dialect, secret=secret, by="ada", **more
    )


def shopify(edge: LiveEdge, source: Source, body: bytes, secret: str | None) -> tuple[int, str]:
    headers = {"X-Shopify-Topic": "orders/paid", "Content-Type": "application/json"}
    if secret is not None:
        made = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
        headers["X-Shopify-Hmac-Sha256"] = made
    url = f"{edge.url}/hooks/shopify/{source.write_key}"
    status, answer, _ = send(url, body, headers=headers)
    return status, answer.get("code", "")


def refused(source: Source) -> int:
    return api.count_by_source()[source.source_id].refused


def wait_for_answer(wanted: int, call: Any) -> None:
    """Collectors hear of a secret within a second."""
    wait_for(lambda: call()[0] == wanted, what=f"a {wanted}")


def test_only_who_has_the_secret_is_let_in(edge: LiveEdge, source: Source) -> None:
    body = json.dumps(ORDER).encode()
    assert shopify(edge, source, body, OLD) == (401, "no_secret")
    assert shopify(edge, source, body, "") == (401, "no_secret")
    set_secret(source, OLD)
    wait_for_answer(200, lambda: shopify(edge, source, body, OLD))
    assert shopify(edge, source, body, OLD) == (200, "")
    counts = api.count_by_source()[source.source_id]
    assert (counts.stored, counts.quarantined) == (1, 0)
    assert counts.duplicate >= 1, "it came twice"

    assert shopify(edge, source, body, None) == (401, "bad_signature")
    assert shopify(edge, source, body, "") == (401, "bad_signature")
    assert shopify(edge, source, body, "another secret") == (401, "bad_signature")
    changed = {"X-Shopify-Topic": "orders/paid"}
    right = base64.b64encode(hmac.digest(OLD.encode(), body, hashlib.sha256)).decode()
    url = f"{edge.url}/hooks/shopify/{source.write_key}"
    answer = send(url, body + b" ", headers=changed | {"X-Shopify-Hmac-Sha256": right})
    assert answer[0] == 401
    wait_for(lambda: refused(source) >= 5, what="the refusals to be counted")
    assert api.count_by_source()[source.source_id].stored == 1


def test_two_secrets_are_good_while_one_is_replaced(edge: LiveEdge, source: Source) -> None:
    body = json.dumps(ORDER).encode()
    set_secret(source, OLD)
    wait_for_answer(200, lambda: shopify(edge, source, body, OLD))
    set_secret(source, NEW)
    wait_for_answer(200, lambda: shopify(edge, source, body, NEW))
    assert shopify(edge, source, body, OLD)[0] == 200
    [known] = api.list_source_secrets(source_id=source.source_id)
    assert known.former_until is not None
    set_secret(source, "a third secret", overlap_seconds=0)
    wait_for_answer(401, lambda: shopify(edge, source, body, NEW))
    assert shopify(edge, source, body, OLD)[0] == 401
    assert shopify(edge, source, body, "a third secret")[0] == 200
    api.remove_source_secret(source_id=source.source_id, dialect="shopify")
    wait_for_answer(401, lambda: shopify(edge, source, body, "a third secret"))


def test_a_secret_of_another_source_or_dialect_opens_nothing(
    edge: LiveEdge, source: Source
) -> None:
    other = api.create_source(name="other", kind="server")
    body = json.dumps(ORDER).encode()
    set_secret(other, OLD)
    set_secret(source, OLD, "woocommerce")
    wait_for_answer(200, lambda: shopify(edge, other, body, OLD))
    assert shopify(edge, source, body, OLD) == (401, "no_secret")


def test_secrets_are_kept_sealed_and_never_shown(source: Source) -> None:
    set_secret(source, OLD)
    with transaction() as connection:
        row = connection.execute("SELECT secret FROM store_source_secret").fetchone()
        # Copied to another place it opens nothing, so it is taken for lost and may be replaced.
        connection.execute("UPDATE store_source_secret SET dialect = 'stripe'")
    assert row is not None
    assert OLD.encode() not in bytes(row[0])
    [known] = api.list_source_secrets(source_id=source.source_id)
    assert OLD not in repr(known)
    set_secret(source, OLD, "stripe")


def test_what_cannot_be_a_secret_is_refused(source: Source) -> None:
    for secret in ("", "short", "x" * 501, "with\0zero bytes"):
        with pytest.raises(Invalid):
            set_secret(source, secret)
    with pytest.raises(Invalid):
        set_secret(source, OLD, "segment")
    with pytest.raises(NotFound):
        api.set_source_secret(source_id=999, dialect="stripe", secret=OLD, by="")
    set_secret(source, OLD)
    with pytest.raises(Conflict):
        set_secret(source, OLD)
    with pytest.raises(NotFound):
        api.remove_source_secret(source_id=source.source_id, dialect="stripe")
