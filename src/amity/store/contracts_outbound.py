"""What crosses the store's doors about telling others: webhooks, deliveries, exports."""

from datetime import datetime
from typing import Any, Literal

import msgspec

OutboundFormat = Literal["standard_webhooks", "cloudevents_structured", "cloudevents_binary"]
OutboundState = Literal["enabled", "paused", "disabled"]
DeliveryState = Literal["waiting", "delivered", "failed", "withheld"]
ExportState = Literal["waiting", "running", "finished", "failed"]

EVERY_EVENT = "*"


class OutboundPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is told, and how."""

    name: str
    url: str
    format: OutboundFormat = "standard_webhooks"
    events: list[str]
    """Names of events; `*` is every event."""
    segment_ids: list[int] = []
    """Of entering and leaving segments only these; empty means all."""
    purpose: str = ""
    """Who allowed it hears of it: without a purpose nothing personal is told."""


class OutboundEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address of somebody else's that is told of events."""

    endpoint_id: int
    name: str
    url: str
    format: OutboundFormat
    events: list[str]
    segment_ids: list[int]
    purpose: str
    state: OutboundState
    state_reason: str
    failures: int
    """Failures in a row."""
    open_until: datetime | None
    """Nothing is tried until then, after failures in a row."""
    former_until: datetime | None
    """Until then the secret from before the rotation signs too."""
    last_success_at: datetime | None
    delivered: int
    withheld: int
    """Events not told, as the customers did not allow it."""
    waiting: int
    failed: int
    created_by: str
    created_at: datetime


class MadeEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint just made or given a new secret, which is shown this once."""

    endpoint: OutboundEndpoint
    secret: str
    """`whsec_` and base64, as Standard Webhooks has it."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event told to one endpoint, or not yet."""

    delivery_id: int
    endpoint_id: int
    event_id: int
    message_id: str
    """The same at every attempt and every replay: `webhook-id`."""
    name: str
    state: DeliveryState
    attempts: int
    next_at: datetime
    last_status: int | None
    last_error: str
    last_reply: str
    """The beginning of what the other side answered; not for everybody's eyes."""
    created_at: datetime
    finished_at: datetime | None
    is_under_way: bool


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of sending one request."""

    status: int | None
    """None when no answer came."""
    error: str
    """"" when it was taken; otherwise why not, in words of ours."""
    reply: str
    """At most a thousand characters of the answer."""
    retry_after_seconds: int = 0

    @property
    def is_delivered(self) -> bool:
        """Whether the other side took it."""
        return not self.error


class DeliveryTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn of the deliverer did."""

    claimed: int
    delivered: int
    failed: int
    withheld: int


class DestinationField(msgspec.Struct, frozen=True, kw_only=True):
    """Something a destination needs to know."""

    name: str
    label: str
    help: str = ""
    required: bool = True
    is_secret: bool = False
    choices: list[str] = []
    default: str = ""


class DestinationKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of place a segment can be exported to."""

    name: str
    title: str
    description: str
    fields: list[DestinationField]


class ExportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who is exported, what of them, where to, for what purpose and how often."""

    name: str
    segment_id: int
    destination: str
    settings: dict[str, str] = {}
    secret: str = ""
    columns: list[str]
    purpose: str
    every_hours: int | None = None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """An export that can be run, once or on a schedule."""

    export_id: int
    name: str
    segment_id: int
    destination: str
    settings: dict[str, Any]
    columns: list[str]
    purpose: str
    every_hours: int | None
    next_at: datetime | None
    is_enabled: bool
    created_by: str
    created_at: datetime


class ExportRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an export, and how many it were."""

    run_id: int
    export_id: int
    state: ExportState
    members: int | None
    done: int
    written: int
    left_out: dict[str, int]
    """How many were left out, by reason."""
    file_name: str
    failure: str
    asked_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
