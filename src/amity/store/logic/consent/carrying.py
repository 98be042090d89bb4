"""What a customer refused holds for both when she turns out to be two: the stricter, as in a merge.

Amity's own events, such as a no by a link in a message, stand under the number of the customer as
she was; nobody can say afterwards which of the two spoke. So they are said again of either side.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.clock import format_instant
from amity.store.contracts import SYSTEM_SOURCE_ID, Consent
from amity.store.contracts_consent import is_spoken
from amity.store.logic.consent.statements import (
    PAUSE,
    PAUSED,
    PREFERENCES_UPDATED,
    RESTRICTED,
    RESTRICTION,
)
from amity.store.logic.identity.rules import Key
from amity.store.logic.intake.appending import SystemEvent, record_events

_SQL: Final = queries.load("amity.store")
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
METHOD: Final = "split"


class Side(msgspec.Struct, frozen=True):
    """One of the two that are left: by its number, or (0) as whoever has these identifiers."""

    profile_id: int = 0
    identifiers: list[Key] = []

    def told(self) -> dict[str, Any]:
        """Return what an event says of whom it is about."""
        found = [list(key) for key in self.identifiers]
        return {"identifiers": found} if found else {}


def carry_refusals(
    connection: Connection,
    *,
    profile_id: int,
    sides: Iterable[Side],
    since: datetime | None,
    mark: str,
    now: datetime,
) -> None:
    """Record what a customer refuses of each side she falls apart into, in the caller's commit.

    Only what Amity itself wrote down from ``since`` on, if given: all else finds its way back by
    the identifiers it came with. Call it after the event that takes them apart; ``mark`` names
    that one.
    """
    row = connection.execute(_SQL["read_consents"], [profile_id]).fetchone()
    consents = _CONSENTS.decode(row[1]) if row is not None else {}
    told = [
        (name, properties)
        for name, properties, said in _list_refusals(consents, now)
        if said.source_id == SYSTEM_SOURCE_ID and (since is None or said.at >= since)
    ]
    events = [
        SystemEvent(
            profile_id=side.profile_id,
            name=name,
            properties={**properties, **side.told(), "method": METHOD},
            message_id=f"carried-{mark}-{place}-{number}",
        )
        for place, side in enumerate(sides)
        for number, (name, properties) in enumerate(told)
    ]
    if events:
        record_events(connection=connection, events=events, now=now)


def carry_of_merge(connection: Connection, merge_id: int, now: datetime) -> None:
    """Do it for the two of a merge that was just taken back, as to what was said since it."""
    row = connection.execute(_SQL["carrying_merge"], [merge_id]).fetchone()
    if row is not None:
        winner, loser, since = row
        carry_refusals(
            connection,
            profile_id=winner,
            sides=[Side(profile_id=winner), Side(profile_id=loser)],
            since=since,
            mark=f"{merge_id}-{now.timestamp():.6f}",
            now=now,
        )


def _list_refusals(
    consents: dict[str, Consent], now: datetime
) -> Iterator[tuple[str, dict[str, Any], Consent]]:
    for name, said in sorted(consents.items()):
        if said.status == "granted":
            continue
        if is_spoken(name):
            yield PREFERENCES_UPDATED, {"categoryPreferences": {name: False}}, said
        elif name == RESTRICTION:
            yield RESTRICTED, {}, said
        elif said.expires_at is not None and said.expires_at > now:
            channel = name.removeprefix(f"{PAUSE}.")
            yield PAUSED, {"channel": channel, "until": format_instant(said.expires_at)}, said
