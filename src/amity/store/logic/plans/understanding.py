"""One event of the log as it was understood, for people who look for what went wrong. Pure."""

from typing import Any

from amity.store.contracts import SYSTEM_SOURCE_ID, ReceivedEvent
from amity.store.contracts_tracking import Understood
from amity.store.logic.folding.fold import time_of
from amity.store.logic.intake.decoding import decode_event
from amity.store.logic.intake.parsing import BadEvent


def understand_event(event: ReceivedEvent) -> Understood | None:
    """Return an event as the fold reads it; None for one that cannot be read any more."""
    try:
        read = decode_event(event.type, event.body, is_system=event.source_id == SYSTEM_SOURCE_ID)
    except BadEvent:
        return None
    said = read.context.get("amity")
    marks: dict[str, Any] = said if isinstance(said, dict) else {}
    version, broken = marks.get("plan"), marks.get("violations")
    return Understood(
        type=read.type,
        name=read.name,
        user_id=read.user_id,
        anonymous_id=read.anonymous_id,
        occurred_at=time_of(read, event.received_at),
        sent_at=read.sent_at,
        traits=read.traits,
        properties=read.properties,
        plan_version=version if isinstance(version, int) else None,
        violations={str(p): str(r) for p, r in broken.items()} if isinstance(broken, dict) else {},
        left_out=_texts(marks.get("left_out")),
        cut_cards=_texts(marks.get("cut")),
    )


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
