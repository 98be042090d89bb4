"""What every channel must keep: use it to test your own.

`await check_channel(rig)` raises AssertionError with what is broken. A `Rig` is the channel with
another side that does as it is told.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal
from uuid import UUID, uuid4

from amity.broadcast.channel import Channel, GateToken, Outcome, Parcel
from amity.kernel.errors import Invalid

Behaviour = Literal[
    "accept", "defer", "refuse", "drop_before", "drop_after", "silent", "busy", "gone"
]
_SECONDS: Final = 10.0


class Rig(ABC):
    """A channel and the other side it talks to."""

    channel: Channel

    @abstractmethod
    def make_parcel(self, send_id: UUID, behaviour: Behaviour) -> Parcel:
        """Return a message that the other side will treat in a way."""

    @abstractmethod
    def list_taken(self) -> list[str]:
        """Return what the other side took, in order, by the key it would know a message again by.

        The key must be the send id, as text.
        """

    @property
    @abstractmethod
    def bad_addresses(self) -> Sequence[str]:
        """Return addresses nothing can be sent to, one of them with a line's break in it."""


class CountingGate:
    """A gate that says yes or no and counts how often it was asked."""

    def __init__(self, send_id: UUID, *, says_yes: bool = True) -> None:
        self.asked = 0
        self._send_id = send_id
        self._says_yes = says_yes

    async def __call__(self) -> GateToken | None:
        self.asked += 1
        await asyncio.sleep(0)
        return GateToken(self._send_id) if self._says_yes else None


async def check_channel(rig: Rig) -> None:
    """Check what a channel promises."""
    try:
        await check_taken_once(rig)
        await check_no_token_no_wire(rig)
        await check_anothers_token(rig)
        await check_known_outcomes(rig)
        await check_doubt(rig)
        await check_neighbours(rig)
        check_addresses(rig)
    finally:
        await rig.channel.close()


async def give(rig: Rig, behaviour: Behaviour, gate: CountingGate | None = None) -> Outcome:
    """Send one message; returns its outcome, and in time."""
    send_id = uuid4() if gate is None else gate._send_id
    parcel = rig.make_parcel(send_id, behaviour)
    async with asyncio.timeout(_SECONDS):
        return await rig.channel.send(parcel, gate or CountingGate(send_id))


async def check_taken_once(rig: Rig) -> None:
    """A message that is taken is taken once, under its own key, after one question to the gate."""
    before = len(rig.list_taken())
    ids = [uuid4() for _ in range(3)]
    for send_id in ids:
        gate = CountingGate(send_id)
        assert (await give(rig, "accept", gate)).kind == "sent"
        assert gate.asked == 1
    assert rig.list_taken()[before:] == [str(send_id) for send_id in ids]
    # Again, as after a doubt: the other side can see that it is the same message.
    await give(rig, "accept", CountingGate(ids[0]))
    assert rig.list_taken()[-1] == str(ids[0])


async def check_no_token_no_wire(rig: Rig) -> None:
    """What the gate holds back is not handed over."""
    before = len(rig.list_taken())
    gate = CountingGate(uuid4(), says_yes=False)
    assert (await give(rig, "accept", gate)).kind == "withheld"
    assert gate.asked == 1
    await asyncio.sleep(0.05)
    assert len(rig.list_taken()) == before
    assert (await give(rig, "accept")).kind == "sent", "the channel goes on"


async def check_anothers_token(rig: Rig) -> None:
    """A token of another message, or a spent one, opens nothing."""
    before = len(rig.list_taken())
    mine = uuid4()
    for token in (GateToken(uuid4()), _spent(mine)):

        async def gate(token: GateToken = token) -> GateToken:
            return token

        with suppress(PermissionError):
            outcome = await rig.channel.send(rig.make_parcel(mine, "accept"), gate)
            assert outcome.kind != "sent"
        await asyncio.sleep(0.05)
        assert len(rig.list_taken()) == before


def _spent(send_id: UUID) -> GateToken:
    token = GateToken(send_id)
    token.use(send_id)
    return token


async def check_known_outcomes(rig: Rig) -> None:
    """For now and for good are told apart; what the other side never got is never doubtful."""
    before = len(rig.list_taken())
    known: dict[Behaviour, str] = {"defer": "deferred", "refuse": "refused"}
    for behaviour, kind in known.items():
        outcome = await give(rig, behaviour)
        assert outcome.kind == kind, (behaviour, outcome)
        assert outcome.code, "it says why"
    assert (await give(rig, "busy")).kind == "unreachable"
    assert (await give(rig, "gone")).kind in {"deferred", "unreachable"}
    assert len(rig.list_taken()) == before


async def check_doubt(rig: Rig) -> None:
    """Without a reply nobody knows, and the channel does not try again by itself."""
    doubtful: tuple[Behaviour, ...] = ("drop_after", "silent", "drop_before")
    for behaviour in doubtful:
        gate = CountingGate(uuid4())
        before = len(rig.list_taken())
        outcome = await give(rig, behaviour, gate)
        assert outcome.kind == "doubtful", (behaviour, outcome)
        assert gate.asked == 1
        assert len(rig.list_taken()) - before == (behaviour != "drop_before")


async def check_neighbours(rig: Rig) -> None:
    """One bad message never harms the others, before, after or beside it."""
    before = len(rig.list_taken())
    mixed: list[Behaviour] = ["accept", "refuse", "accept", "defer", "accept", "accept"]
    outcomes = await asyncio.gather(*(give(rig, behaviour) for behaviour in mixed))
    one_by_one = [await give(rig, behaviour) for behaviour in mixed]
    for found in (outcomes, one_by_one):
        assert [outcome.kind for outcome in found].count("sent") == mixed.count("accept")
    assert len(rig.list_taken()) - before == 2 * mixed.count("accept")


def check_addresses(rig: Rig) -> None:
    """Bad addresses are refused before anything is sent."""
    assert any("\n" in address for address in rig.bad_addresses)
    for address in rig.bad_addresses:
        try:
            rig.channel.validate(address)
        except Invalid:
            continue
        raise AssertionError(f"{address!r} was taken for an address")
