"""What a message's state and kind are called on screen, and in which colour."""

from datetime import datetime
from typing import Final

import msgspec
from django.urls import reverse

from amity.broadcast.contracts import Message, RunKind, SendState


class StateWords(msgspec.Struct, frozen=True, kw_only=True):
    """A state's name for people, the tag's look and what it means."""

    label: str
    look: str
    words: str


STATES: Final[dict[SendState, StateWords]] = {
    "queued": StateWords(label="waiting", look="info", words="It waits for its turn."),
    "claimed": StateWords(label="being made", look="info", words="A sender is making it."),
    "wire": StateWords(
        label="on its way", look="info", words="It was handed over; the reply is awaited."
    ),
    "sent": StateWords(label="sent", look="good", words="The receiving server took it."),
    "failed": StateWords(label="failed", look="bad", words="It could not be delivered."),
    "unknown": StateWords(
        label="unknown",
        look="warn",
        words="The connection broke before the reply: it may have arrived or not.",
    ),
    "suppressed": StateWords(label="held back", look="warn", words="It was not to be sent."),
    "cancelled": StateWords(label="cancelled", look="", words="It was stopped before it left."),
    "expired": StateWords(label="expired", look="", words="Its time passed before it left."),
}
KINDS: Final[dict[RunKind, str]] = {
    "campaign": "Campaigns",
    "journey": "Journeys",
    "test": "Tests",
    "service": "Service",
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One moment in a message's life."""

    at: datetime
    look: str
    words: str


def steps_of(message: Message) -> list[Step]:
    """Tell a message's life in the order it happened."""
    steps = [Step(at=message.planned_at, look="s3", words="Planned")]
    if message.not_before > message.planned_at:
        steps.append(Step(at=message.not_before, look="", words="Not to leave before"))
    if message.wire_at is not None:
        steps.append(Step(at=message.wire_at, look="s1", words="Handed to the mail server"))
    if message.settled_at is not None:
        state = STATES[message.state]
        steps.append(
            Step(
                at=message.settled_at,
                look=state.look,
                words=state.label[:1].upper() + state.label[1:],
            )
        )
    elif message.state in ("queued", "claimed", "wire"):
        steps.append(Step(at=message.not_after, look="", words="Expires unless it has left"))
    return steps


def run_address(kind: RunKind, run_id: int) -> str:
    """Return where the campaign or journey behind a message is shown; empty when nowhere."""
    pages = {"campaign": "campaign", "journey": "journey"}
    return reverse(pages[kind], args=[run_id]) if kind in pages and run_id else ""
