"""E-mail by SMTP: a few connections to one mail server, each used for many messages."""

import asyncio
import random
import time
from email import message_from_bytes
from email.message import Message
from email.policy import default
from functools import cache
from typing import ClassVar, Final

from amity.broadcast.channel import (
    CHANNELS,
    Capabilities,
    Channel,
    Gate,
    GateToken,
    Outcome,
    Parcel,
    Receipt,
)
from amity.broadcast.logic.liquid.values import RenderFailed
from amity.broadcast.logic.mail import headers, links
from amity.broadcast.logic.mail.circuit import Circuit
from amity.broadcast.logic.mail.smtp import ConnectionLost, Patience, SmtpConnection, Unwilling
from amity.broadcast.logic.mail.smtp_relay import Relay, tls_context
from amity.kernel.errors import Invalid

MESSAGES_A_CONNECTION: Final = 200
_LARGEST_RECEIPT: Final = 1_000_000
_ACTIONS: Final = {"failed": "failed", "delayed": "delayed", "delivered": "delivered"}


@CHANNELS.register("email")
class EmailChannel(Channel):
    """Hands messages to one mail server; opens connections as they are needed."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        title="E-mail", address_kind="email", has_idempotency_key=False, has_receipts=True
    )

    def __init__(self, relay: Relay, *, circuit: Circuit | None = None) -> None:
        self._relay = relay
        self._tls = cache(lambda: tls_context(relay))
        self._patience = Patience().times(relay.patience)
        self._free: list[SmtpConnection] = []
        self._busy: set[SmtpConnection] = set()
        self.circuit = circuit or Circuit(random.Random())  # noqa: S311  # spreads retries

    def validate(self, address: str) -> str:
        try:
            return headers.check_address(address)
        except RenderFailed as error:
            raise Invalid(str(error), code="bad_address") from error

    def room(self, wanted: int) -> int:
        return self.circuit.room(time.monotonic(), wanted)

    async def send(self, parcel: Parcel, gate: Gate) -> Outcome:
        asked = _Asked(gate)
        outcome, was_fresh = await self._try(parcel, asked)
        if outcome.code == "connection" and not was_fresh and not asked.was_asked:
            # A server may hang up on whoever was idle; that says nothing about this message.
            outcome, _ = await self._try(parcel, asked)
        return outcome

    async def _try(self, parcel: Parcel, gate: Gate) -> tuple[Outcome, bool]:
        if not self.circuit.enter(time.monotonic()):
            return Outcome(kind="unreachable", code="server_down"), True
        is_settled = False
        try:
            connection, was_fresh = await self._take()
            outcome = await self._deliver(connection, parcel, gate)
            self._note(outcome)
            is_settled = True
        except (ConnectionLost, Unwilling) as error:
            self.circuit.fail(time.monotonic())
            is_settled = True
            return Outcome(kind="unreachable", code="server_down", reply=str(error)), True
        finally:
            if not is_settled:
                self.circuit.fail(time.monotonic())
        return outcome, was_fresh

    def _note(self, outcome: Outcome) -> None:
        """Say to the circuit what an attempt says about the server, if anything."""
        if outcome.kind in {"sent", "refused"} or (
            outcome.kind == "deferred" and outcome.code != "connection"
        ):
            self.circuit.succeed()
        elif outcome.kind != "withheld" or self.circuit.is_open:
            self.circuit.fail(time.monotonic())

    async def _take(self) -> tuple[SmtpConnection, bool]:
        while self._free:
            connection = self._free.pop()
            if connection.is_usable:
                return connection, False
            connection.abort()
        connection = SmtpConnection(self._relay, self._patience)
        await connection.open(self._tls)
        return connection, True

    async def _deliver(self, connection: SmtpConnection, parcel: Parcel, gate: Gate) -> Outcome:
        self._busy.add(connection)
        try:
            outcome = await connection.deliver(parcel, gate)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._busy.discard(connection)
        if not connection.is_usable:
            connection.abort()
        elif connection.delivered >= MESSAGES_A_CONNECTION:
            connection.quit()
        else:
            self._free.append(connection)
        return outcome

    async def close(self) -> None:
        for connection in self._free:
            connection.quit()
        for connection in self._busy:
            connection.abort()
        self._free.clear()
        # What was written last is sent before the loop ends.
        await asyncio.sleep(0)

    def parse_receipt(self, raw: bytes) -> Receipt | None:
        """Read a delivery status notification (RFC 3464), believed only at our own address.

        The address it came to names the message and is signed (rule D45); without that anybody
        could have customers' addresses suppressed.
        """
        message = message_from_bytes(raw[:_LARGEST_RECEIPT], policy=default)
        send_id = links.read_bounce_address(str(message.get("To", "")).strip("<> "))
        if send_id is None or message.get_content_type() != "multipart/report":
            return None
        if message.get_param("report-type") == "feedback-report":
            is_abuse = _field(message, "message/feedback-report", "feedback-type") == "abuse"
            return Receipt(send_id=send_id, kind="complaint") if is_abuse else None
        action = _field(message, "message/delivery-status", "action")
        code = _field(message, "message/delivery-status", "status")
        match _ACTIONS.get(action):
            case "failed":
                return Receipt(send_id=send_id, kind="failed", code=code)
            case "delayed":
                return Receipt(send_id=send_id, kind="delayed", code=code)
            case "delivered":
                return Receipt(send_id=send_id, kind="delivered", code=code)
        return None


class _Asked:
    """A gate that remembers whether it was asked: after that nothing is tried a second time."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.was_asked = False

    async def __call__(self) -> GateToken | None:
        self.was_asked = True
        return await self._gate()


def _field(message: Message, kind: str, name: str) -> str:
    """Return a field of the first part of a kind, in lower case; "" when there is none."""
    for part in message.walk():
        if part.get_content_type() != kind:
            continue
        payload = part.get_payload()
        blocks = payload if isinstance(payload, list) else [payload]
        for block in blocks:
            lines = block.items() if isinstance(block, Message) else _lines(block)
            for field, value in lines:
                if field.lower() == name:
                    return str(value).strip().lower()
    return ""


def _lines(text: object) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in str(text).splitlines())
    return [(field.strip(), value) for field, _, value in pairs]
