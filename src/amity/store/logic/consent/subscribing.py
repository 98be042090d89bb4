"""Signing up by a form, and showing that the address is one's own (double opt-in; rules D8, D44).

The form's key is public and the address unproven, so a request gives nothing: it is an event about
the address alone, `Consent Requested`, and joins nobody. Whoever then presses the button behind
the link that was mailed there proves the address, and only that: not the browser that asked.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from amity.infra import queries
from amity.infra.crypto import pseudonym
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Invalid, Unavailable
from amity.store.contracts import Choices
from amity.store.contracts_claims import TRAIT_ASSERTED
from amity.store.contracts_consent import Confirmation, Notice, Signup
from amity.store.logic.consent.choices import find_overtaken, state_choices
from amity.store.logic.consent.purposes import find_notice, load_policies
from amity.store.logic.consent.statements import CONSENT_REQUESTED
from amity.store.logic.folding.batch import CONFIRMED
from amity.store.logic.identity.rules import normalize_email
from amity.store.logic.intake.appending import SystemEvent, record_events
from amity.store.logic.profiles.contact_points import contact_key, ensure_contact_points

_SQL: Final = queries.load("amity.store")
METHOD: Final = "DOI"
A_NETWORK: Final = 20
"""So many requests an hour may come from one network address."""

A_DOMAIN: Final = 500
"""And so many for the addresses of one mail provider."""

_WAIT_SECONDS: Final = 3600
_LONGEST_NAME: Final = 80
# A name that could be a link in a message, or bring one, is no name (rule D44).
_LINK: Final = re.compile(r"[/\\@:<>{}]|www|\.\w", re.IGNORECASE)
NOBODY: Final = 0
"""The profile id of an event of Amity's own that is about an address, whosesoever it is."""


def request_subscription(*, signup: Signup, now: datetime) -> bool:
    """Record that an address wants messages; say whether it was, which nobody outside is told.

    Not when it was asked for it within a day, or when nothing is sent there. Raises Invalid for
    what no address is or what is not asked for here, Unavailable when too many come from one place.
    """
    address = normalize_email(signup.address)
    if address is None:
        raise Invalid("this is not an e-mail address", code="bad_address")
    key = contact_key(channel="email", address=address)
    notice = _read_notice(signup.notice)
    with transaction() as connection:
        purposes = _check_purposes(connection, signup.purposes)
        is_too_many = _is_too_many(connection, signup.network, address, now)
        if not is_too_many:
            ensure_contact_points(connection=connection, channel="email", address_keys=[key])
            asked = connection.execute(_SQL["signup_ask"], {"key": key, "now": now})
            if asked.fetchone() is None:
                return False
            event = _request(signup, address, key, purposes, notice, now)
            record_events(connection=connection, events=[event], now=now)
    # Raised when what was counted is kept.
    if is_too_many:
        raise Unavailable(
            "too many signed up from there; try again later",
            code="too_many_signups",
            retry_after_seconds=_WAIT_SECONDS,
        )
    return True


def _read_notice(name: str) -> Notice | None:
    notice = find_notice(name=name) if name else None
    if name and notice is None:
        raise Invalid("there is no such notice", code="no_notice")
    return notice


def _check_purposes(connection: Connection, wanted: Iterable[str]) -> list[str]:
    """Return the purposes that may be asked for: those the preference centre asks about too."""
    purposes = sorted(set(wanted))
    known = {key for key, one in load_policies(connection).items() if one.is_shown}
    if not purposes or not set(purposes) <= known:
        raise Invalid("say which purposes: " + ", ".join(sorted(known)), code="bad_purpose")
    return purposes


def _is_too_many(connection: Connection, network: str, address: str, now: datetime) -> bool:
    """Count a request and say whether it is one too many, for all processes together."""
    domain = pseudonym("signup.domain:" + address.rpartition("@")[2])
    most = {domain: A_DOMAIN} | ({network: A_NETWORK} if network else {})
    rows = connection.execute(_SQL["signup_count"], {"keys": list(most), "now": now})
    return any(amount > most[key] for key, amount in rows.fetchall())


