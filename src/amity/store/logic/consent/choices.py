"""What customers say yes or no to at a contact point, and what they said before.

A choice is two things at once: a row that whoever sends must look at (`contact_points`), in force
when it commits, and events in the customer's history that become her profile's consents.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid
from amity.store.contracts import (
    Channel,
    Choices,
    Consent,
    ConsentStatement,
    ConsentStatus,
    Preferences,
    Stated,
)
from amity.store.contracts_consent import Purpose
from amity.store.logic.consent.purposes import load_policies
from amity.store.logic.consent.statements import (
    CONSENT_EVENTS,
    EMAIL_MARKETING,
    MAX_PURPOSE,
    PAUSE,
    PREFERENCES_UPDATED,
    UNSUBSCRIBED,
    read_statements,
    reason_of,
)
from amity.store.logic.intake.appending import SystemEvent, record_event, record_events
from amity.store.logic.profiles.contact_points import addresses_of
from amity.store.logic.profiles.reading import find_root

_SQL: Final = queries.load("amity.store")
LINK_REQUESTED: Final = "Preference Link Requested"
_MOST_STATEMENTS: Final = 1000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_CONSENTS: Final = msgspec.json.Decoder(dict[str, Consent])
_OBJECTIONS: Final = msgspec.json.Decoder(dict[str, datetime])


class _Statement(msgspec.Struct, frozen=True, array_like=True):
    """What was said last at a contact point about one purpose, and for which profile."""

    at: datetime
    is_yes: bool
    profile_id: int | None


_STATEMENTS: Final = msgspec.json.Decoder(dict[str, _Statement])


def state_choices(
    *,
    choices: Choices,
    now: datetime,
    connection: Connection | None = None,
    is_of_address: bool = False,
) -> Stated:
    """Write down what a customer says yes or no to at a contact point; return what was new.

    One transaction: the contact point is locked, its objections set or taken away, and the events
    recorded for her: `Unsubscribed` for a no to `marketing.email`, and `Segment Consent Preference
    Updated` for all else. What was said last here already, and not contradicted since, is not
    recorded again. A yes to anything also lifts the suppression of an erased customer who has come
    back. When there is no such profile any more a no still counts for the address, and a yes is
    nothing. The evidence becomes properties of the events; put a `send_id` there. With
    ``is_of_address`` they are about whoever has the `identifiers` in it.
    """
    if connection is None:
        with transaction() as own:
            return state_choices(
                choices=choices, now=now, connection=own, is_of_address=is_of_address
            )
    if not all(0 < len(purpose) <= MAX_PURPOSE for purpose in choices.choices):
        raise Invalid("a purpose has a name", code="bad_purpose")
    point = [choices.channel, choices.address_key]
    row = connection.execute(_SQL["lock_contact_point"], point).fetchone()
    assert row is not None
    held = _Held(*row[:2])
    root, consents = _read_consents(connection, choices.profile_id)
    policies = load_policies(connection)
    lasting = {
        purpose
        for purpose in choices.choices
        if held.is_allowed(purpose, root, consents, policies, now)
    }
    fresh = held.list_fresh(choices, root, consents, lasting)
    if not fresh:
        return Stated(said={}, taken_back=[])
    taken_back = [
        purpose
        for purpose, is_yes in fresh.items()
        if not is_yes and held.is_granted(purpose, root, consents.get(purpose))
    ]
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
        events = _events(0 if is_of_address else root, fresh, told)
        record_events(connection=connection, events=events, now=now)
    return Stated(said=fresh, taken_back=taken_back)


def find_overtaken(
    connection: Connection, channel: Channel, address_key: str, since: datetime
) -> dict[str, bool]:
    """Return what was said at a contact point after an instant; it is locked."""
    row = connection.execute(_SQL["lock_contact_point"], [channel, address_key]).fetchone()
    assert row is not None
    said = _STATEMENTS.decode(row[1])
    return {purpose: one.is_yes for purpose, one in said.items() if one.at > since}


class _Held:
    """What a locked contact point holds, while choices are made there."""

    def __init__(self, objections: str, statements: str) -> None:
        self.objections = _OBJECTIONS.decode(objections)
        self.statements = _STATEMENTS.decode(statements)

    def list_fresh(
        self, wanted: Choices, root: int | None, consents: dict[str, Consent], lasting: set[str]
    ) -> dict[str, bool]:
        """Return those choices that count and are not what holds already.

        A yes that has expired may be given again; ``lasting`` are the purposes that are allowed.
        """
        return {
            purpose: is_yes
            for purpose, is_yes in wanted.choices.items()
            if (root is not None or not is_yes)
            and self._is_still(purpose, wanted.instead_of)
            and not (
                (purpose in lasting or not is_yes)
                and self._is_said(purpose, _Statement(_NEVER, is_yes, root), consents.get(purpose))
            )
        }

    def _is_still(self, purpose: str, at: datetime | None) -> bool:
        said = self.statements.get(purpose)
        return at is None or (said is not None and said.at == at)

    def _is_said(self, purpose: str, wanted: _Statement, consent: Consent | None) -> bool:
        said = self.statements.get(purpose)
        if said is None or msgspec.structs.replace(said, at=wanted.at) != wanted:
            return False
        if (purpose in self.objections) is said.is_yes:
            return False
        return self.is_granted(purpose, said.profile_id, consent) is said.is_yes

    def is_granted(self, purpose: str, root: int | None, consent: Consent | None) -> bool:
        """Say whether a purpose is allowed here now, also before the fold has caught up.

        The later of the two counts: what was said here for the same profile, and the profile's
        own consent; an objection by anybody holds until a later yes.
        """
        said = self.statements.get(purpose)
        refused_at = self.objections.get(purpose)
        yes_at = consent.at if consent is not None and consent.status == "granted" else None
        no_at = consent.at if consent is not None and yes_at is None else refused_at
        if said is not None and said.is_yes and said.profile_id == root:
            yes_at = max(said.at, yes_at or said.at)
        if refused_at is not None:
            no_at = max(refused_at, no_at or refused_at)
        return yes_at is not None and (no_at is None or yes_at > no_at)

    def paused_until(self, now: datetime) -> datetime | None:
        """Return the end of a pause that holds."""
        ends = self.objections.get(PAUSE)
        return ends if ends is not None and ends > now else None

    def is_allowed(
        self,
        purpose: str,
        root: int | None,
        consents: Mapping[str, Consent],
        policies: Mapping[str, Purpose],
        now: datetime,
    ) -> bool:
        """Say whether the gate lets data be used for a purpose here now, before the fold too."""
        said = self.statements.get(purpose)
        consent = consents.get(purpose)
        if said is not None and (consent is None or said.at > consent.at):
            if not said.is_yes or said.profile_id == root:
                status: ConsentStatus = "granted" if said.is_yes else "denied"
                folded = Consent(status=status, at=said.at, source_id=0, event_id=0)
                consents = {**consents, purpose: folded}
        elif purpose in self.objections and (
            consent is None or self.objections[purpose] >= consent.at
        ):
            return False
        # A pause is told apart: it takes nothing back of what she agreed to.
        return reason_of(purpose, consents, policies, now) in ("", "on_pause")

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


def read_preferences(
    *,
    profile_id: int,
    channel: Channel,
    address_key: str,
    purposes: Iterable[str],
    now: datetime,
) -> Preferences | None:
    """Return how things stand at one contact point; None when there is no such profile any more.

    What was said a moment ago is in it, whether or not it has been folded.
    """
    asked = list(purposes)
    with transaction() as connection:
        policies = load_policies(connection)
        root, consents = _read_consents(connection, profile_id)
        if root is None:
            return None
        row = connection.execute(_SQL["read_contact_point"], [channel, address_key]).fetchone()
        rows = connection.execute(_SQL["list_identifiers"], [root]).fetchall()
        signal = connection.execute(_SQL["last_signal"], [root]).fetchone()
    held = _Held(*(row[:2] if row else ("{}", "{}")))
    addresses = addresses_of([(row[0], row[1]) for row in rows])
    return Preferences(
        address=addresses.get((channel, address_key), ""),
        choices={
            purpose: held.is_granted(purpose, root, consents.get(purpose)) for purpose in asked
        },
        allowed={
            purpose: held.is_allowed(purpose, root, consents, policies, now) for purpose in asked
        },
        is_suppressed=bool(row and row[2]),
        paused_until=held.paused_until(now),
        signal_at=_honoured(signal, consents),
    )


def _honoured(
    signal: tuple[datetime, dict[str, Any]] | None, consents: Mapping[str, Consent]
) -> datetime | None:
    """Return when her browser said no, if all it said no to is still refused."""
    if signal is None or not signal[1]:
        return None
    said = (consents.get(purpose) for purpose in signal[1])
    return signal[0] if all(each and each.status != "granted" for each in said) else None


def request_preference_link(
    *, profile_id: int, channel: Channel, address_key: str, now: datetime
) -> None:
    """Record that a customer wants a new link to her preferences, at most once a day.

    Nothing happens when there is no such profile any more.
    """
    with transaction() as connection:
        root, _ = _read_consents(connection, profile_id)
        if root is not None:
            record_event(
                connection=connection,
                profile_id=root,
                name=LINK_REQUESTED,
                properties={"channel": channel, "address_key": address_key},
                message_id=f"preference-link-{address_key}-{now.astimezone(UTC).date()}",
                now=now,
            )


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
