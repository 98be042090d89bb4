"""Writing down what became of messages: ledger, events and addresses in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from amity.broadcast.logic.sending import ledger
from amity.broadcast.logic.sending.loading import Letter
from amity.broadcast.logic.sending.outcomes import Done
from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.store import api as store
from amity.store.contracts import Channel

_SQL: Final = queries.load("amity.broadcast")
MANY_REFUSALS: Final = 5
_CHANNEL: Final[Channel] = "email"
_NOTE: Final = "Paused: the receiving server refuses what this sender sends ({said})."

Finished = tuple[Letter, Done]


def settle_all(owner: str, finished: Sequence[Finished]) -> int:
    """Write down what became of messages; return how many were still this sender's.

    What another sender has taken over meanwhile changes nothing and is told to nobody.
    """
    with transaction() as connection:
        # This machine's clock may be years away, and the log takes no event of such a day.
        row = connection.execute(_SQL["sending_now"]).fetchone()
        assert row is not None
        now: datetime = row[0]
        held = ledger.settle(connection, owner, [done.settlement for _, done in finished])
        ours = [pair for pair in finished if pair[1].settlement.send_id in held]
        _touch_addresses(connection, ours, now)
        events = [
            _event(letter, done)
            for letter, done in ours
            if _is_told(letter, done) and held[done.settlement.send_id]
        ]
        if events:
            store.record_events(connection=connection, events=events, now=now)
        for letter, done in ours:
            if done.pauses:
                _pause(connection, letter, done)
    return len(ours)


def _is_told(letter: Letter, done: Done) -> bool:
    """Say whether the customer's history tells of it: not of a test that went to a colleague."""
    return bool(done.event and letter.root and not letter.claimed.test_address)


def _touch_addresses(connection: Connection, ours: Sequence[Finished], now: datetime) -> None:
    by_effect: dict[str, set[str]] = {}
    for letter, done in ours:
        if done.effect and letter.address_key:
            by_effect.setdefault(done.effect, set()).add(letter.address_key)
    store.forget_soft_bounces(
        connection=connection,
        channel=_CHANNEL,
        address_keys=sorted(by_effect.get("forget_soft_bounces", ())),
    )
    # In the order of their keys, as everybody who locks several of them.
    for key in sorted(by_effect.get("soft_bounce", ())):
        store.record_soft_bounce(channel=_CHANNEL, address_key=key, now=now, connection=connection)
    for key in sorted(by_effect.get("suppress", ())):
        store.suppress(
            channel=_CHANNEL,
            address_key=key,
            reason="hard_bounce",
            now=now,
            connection=connection,
        )


def _event(letter: Letter, done: Done) -> store.SystemEvent:
    claimed, name = letter.claimed, done.event
    properties: dict[str, Any] = {"send_id": str(claimed.send_id), "subject": letter.subject}
    if claimed.run_kind in {"campaign", "journey"}:
        properties[f"{claimed.run_kind}_id"] = claimed.run_id
    if name == "Email Sent" and letter.decision is not None:
        properties["decision_id"] = str(letter.decision.decision_id)
    properties.update(done.properties)
    return store.SystemEvent(
        profile_id=letter.root,
        name=name,
        properties=properties,
        message_id=f"{name.lower().replace(' ', '-')}:{claimed.send_id}",
    )


def _pause(connection: Connection, letter: Letter, done: Done) -> None:
    claimed = letter.claimed
    run = {"run_kind": claimed.run_kind, "run_id": claimed.run_id}
    if done.pauses == "when_many":
        row = connection.execute(_SQL["ledger_policy_refusals"], run).fetchone()
        if row is None or row[0] < MANY_REFUSALS:
            return
    note = _NOTE.format(said=done.settlement.reply[:200])
    connection.execute(_SQL["ledger_pause_run"], {**run, "note": note})
