"""Where messages go: contact points, by the keyed hash of an address, and why nothing goes there.

An address is known by a keyed hash, so that a no outlives the erasure of who said it (rule D51).

How a no stops what is on its way (rule D19): it updates the row of the contact point, and it is
given with the commit. Who sends takes the row FOR SHARE **in a statement of its own**, asks
`store_contact_reason` in the next one, marks the message as on the wire, and commits. So a message
is either on the wire before the no, or the sender sees the no. A row that is not there cannot be
locked: call `ensure_contact_points` when messages are planned.
"""

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.crypto import installation_secrets
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.store.contracts import Channel, ContactPoint, Suppression
from amity.store.logic.consent.statements import PAUSE
from amity.store.logic.identity.rules import normalize_email, normalize_phone
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
SOFT_BOUNCES: Final = 5
"""So many, over at least `SOFT_BOUNCE_PERIOD`, and the address is given up (SAFETY 3.5)."""

SOFT_BOUNCE_PERIOD: Final = timedelta(days=14)
# The weakest first: a stronger reason takes the place of a weaker one, never the other way.
_STRENGTH: Final[tuple[Suppression, ...]] = (
    "",
    "soft_bounces",
    "hard_bounce",
    "manual",
    "complaint",
    "erased",
)
_OBJECTIONS: Final = msgspec.json.Decoder(dict[str, datetime])


@cache
def _pepper(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"amity.contact", "sha256")


def contact_key(*, channel: Channel, address: str) -> str:
    """Return the keyed hash an address is known by, however it is written; raise Invalid."""
    plain = normalize_email(address) if channel == "email" else address.strip()
    if channel == "sms":
        plain = normalize_phone(address)
    if not plain:
        raise Invalid("this is not an address", code="bad_address")
    pepper = _pepper(installation_secrets().pepper)
    return hmac.digest(pepper, f"{channel}\0{plain}".encode(), sha256).hex()[:32]


def ensure_contact_points(
    *, connection: Connection, channel: Channel, address_keys: Iterable[str]
) -> None:
    """Make sure that contact points have a row that can be locked, in the caller's transaction."""
    keys = sorted(set(address_keys))
    if keys:
        connection.execute(_SQL["ensure_contact_points"], [channel, keys])


def suppress(
    *,
    channel: Channel,
    address_key: str,
    reason: Suppression,
    now: datetime,
    connection: Connection | None = None,
) -> None:
    """Send nothing to a contact point from now on; a stronger reason that holds already stays."""
    if connection is None:
        with transaction() as own:
            return suppress(
                channel=channel, address_key=address_key, reason=reason, now=now, connection=own
            )
    return suppress_all(connection, [(channel, address_key)], reason, now)


def suppress_all(
    connection: Connection,
    points: Iterable[tuple[Channel, str]],
    reason: Suppression,
    now: datetime,
) -> None:
    """Suppress contact points in the caller's transaction, in an order all writers keep to."""
    if reason not in _STRENGTH[1:]:
        raise Invalid(f"{reason!r} is no reason to suppress", code="bad_reason")
    wanted = sorted(set(points))
    if wanted:
        connection.execute(
            _SQL["suppress_contact_points"],
            {
                "channels": [channel for channel, _ in wanted],
                "keys": [key for _, key in wanted],
                "reason": reason,
                "now": now,
                "weaker": list(_STRENGTH[: _STRENGTH.index(reason)]),
            },
        )


def erase_contact_points(
    connection: Connection, points: Iterable[tuple[Channel, str]], now: datetime
) -> None:
    """Suppress the addresses of an erased customer, and forget whose they were."""
    wanted = sorted(set(points))
    if wanted:
        arguments = {
            "channels": [channel for channel, _ in wanted],
            "keys": [key for _, key in wanted],
            "now": now,
        }
        connection.execute(_SQL["erase_contact_points"], arguments)


def lift_suppression(
    *, channel: Channel, address_key: str, connection: Connection | None = None
) -> bool:
    """Let a contact point be written to again; objections stay. Say whether it was suppressed."""
    if connection is None:
        with transaction() as own:
            return lift_suppression(channel=channel, address_key=address_key, connection=own)
    return connection.execute(_SQL["lift_suppression"], [channel, address_key]).rowcount > 0


def record_soft_bounce(
    *, channel: Channel, address_key: str, now: datetime, connection: Connection | None = None
) -> bool:
    """Count a bounce that may pass; say whether the address is given up by it.

    That is at the fifth without a delivery between, when at least 14 days lie between the first
    and the last. `forget_soft_bounces` begins anew.
    """
    if connection is None:
        with transaction() as own:
            return record_soft_bounce(
                channel=channel, address_key=address_key, now=now, connection=own
            )
    arguments = [channel, address_key, now]
    row = connection.execute(_SQL["count_soft_bounce"], arguments).fetchone()
    assert row is not None
    if row[0] < SOFT_BOUNCES or now - row[1] < SOFT_BOUNCE_PERIOD:
        return False
    suppress_all(connection, [(channel, address_key)], "soft_bounces", now)
    return True


def forget_soft_bounces(
    *, connection: Connection, channel: Channel, address_keys: list[str]
) -> None:
    """Begin counting anew where a message was taken, in the caller's transaction."""
    if address_keys:
        connection.execute(_SQL["forget_soft_bounces"], [channel, address_keys])


def find_contact_point(
    *, channel: Channel, address_key: str, connection: Connection | None = None
) -> ContactPoint | None:
    """Return a contact point, or None when nothing was ever sent or said there."""
    if connection is None:
        with transaction() as own:
            return find_contact_point(channel=channel, address_key=address_key, connection=own)
    return _find_points(connection, [(channel, address_key)]).get((channel, address_key))


def _find_points(
    connection: Connection, keys: list[tuple[Channel, str]]
) -> dict[tuple[Channel, str], ContactPoint]:
    columns = [[channel for channel, _ in keys], [key for _, key in keys]]
    return {
        (row[0], row[1]): ContactPoint(
            channel=row[0],
            address_key=row[1],
            suppression=row[2],
            suppressed_at=row[3],
            objections={
                purpose: at
                for purpose, at in _OBJECTIONS.decode(row[4]).items()
                if purpose != PAUSE
            },
            soft_bounces=row[5],
        )
        for row in connection.execute(_SQL["find_contact_points"], columns)
    }


def list_contact_points(*, profile_id: int) -> list[ContactPoint]:
    """Return the addresses a customer can be written to at, with what was refused at each.

    E-mail first, then by address. Raises NotFound.
    """
    with transaction() as connection:
        root = find_root(connection, profile_id)
        rows = connection.execute(_SQL["list_identifiers"], [root]).fetchall()
        addresses = addresses_of([(row[0], row[1]) for row in rows])
        found = _find_points(connection, list(addresses))
    points = []
    for (channel, key), address in addresses.items():
        point = found.get((channel, key)) or ContactPoint(channel=channel, address_key=key)
        points.append(msgspec.structs.replace(point, address=address))
    return sorted(points, key=lambda point: (point.channel, point.address))


def addresses_of(identifiers: Iterable[tuple[str, str]]) -> dict[tuple[Channel, str], str]:
    """Return the contact points among identifiers of (kind, value), with their addresses."""
    channels: dict[str, Channel] = {"email": "email", "phone": "sms"}
    return {
        (channels[kind], contact_key(channel=channels[kind], address=value)): value
        for kind, value in identifiers
        if kind in channels
    }
