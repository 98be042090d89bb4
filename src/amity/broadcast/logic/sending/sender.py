"""The sender: claims what is due, makes it, and hands it over through the gate.

One event loop with a few connections; what touches the database or makes messages runs in
threads. Messages are claimed some at a time, so a million of them need no more memory than a
hundred. Whatever happens here, the ledger decides: a sender that is killed at any moment loses
nothing and doubles nothing (`ledger`).
"""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import psycopg

from amity.broadcast.channel import Channel, GateToken, Outcome, Parcel
from amity.broadcast.logic.sending import fence, gate, ledger, loading
from amity.broadcast.logic.sending.grouping import Group
from amity.broadcast.logic.sending.loading import Letter
from amity.broadcast.logic.sending.outcomes import Done, conclude, fail, give_back
from amity.broadcast.logic.sending.settling import Finished, settle_all
from amity.broadcast.logic.templates.making import get_maker
from amity.infra.config import Settings
from amity.infra.database import transaction
from amity.kernel.errors import AmityError, Unavailable
from amity.kernel.structs import settle_types

_IDLE_SECONDS: Final = 0.15
_BATCH: Final = 60
_SLICE: Final = 8
_READY: Final = 40
_MOST_UNSETTLED: Final = 200
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_SWEEP_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 8.0
_DOWN: Final = (Unavailable, psycopg.OperationalError)
_log = logging.getLogger("amity.sender")

Clock = Callable[[], datetime]


class Ready(msgspec.Struct, frozen=True, eq=False):
    """A message that is made."""

    letter: Letter
    parcel: Parcel


