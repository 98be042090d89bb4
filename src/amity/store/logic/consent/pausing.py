"""Wanting nothing for a while: a statement with an end, which the gate looks at by the clock.

It stands at the contact point, so it holds when it commits, and in the log as what she said. What
she agreed to stays as it is, and messages that need no consent still come.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts import Channel
from amity.store.logic.consent.statements import PAUSE, PAUSED, RESUMED
from amity.store.logic.intake.appending import record_event
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
_LONGEST: Final = timedelta(days=366)


def pause_messages(
    *,
    profile_id: int,
    point: tuple[Channel, str],
    until: datetime | None,
    evidence: dict[str, str],
    now: datetime,
) -> None:
    """Send nothing that needs consent to a contact point until then; None ends a pause.

    Holds when this returns. Raises Invalid for a pause that is over already or longer than a year.
    """
    if until is not None and not now < until <= now + _LONGEST:
        raise Invalid("a pause ends within a year", code="bad_pause")
    with transaction() as connection:
        connection.execute(_SQL["lock_contact_point"], point)
        ends = None if until is None else format_instant(until)
        changed = connection.execute(
            _SQL["pause_contact_point"],
            {"channel": point[0], "key": point[1], "name": PAUSE, "until": ends},
        )
        if changed.rowcount:
            told = {"channel": point[0], "address_key": point[1], **evidence}
            _record(connection, profile_id, told | ({"until": ends} if ends else {}), now)


def _record(connection: Connection, profile_id: int, told: dict[str, Any], now: datetime) -> None:
    try:
        root = find_root(connection, profile_id)
    except NotFound:
        return  # she was erased; the pause is the address's
    record_event(
        connection=connection,
        profile_id=root,
        name=PAUSED if "until" in told else RESUMED,
        properties=told,
        message_id=f"pause-{told['address_key']}-{now.timestamp():.6f}",
        now=now,
    )
