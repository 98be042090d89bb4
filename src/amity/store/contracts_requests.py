"""What crosses the store's doors about data requests: what customers ask for about their data."""

from datetime import datetime
from typing import Any, Literal

import msgspec

RequestKind = Literal[
    "access", "portability", "erasure", "rectification", "restriction", "objection"
]
RequestState = Literal["received", "verifying", "in_progress", "done", "refused"]
CameBy = Literal["preference_page", "mail", "call", "api", "staff"]
Verification = Literal["mail_link", "call_back", "document", "signed_in", "known_in_person"]
"""How somebody showed that the data is theirs."""
Jurisdiction = Literal["gdpr", "ccpa"]
CopyState = Literal["waiting", "running", "ready", "failed", "deleted"]
StepKind = Literal[
    "received",
    "asked_to_confirm",
    "verified",
    "matched",
    "extended",
    "begun",
    "copy_asked",
    "copy_made",
    "copy_failed",
    "copy_fetched",
    "copy_deleted",
    "corrected",
    "restricted",
    "lifted",
    "objected",
    "erased",
    "noted",
    "done",
    "refused",
]
Due = Literal["overdue", "soon"]

REQUEST_RECEIVED = "Data Request Received"
REQUEST_CLOSED = "Data Request Closed"
REQUEST_MESSAGE = "Data Request Message Asked"
"""Something is to be told to her by mail: to confirm, that her copy is ready, or words."""
COPYING: tuple[RequestKind, ...] = ("access", "portability")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done about a request."""

    at: datetime
    by: str
    what: StepKind
    words: str


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of her data: one ZIP file, kept for a while."""

    copy_id: int
    request_id: int
    state: CopyState
    asked_at: datetime
    begun_at: datetime | None
    made_at: datetime | None
    expires_at: datetime | None
    bytes: int
    sha256: str
    rows: int
    fetched: int
    """How often she took it herself."""
    failure: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A data request, without what was done about it."""

    request_id: int
    kind: RequestKind
    profile_id: int | None
    """None while nobody knows whose it is, and once she was erased."""
    address: str
    address_key: str
    came_by: CameBy
    jurisdiction: Jurisdiction
    state: RequestState
    verified_by: Verification | Literal[""]
    wish: str
    received_at: datetime
    due_at: datetime
    is_extended: bool
    closed_at: datetime | None
    outcome: str
    created_by: str
    receipt_id: str | None
    """The receipt of an erasure."""

    @property
    def is_open(self) -> bool:
        """Say whether something is still to be done."""
        return self.closed_at is None


class WholeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request with its steps, the earliest first, and its latest copy."""

    request: Request
    steps: list[Step]
    copy: Copy | None
    is_restricted: bool
    """Whether her data may only be kept now."""


class RequestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A new request: of a profile, or of an address, which may be that of somebody known."""

    kind: RequestKind
    came_by: CameBy
    profile_id: int | None = None
    address: str = ""
    jurisdiction: Jurisdiction = "gdpr"
    verified_by: Verification | Literal[""] = ""
    wish: str = ""
    received_at: datetime | None = None
    """When it arrived, if not now: the deadline counts from here."""


class RequestFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests are wanted; "" and None mean all."""

    kind: RequestKind | Literal[""] = ""
    state: RequestState | Literal["", "open"] = ""
    due: Due | Literal[""] = ""
    profile_id: int | None = None
    search: str = ""
    """A number of a request, or an identifier of whose it is."""


class RequestLink(msgspec.Struct, frozen=True, array_like=True):
    """What the link carries that is mailed to her about a request."""

    profile_id: int
    address_key: str
    request_id: int
    send_id: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How a request stands, for the page behind her link."""

    kind: RequestKind
    state: RequestState
    due_at: datetime
    copy_id: int | None = None
    """A copy that is ready for her."""
    copy_bytes: int = 0
    copy_until: datetime | None = None
    is_used_up: bool = False
    """It was taken as often as the link allows."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table that are about her."""

    table: str
    title: str
    """What it is called to her."""
    holds: str
    columns: list[str]
    rows: Any
    """An iterator of dicts, one a row, in no order."""
