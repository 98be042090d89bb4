"""The plug point of channels: how a message leaves, and what came of it.

A channel gets a finished message and a gate. It does everything that can be taken back, asks the
gate, and only with the gate's token does what cannot be taken back (rule D19). It never tries
again by itself: what became of the message is an `Outcome`, and the ledger decides.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import cache
from typing import ClassVar, Final, Literal
from uuid import UUID

import msgspec

from amity.kernel.registry import Registry

OutcomeKind = Literal["sent", "deferred", "refused", "doubtful", "withheld", "unreachable"]


class GateToken:
    """Says that the gate let one message pass; only the gate makes it, for one use."""

    __slots__ = ("_is_used", "send_id")

    def __init__(self, send_id: UUID) -> None:
        self.send_id = send_id
        self._is_used = False

    def use(self, send_id: UUID) -> None:
        """Use the token up; raise PermissionError when it is another message's or spent."""
        if self._is_used or send_id != self.send_id:
            raise PermissionError("no message is handed over without a token of the gate")
        self._is_used = True


Gate = Callable[[], Awaitable[GateToken | None]]
"""Asks for the token of one message; None means that it must not be handed over."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel can do."""

    title: str
    address_kind: str
    """The kind of identifier it sends to."""
    has_idempotency_key: bool
    """Whether the other side recognises a message it had before."""
    has_receipts: bool
    """Whether something comes back later about what became of it."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One finished message for one address."""

    send_id: UUID
    sender: str
    recipient: str
    content: bytes
    """The message as the channel hands it over; of mail its headers, an empty line and the body."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message that was given to a channel.

    sent: taken. deferred: not taken now, try later. refused: not taken, for good. doubtful: handed
    over and no reply, so nobody knows. withheld: the gate said no, nothing was handed over.
    unreachable: the other side is not there or not willing; it is not the message's fault.
    """

    kind: OutcomeKind
    code: str = ""
    """The other side's code, such as `5.1.1` or `421`."""
    reply: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side said later about a message."""

    send_id: UUID
    kind: Literal["delivered", "delayed", "failed", "complaint"]
    code: str = ""


class Channel(ABC):
    """One way messages leave, with its connections. Made once a sender, used by many tasks."""

    capabilities: ClassVar[Capabilities]

    @abstractmethod
    def validate(self, address: str) -> str:
        """Return the address as it is sent to; raise Invalid when nothing can be sent there."""

    def room(self, wanted: int) -> int:
        """Return how many of ``wanted`` messages may be given now: fewer while it is disturbed."""
        return wanted

    @abstractmethod
    async def send(self, parcel: Parcel, gate: Gate) -> Outcome:
        """Hand one message over, or say why not; never raises but when cancelled."""

    @abstractmethod
    async def close(self) -> None:
        """Hang up."""

    def parse_receipt(self, raw: bytes) -> Receipt | None:
        """Read what came back later; None when it is nothing of ours."""
        return None


CHANNELS: Final[Registry[Channel]] = Registry(
    Channel,  # type: ignore[type-abstract]  # the base of a plug point is abstract
    group="amity.channels",
)


@cache
def load_channels() -> Registry[Channel]:
    """Return the channels of this installation, found on first use."""
    from amity.broadcast import channels as package  # noqa: PLC0415  # they import this module

    CHANNELS.discover(package)
    return CHANNELS