def _request(  # each says another thing
    signup: Signup,
    address: str,
    key: str,
    purposes: list[str],
    notice: Notice | None,
    now: datetime,
) -> SystemEvent:
    told: dict[str, Any] = {
        "identifiers": [["email", address]],
        "channel": "email",
        "address_key": key,
        "purposes": purposes,
        "method": METHOD,
        "form_source_id": signup.source_id,
    }
    if notice is not None:
        told |= {"notice": notice.name, "notice_sha256": notice.sha256}
    extra = {
        "language": signup.language[:20],
        "name": clean_name(signup.name),
        "browser": signup.browser,
        "network": signup.network,
    }
    return SystemEvent(
        profile_id=NOBODY,
        name=CONSENT_REQUESTED,
        properties=told | {name: value for name, value in extra.items() if value},
        message_id=f"signup-{key}-{now.timestamp():.6f}",
    )


def clean_name(text: str) -> str:
    """Return a name as it may be kept; "" for one that could be a link, or no name at all."""
    name = " ".join(text.split())
    is_name = name.isprintable() and len(name) <= _LONGEST_NAME and not _LINK.search(name)
    return name if is_name else ""


def confirm_subscription(
    *, confirmation: Confirmation, evidence: dict[str, str], now: datetime
) -> bool:
    """Give what was asked for: she has shown that the address is hers. Say whether that holds.

    What she has said since she asked stands: a link that was used, or is older than her no, gives
    nothing. False when she was erased or has decided otherwise.
    """
    with transaction() as connection:
        row = connection.execute(_SQL["signup_request"], [confirmation.event_id]).fetchone()
        if row is None or row[0].get("address_key") != confirmation.address_key:
            return False
        asked, at, has_name = row
        overtaken = find_overtaken(connection, "email", confirmation.address_key, at)
        if any(not is_yes for is_yes in overtaken.values()):
            return False
        wanted = [purpose for purpose in asked["purposes"] if purpose not in overtaken]
        if wanted:
            asked |= {"purposes": wanted, "name": "" if has_name else asked.get("name", "")}
            _give(connection, confirmation, asked, evidence, now)
    return True


def _give(
    connection: Connection,
    confirmation: Confirmation,
    asked: dict[str, Any],
    evidence: dict[str, str],
    now: datetime,
) -> None:
    """Record in this order: the address is hers, then what she wants, then her name."""
    identifiers = asked["identifiers"]
    told: dict[str, Any] = {"traits": {"email": identifiers[0][1]}, "how": "verified"}
    if asked["name"]:
        told["traits"]["name"] = asked["name"]
    proof = {"identifiers": identifiers * 2, "how": METHOD}
    claim = told | {"identifiers": identifiers, "provenance": "double opt-in"}
    mark = f"{confirmation.event_id}-{now.timestamp():.6f}"
    record_events(
        connection=connection, events=[_about(CONFIRMED, proof, f"proof-{mark}")], now=now
    )
    shown: dict[str, Any] = {
        key: asked[key] for key in ("notice", "notice_sha256", "language") if key in asked
    }
    send_id = {"send_id": str(UUID(confirmation.send_id))} if confirmation.send_id else {}
    request = {"requested_by": str(confirmation.event_id), "identifiers": identifiers}
    state_choices(
        choices=Choices(
            profile_id=confirmation.profile_id,
            channel="email",
            address_key=confirmation.address_key,
            choices=dict.fromkeys(asked["purposes"], True),
            method=METHOD,
            evidence={**shown, **send_id, **request, **evidence},
        ),
        is_of_address=True,
        connection=connection,
        now=now,
    )
    record_events(
        connection=connection, events=[_about(TRAIT_ASSERTED, claim, f"claim-{mark}")], now=now
    )


def _about(name: str, properties: dict[str, Any], message_id: str) -> SystemEvent:
    return SystemEvent(
        profile_id=NOBODY, name=name, properties=properties, message_id=f"signup-{message_id}"
    )
