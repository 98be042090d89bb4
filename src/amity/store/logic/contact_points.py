"""Where messages go: contact points, what was refused there, and who may not be written to at all.

An address is known by a keyed hash, so that a no outlives the erasure of who said it (rule D51).

How a no stops what is on its way (rule D19): it updates the row of the contact point, and it is
given with the commit. Who sends takes the row FOR SHARE **in a statement of its own**, asks
`store_contact_reason` in the next one, marks the message as on the wire, and commits. So a message
is either on the wire before the no, or the sender sees the no. A row that is not there cannot be
locked: call `ensure_contact_points` when messages are planned.
"""

import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import msgspec
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.crypto import installation_secrets
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.store.contracts import (
    Channel,
    Choices,
    Consent,
    ConsentStatement,
    ContactPoint,
    Suppression,
)
from amity.store.logic.appending import SystemEvent, record_events
from amity.store.logic.consent import (
    CONSENT_EVENTS,
    EMAIL_MARKETING,
    MAX_PURPOSE,
    PREFERENCES_UPDATED,
    UNSUBSCRIBED,
    read_statements,
)
from amity.store.logic.identity import normalize_email, normalize_phone
from amity.store.logic.profiles import find_root

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
_MOST_STATEMENTS: Final = 1000
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
_OBJECTIONS: Final = msgspec.json.Decoder(dict[str, datetime])


class _Statement(msgspec.Struct, frozen=True, array_like=True):
    """What was said last at a contact point about one purpose, and for which profile."""

    at: datetime
    is_yes: bool
    profile_id: int | None


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_STATEMENTS: Final = msgspec.json.Decoder(dict[str, _Statement])


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


def state_choices(*, choices: Choices, now: datetime, connection: Connection | None = None) -> bool:
    """Write down what a customer says yes or no to at a contact point; say whether it is new.

    One transaction: the contact point is locked, its objections set or taken away, and the events
    recorded for her: `Unsubscribed` for a no to `marketing.email`, and `Segment Consent Preference
    Updated` for all else. What was said last here already, and not contradicted since, is not
    recorded again. A yes to anything also lifts the suppression of an erased customer who has come
    back. When there is no such profile any more a no still counts for the address, and a yes is
    nothing. The evidence becomes properties of the events; put a `send_id` there.
    """
    if connection is None:
        with transaction() as own:
            return state_choices(choices=choices, now=now, connection=own)
    if not all(0 < len(purpose) <= MAX_PURPOSE for purpose in choices.choices):
        raise Invalid("a purpose has a name", code="bad_purpose")
    point = [choices.channel, choices.address_key]
    row = connection.execute(_SQL["lock_contact_point"], point).fetchone()
    assert row is not None
    held = _Held(_OBJECTIONS.decode(row[0]), _STATEMENTS.decode(row[1]))
    root, consents = _read_consents(connection, choices.profile_id)
    fresh = held.list_fresh(choices.choices, root, consents)
    if not fresh:
        return False
    held.take(fresh, root, now)
    connection.execute(
        _SQL["write_choices"],
        {
            "channel": choices.channel,
            "address_key": choices.address_key,
            "objections": Jsonb(held.objections),
            "statements": Jsonb(held.statements),
            "lift": row[2] == "erased" and any(fresh.values()),
        },
    )
    if root is not None:
        told = {**choices.evidence, "channel": choices.channel, "method": choices.method}
        record_events(connection=connection, events=_events(root, fresh, told), now=now)
    return True


class _Held:
    """What a locked contact point holds, while choices are made there."""

    def __init__(self, objections: dict[str, datetime], statements: dict[str, _Statement]) -> None:
        self.objections = objections
        self.statements = statements

    def list_fresh(
        self, choices: Mapping[str, bool], root: int | None, consents: dict[str, Consent]
    ) -> dict[str, bool]:
        """Return those choices that are not what holds already."""
        return {
            purpose: is_yes
            for purpose, is_yes in choices.items()
            if (root is not None or not is_yes)
            and not self._is_said(purpose, _Statement(_NEVER, is_yes, root), consents.get(purpose))
        }

    def _is_said(self, purpose: str, wanted: _Statement, consent: Consent | None) -> bool:
        said = self.statements.get(purpose)
        if said is None or msgspec.structs.replace(said, at=wanted.at) != wanted:
            return False
        if (purpose in self.objections) is said.is_yes:
            return False
        if consent is None or (consent.status == "granted") is said.is_yes:
            return True
        return consent.at <= said.at

    def take(self, fresh: Mapping[str, bool], root: int | None, now: datetime) -> None:
        """Let choices take the place of what was said before."""
        for purpose, is_yes in fresh.items():
            self.statements[purpose] = _Statement(now, is_yes, root)
            if is_yes:
                self.objections.pop(purpose, None)
            else:
                self.objections[purpose] = max(now, self.objections.get(purpose, now))


def _events(root: int, fresh: Mapping[str, bool], told: dict[str, Any]) -> list[SystemEvent]:
    rest = dict(fresh)
    said: list[tuple[str, dict[str, Any]]] = []
    if rest.get(EMAIL_MARKETING) is False:
        del rest[EMAIL_MARKETING]
        said.append((UNSUBSCRIBED, told))
    if rest:
        said.append((PREFERENCES_UPDATED, {**told, "categoryPreferences": rest}))
    return [
        SystemEvent(profile_id=root, name=name, properties=properties, message_id=str(uuid4()))
        for name, properties in said
    ]


def _read_consents(
    connection: Connection, profile_id: int
) -> tuple[int | None, dict[str, Consent]]:
    row = None
    if 0 < profile_id < 2**63:
        row = connection.execute(_SQL["read_consents"], [profile_id]).fetchone()
    return (None, {}) if row is None else (row[0], _CONSENTS.decode(row[1]))


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
            objections=_OBJECTIONS.decode(row[4]),
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


def list_consent_history(*, profile_id: int, limit: int = 100) -> list[ConsentStatement]:
    """Return what a customer said about purposes, the latest first; raise NotFound.

    ``limit`` is in events; one may say something about several purposes.
    """
    arguments = [sorted(CONSENT_EVENTS), max(1, min(limit, _MOST_STATEMENTS))]
    with transaction() as connection:
        root = find_root(connection, profile_id)
        rows = connection.execute(_SQL["list_statements"], [root, *arguments]).fetchall()
    return [statement for row in rows for statement in _statements_of(row)]


def _statements_of(row: tuple[Any, ...]) -> list[ConsentStatement]:
    event_id, source_id, kind, at, name, properties, context = row
    method = properties.get("method")
    hidden = {"method", "channel", "categoryPreferences"}
    return [
        ConsentStatement(
            event_id=event_id,
            at=at,
            purpose=purpose,
            status=status,
            source_id=source_id,
            method=method if isinstance(method, str) else "",
            evidence={key: value for key, value in properties.items() if key not in hidden},
        )
        for purpose, status in sorted(read_statements(name, properties, context, kind).items())
    ]