class Sender:
    """One process's way of sending. ``clock`` dates events and messages, never leases."""

    def __init__(self, channel: Channel, using: Settings, *, clock: Clock) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.settled = 0
        self._channel = channel
        self._using = using
        self._clock = clock
        settle_types()
        self._threads = ThreadPoolExecutor(max_workers=5, thread_name_prefix="sender")
        self._makers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="maker")
        self._held: dict[tuple[UUID, int], Letter] = {}
        self._fence: fence.Fence | None = None
        self._ready: asyncio.Queue[Ready] = asyncio.Queue(_READY)
        self._batches: asyncio.Queue[list[Letter]] = asyncio.Queue(1)
        self._passing: Group[gate.Candidate, gate.Ruling] = Group(self._pass, self._threads)
        self._settling: Group[Finished, int] = Group(self._settle, self._threads)
        self._stopping = asyncio.Event()
        self._leaves_at: float | None = None

    # Running

    async def run(self, *, until_idle: bool = False) -> int:
        """Send until `stop` is called, or until nothing is due; return how many were settled."""
        workers = [
            asyncio.create_task(self._work(), name="work")
            for _ in range(self._using.smtp_connections)
        ]
        keepers = [
            asyncio.create_task(each, name=name)
            for name, each in (("make", self._make_all()), ("beat", self._beat()))
        ]
        try:
            await self._claim_all(keepers, until_idle=until_idle)
            await self._wind_up()
        finally:
            for task in (*workers, *keepers):
                task.cancel()
            await asyncio.wait([*workers, *keepers])
            await self._settling.finish()
            await self._channel.close()
            self._threads.shutdown(wait=False)
            self._makers.shutdown(wait=False)
        return self.settled

    def stop(self) -> None:
        """Claim nothing more, and end when what is on the wire is answered, or soon after."""
        self._stopping.set()
        self._leaves_at = time.monotonic() + _GRACE_SECONDS

    async def _wind_up(self) -> None:
        """Wait for what is under way; what no connection has begun with goes back."""
        while self._held and not self._is_leaving():
            if self._stopping.is_set():
                self._give_back_unbegun()
            await asyncio.sleep(0.01)

    def _is_leaving(self) -> bool:
        return self._leaves_at is not None and time.monotonic() > self._leaves_at

    def _give_back_unbegun(self) -> None:
        while not self._ready.empty():
            letter = self._ready.get_nowait().letter
            self._finish(letter, give_back(letter.claimed))
        while not self._batches.empty():
            for letter in self._batches.get_nowait():
                self._finish(letter, give_back(letter.claimed))

    # Claiming

    async def _claim_all(self, keepers: list[asyncio.Task[None]], *, until_idle: bool) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            for keeper in keepers:
                if keeper.done():
                    keeper.result()
            room = self._room()
            try:
                letters = await self._claim_some(room) if room else []
            except _DOWN:
                _log.warning("the database is away; trying again")
                await self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            if letters:
                await self._batches.put(letters)
            elif until_idle and not self._held:
                return
            else:
                await self._sleep(_IDLE_SECONDS)

    def _room(self) -> int:
        if self._settling.backlog > _MOST_UNSETTLED:
            return 0
        return self._channel.room(_BATCH)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _claim_some(self, limit: int) -> list[Letter]:
        """Claim a batch; return those that the gate would let pass as things stand."""
        loop = asyncio.get_running_loop()
        letters, ended = await loop.run_in_executor(self._threads, self._claim, limit)
        self.settled += ended
        self._held.update({letter.key: letter for letter in letters})
        return letters

    def _claim(self, limit: int) -> tuple[list[Letter], int]:
        with transaction() as connection:
            self._fence = held = fence.check(connection)
            if not held.is_armed and held.copied_at is None:
                fence.note_copy(connection, now=self._clock())
            if not held.is_open:
                return [], 0
            # Committed to the disk: were a claim lost in a crash, the same sender could claim again
            # under the same token, and what it says of one claim would be taken for the other.
            claimed, ended = ledger.claim(
                connection,
                owner=self.owner,
                limit=limit,
                lease_seconds=self._using.send_lease_seconds,
            )
            if not claimed:
                return [], ended
            letters = loading.load(connection, claimed)
            # Before any work is spent on them.
            candidates = [letter.candidate() for letter in letters]
            rulings = gate.ask(connection, candidates, owner=self.owner, fence=held)
        staying = [each for each in letters if rulings[each.key[0]].state == "claimed"]
        return staying, ended + len(letters) - len(staying)

    # Making

    async def _make_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            letters = await self._batches.get()
            letters = await self._decide(letters)
            for start in range(0, len(letters), _SLICE):
                some = letters[start : start + _SLICE]
                now = self._clock()
                for letter, made in await loop.run_in_executor(
                    self._makers, self._make_some, some, now
                ):
                    if isinstance(made, Done):
                        self._finish(letter, made)
                    else:
                        await self._ready.put(Ready(letter, made))

    async def _decide(self, letters: list[Letter]) -> list[Letter]:
        if not any("placement" in letter.claimed.variables for letter in letters):
            return letters
        loop, now = asyncio.get_running_loop(), self._clock()
        try:
            await loop.run_in_executor(self._threads, loading.decide, letters, now)
        except Exception:
            _log.exception("nothing could be decided; trying again")
            for letter in letters:
                self._finish(letter, give_back(letter.claimed, seconds=_LONGEST_PAUSE_SECONDS))
            return []
        return letters

    def _make_some(
        self, letters: list[Letter], now: datetime
    ) -> list[tuple[Letter, Parcel | Done]]:
        return [(letter, self._make(letter, now)) for letter in letters]

    def _make(self, letter: Letter, now: datetime) -> Parcel | Done:
        claimed = letter.claimed
        try:
            if letter.failure or letter.content is None:
                return fail(claimed, "template", letter.failure or "the content is gone")
            made = get_maker(letter.content, self._using).make(letter.recipient(now))
        except AmityError as error:
            return fail(claimed, "template", error.message)
        except Exception as error:
            # One person's data must not keep the message from the others.
            _log.exception("message %s could not be made", claimed.send_id)
            return fail(claimed, "template", f"unexpected: {type(error).__name__}")
        if claimed.message_class == "marketing" and b"\r\nList-Unsubscribe:" not in made.head:
            letter.problem = letter.problem or "no_unsubscribe"
        letter.subject, letter.body_hash = made.subject, made.body_hash
        return Parcel(
            send_id=claimed.send_id,
            sender=made.envelope_from,
            recipient=made.recipient,
            content=made.head + made.body,
        )

    # Handing over

    async def _work(self) -> None:
        while True:
            ready = await self._ready.get()
            letter = ready.letter
            try:
                await self._hand_over(letter, ready.parcel)
            except Exception:
                _log.exception("message %s could not be handed over", letter.claimed.send_id)
                if letter.has_passed:
                    # Perhaps it left: nobody renews its lease, and it becomes unknown.
                    self._forget(letter)
                else:
                    self._finish(letter, give_back(letter.claimed, "connection"))

    async def _hand_over(self, letter: Letter, parcel: Parcel) -> None:
        ruling: gate.Ruling | None = None

        async def enter() -> GateToken | None:
            nonlocal ruling
            try:
                ruling = await self._passing.ask(letter.candidate())
            except Exception as error:
                # It may have been committed or not; nothing has been handed over either way.
                _log.warning("the gate could not be asked (%s)", type(error).__name__)
                return None
            letter.has_passed = ruling.pass_token is not None
            return ruling.pass_token

        outcome = await self._channel.send(parcel, enter)
        if outcome.kind == "withheld" and ruling is not None:
            # The gate has written down what became of it, or it is another sender's.
            self._forget(letter)
            return
        self._finish(letter, self._conclude(letter, outcome))

    def _conclude(self, letter: Letter, outcome: Outcome) -> Done:
        return conclude(
            letter.claimed,
            outcome,
            subject=letter.subject,
            body_hash=letter.body_hash,
            retry_seconds=self._using.send_retry_seconds,
        )

    def _pass(self, candidates: list[gate.Candidate]) -> list[gate.Ruling]:
        assert self._fence is not None
        rulings = gate.enter(candidates, owner=self.owner, fence=self._fence)
        return [rulings[each.send_id] for each in candidates]

    # Settling

    def _finish(self, letter: Letter, done: Done) -> None:
        future = self._settling.ask((letter, done))
        future.add_done_callback(lambda _: self._forget(letter))

    def _forget(self, letter: Letter) -> None:
        if self._held.pop(letter.key, None) is not None:
            self.settled += 1

    def _settle(self, finished: list[Finished]) -> list[int]:
        """Write a group down, however long the database is away: here alone it is known."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                settle_all(self.owner, finished)
            except _DOWN:
                if self._is_leaving():
                    _log.error("%d outcomes were not written down", len(finished))
                    return [0] * len(finished)
                _log.warning("the database is away; %d outcomes wait", len(finished))
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            except Exception:
                _log.exception("outcomes could not be written down")
                if len(finished) == 1:
                    return [0]
                return [count for each in finished for count in self._settle([each])]
            else:
                return [1] * len(finished)

    # Keeping alive

    async def _beat(self) -> None:
        """Renew the leases, and give up what silent senders left on the wire."""
        loop, lease = asyncio.get_running_loop(), self._using.send_lease_seconds
        swept = 0.0
        while True:
            is_sweeping = time.monotonic() - swept > _SWEEP_SECONDS
            try:
                await loop.run_in_executor(
                    self._threads, self._keep, [key[0] for key in self._held], is_sweeping
                )
                swept = time.monotonic() if is_sweeping else swept
            except _DOWN:
                _log.warning("the database is away; leases were not renewed")
            except Exception:
                _log.exception("leases were not renewed")
            await asyncio.sleep(min(lease / 4, 5.0))

    def _keep(self, send_ids: list[UUID], is_sweeping: bool) -> None:  # noqa: FBT001  # for a thread
        lease = self._using.send_lease_seconds
        with transaction() as connection:
            if send_ids:
                ledger.heartbeat(
                    connection, owner=self.owner, send_ids=send_ids, lease_seconds=lease
                )
            ledger.reap(connection)
            if is_sweeping:
                ledger.sweep(connection)
