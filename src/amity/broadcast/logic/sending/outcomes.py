"""From what a channel says to what the ledger writes down (pure)."""

from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from amity.broadcast.channel import Outcome
from amity.broadcast.logic.mail.smtp_replies import judge_bounce
from amity.broadcast.logic.sending.ledger import Claimed, Settlement

_LONGEST_WAIT_SECONDS: Final = 3600.0
_CONNECTION_SECONDS: Final = 5.0
_TOO_LARGE: Final = "5.3.4"
FAILURES: Final = {
    "hard": "bounced",
    "full": "mailbox_full",
    "policy": "policy",
    "sender_policy": "policy",
    "": "rejected",
}

Effect = Literal["", "suppress", "soft_bounce", "forget_soft_bounces"]
_EFFECTS: Final[dict[str, Effect]] = {"hard": "suppress", "full": "soft_bounce"}


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written down about one message, all in one transaction."""

    settlement: Settlement
    effect: Effect = ""
    """What happens to the address."""
    event: str = ""
    properties: dict[str, Any] = {}
    pauses: Literal["", "at_once", "when_many"] = ""
    """Whether the run is paused: its sender is refused, not its recipients."""


def wait_seconds(attempts: int, first: float) -> float:
    """Return how long to wait after so many attempts: twice as long each time, up to an hour."""
    return float(min(first * 2 ** min(max(attempts - 1, 0), 16), _LONGEST_WAIT_SECONDS))


def conclude(
    claimed: Claimed,
    outcome: Outcome,
    *,
    subject: str,
    body_hash: bytes | None,
    retry_seconds: float,
) -> Done:
    """Return what an outcome means for a message.

    What was not the message's fault costs it no attempt; what nobody knows is never tried again.
    """
    unknown = Settlement(
        send_id=claimed.send_id,
        token=claimed.token,
        state="unknown",
        reason="no_reply",
        reply=outcome.reply,
        subject=subject,
        body_hash=body_hash,
    )
    match outcome.kind:
        case "sent":
            sent = replace(unknown, state="sent", reason="")
            return Done(settlement=sent, effect="forget_soft_bounces", event="Email Sent")
        case "doubtful":
            return Done(settlement=unknown)
        case "refused":
            return _refuse(claimed, outcome, unknown)
        case "deferred":
            return _defer(claimed, outcome, unknown, retry_seconds)
        case _:
            reason = "server_down" if outcome.kind == "unreachable" else ""
            return Done(settlement=replace(unknown, state="queued", reason=reason, is_free=True))


def _defer(claimed: Claimed, outcome: Outcome, base: Settlement, first: float) -> Done:
    is_connection = outcome.code == "connection"
    first = min(first, _CONNECTION_SECONDS) if is_connection else first
    settlement = replace(
        base,
        state="queued",
        reason="connection" if is_connection else "deferred",
        wait_seconds=wait_seconds(claimed.attempts, first),
    )
    # Once a message: the same mailbox is as full an hour later.
    is_full = judge_bounce(outcome.code) == "full" and claimed.attempts == 1
    return Done(settlement=settlement, effect="soft_bounce" if is_full else "")


def _refuse(claimed: Claimed, outcome: Outcome, base: Settlement) -> Done:
    if outcome.code == _TOO_LARGE:
        return Done(settlement=replace(base, state="failed", reason="too_large"))
    bounce = judge_bounce(outcome.code)
    has_run = claimed.run_kind in {"campaign", "journey"}
    if bounce == "sender_policy" and has_run:
        # Not this customer's message failed but the whole run: it waits until somebody mended it.
        settlement = replace(base, state="queued", reason="policy", is_free=True)
        return Done(settlement=settlement, pauses="at_once")
    return Done(
        settlement=replace(base, state="failed", reason=FAILURES[bounce]),
        effect=_EFFECTS.get(bounce, ""),
        event="Email Bounced",
        properties={"reason": outcome.code, "is_hard": bounce == "hard"},
        pauses="when_many" if bounce == "policy" and has_run else "",
    )


def fail(claimed: Claimed, reason: str, words: str) -> Done:
    """Return what a message means that cannot be made for this person; the others go."""
    return Done(
        settlement=Settlement(
            send_id=claimed.send_id,
            token=claimed.token,
            state="failed",
            reason=reason,
            reply=words,
        )
    )


def give_back(claimed: Claimed, reason: str = "", seconds: float = 0.0) -> Done:
    """Return what a message means that was not handed over and may go to any sender again."""
    return Done(
        settlement=Settlement(
            send_id=claimed.send_id,
            token=claimed.token,
            state="queued",
            reason=reason,
            wait_seconds=seconds,
            is_free=True,
        )
    )
