"""Mail to the staff of this installation: what may be sent, to whom, and what became of it."""

from datetime import datetime
from typing import Literal

import msgspec

StaffMailState = Literal["wire", "sent", "deferred", "refused", "unknown"]
"""`wire`: being handed over. `deferred`: not taken now, may be tried again. `unknown`: handed over
and nobody knows whether it arrived; it is never sent a second time."""


class StaffAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The address of somebody who works here; only the accounts of staff make one.

    Nothing else can be written to through the door for staff: a customer's address never becomes
    one of these (a test of the house looks at who makes them).
    """

    staff_id: int
    address: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a message."""

    name: str
    """ASCII without quotes, as it stands in the header."""
    kind: Literal["text/csv"]
    content: bytes


class StaffLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one member of staff."""

    key: str
    """What it is about and for when; with the same key nothing is ever sent twice."""
    recipient: StaffAddress
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


class StaffMail(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message to staff."""

    key: str
    staff_id: int
    subject: str
    state: StaffMailState
    reply: str
    """What the mail server said."""
    wire_at: datetime | None
    settled_at: datetime | None
