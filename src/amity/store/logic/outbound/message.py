"""What is sent to an endpoint (pure): bodies, CloudEvents, signatures, and when to try again.

Standard Webhooks 1.0.0 and CloudEvents 1.0 with its HTTP binding; CloudEvents are signed with the
headers of Standard Webhooks. The same event always gives the same id and the same body.
"""

import base64
import binascii
import hashlib
import hmac
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_outbound import Attempt, OutboundFormat

SCHEDULE_SECONDS: Final = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""How long to wait before each attempt: ten of them in 75 hours and 35 minutes."""
MAX_BODY_BYTES: Final = 20_480
_JITTER: Final = 0.1
_PREFIX: Final = "whsec_"
_IMPERSONAL: Final = {"segment_id", "segment_name", "subject", "profile_ids"}
"""What Amity's own events may say to who is told nothing personal; numbers of erased profiles name
nobody."""
ABOUT_NOBODY: Final = {"Source Alert Raised", "Source Alert Closed"}
"""Amity's own events that are about no customer: all they say may be told."""
_NOT_WORD: Final = re.compile(r"\W+")


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, to whom, as far as it may be told."""

    event_id: int
    profile_id: int | None
    """None when nothing personal may be told; then there are no properties either."""
    user_id: str | None
    source_id: int
    occurred_at: datetime
    name: str
    properties: dict[str, Any]


class Message(msgspec.Struct, frozen=True):
    """A request ready to be sent, but for its signature."""

    message_id: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def message_id(endpoint_id: int, event_id: int) -> str:
    """Return the id of what an endpoint is told of an event: the same at every attempt."""
    return f"msg_{endpoint_id}_{event_id}"


def event_type(name: str) -> str:
    """Return an event's name as a type: `Order Completed` becomes `order_completed`."""
    return _NOT_WORD.sub("_", name.casefold()).strip("_") or "event"


def make_message(content: Content, format_: OutboundFormat, endpoint_id: int) -> Message:
    """Write an event in one of the formats."""
    its_id = message_id(endpoint_id, content.event_id)
    data = _data(content)
    if format_ == "standard_webhooks":
        body = msgspec.json.encode(
            {
                "type": event_type(content.name),
                "timestamp": format_instant(content.occurred_at),
                "data": data,
            }
        )
        return Message(its_id, (("Content-Type", "application/json"),), body)
    attributes = {
        "specversion": "1.0",
        "id": its_id,
        "source": f"/amity/sources/{content.source_id}",
        "type": f"amity.{event_type(content.name)}",
        "time": format_instant(content.occurred_at),
    }
    if content.profile_id is not None:
        attributes["subject"] = str(content.profile_id)
    if format_ == "cloudevents_structured":
        whole = attributes | {"datacontenttype": "application/json", "data": data}
        kind = "application/cloudevents+json; charset=utf-8"
        return Message(its_id, (("Content-Type", kind),), msgspec.json.encode(whole))
    headers = tuple((f"ce-{name}", _header(value)) for name, value in attributes.items())
    return Message(
        its_id, (("Content-Type", "application/json"), *headers), msgspec.json.encode(data)
    )


def _header(value: str) -> str:
    """Write an attribute as a header; what is not visible ASCII in per cent (binding 3.1.3.2)."""
    return quote(value, safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~")


def _data(content: Content) -> dict[str, Any]:
    data: dict[str, Any] = {"event": content.name, "event_id": content.event_id}
    if content.profile_id is None:
        if content.source_id == SYSTEM_SOURCE_ID:
            said = content.properties.keys()
            kept = said if content.name in ABOUT_NOBODY else _IMPERSONAL & said
            data |= {name: content.properties[name] for name in sorted(kept)}
        return data
    data |= {
        "profile_id": content.profile_id,
        "user_id": content.user_id,
        "properties": content.properties,
    }
    if len(msgspec.json.encode(data)) > MAX_BODY_BYTES - 500:
        data |= {"properties": {}, "is_shortened": True}
    return data


def make_secret(raw: bytes) -> str:
    """Write random bytes, 24 to 64 of them, as a secret of Standard Webhooks."""
    return _PREFIX + base64.b64encode(raw).decode()


def sign(message: Message, *, secrets: Sequence[str], at: datetime) -> list[tuple[str, str]]:
    """Return the headers that prove who sent a message, one signature for each secret.

    ``at`` is the moment of this attempt. Raises Invalid for what is not a secret.
    """
    stamp = str(int(at.astimezone(UTC).timestamp()))
    signed = f"{message.message_id}.{stamp}.".encode() + message.body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
        for secret in secrets
    ]
    return [
        ("webhook-id", message.message_id),
        ("webhook-timestamp", stamp),
        ("webhook-signature", " ".join(signatures)),
    ]


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise Invalid("this is not the secret of a webhook") from error


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt means for the delivery, and for its endpoint."""

    state: str
    delay_seconds: float = 0.0
    is_failure: bool = False
    is_gone: bool = False
    """The other side wants nothing any more (410)."""
    is_given_up: bool = False


def judge(attempt: Attempt, *, attempts: int, rng: random.Random) -> Verdict:
    """Say what becomes of a delivery after its ``attempts``-th attempt.

    2xx alone is success: a redirect is a failure, as nobody follows it. What the other side asks
    for with Retry-After is waited for at least.
    """
    if attempt.is_delivered:
        return Verdict(state="delivered")
    if attempt.status == 410:
        return Verdict(state="failed", is_failure=True, is_gone=True)
    if attempts >= len(SCHEDULE_SECONDS):
        return Verdict(state="failed", is_failure=True, is_given_up=True)
    delay = SCHEDULE_SECONDS[attempts] * rng.uniform(1 - _JITTER, 1 + _JITTER)
    return Verdict(
        state="waiting",
        delay_seconds=max(delay, float(attempt.retry_after_seconds)),
        is_failure=True,
    )
