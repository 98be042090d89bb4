"""What events say about consent (pure): who may say it, and whose word is the last.

The latest statement by event time counts; of two at the same time, the more restrictive one.
When two customers turn out to be one, the more restrictive of their last words.
A browser source has a public key, so it may deny or withdraw a consent but never give one.
"""

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, get_args

import msgspec

from amity.infra.config import settings
from amity.kernel.clock import parse_instant
from amity.kernel.errors import Invalid
from amity.rules import Window
from amity.store.contracts import Channel, Consent, ConsentStatus, SourceKind
from amity.store.contracts_consent import Purpose, UseReason, is_spoken
from amity.store.logic.consent.tcf import read_tc_string
from amity.store.logic.consent.under_age import GUARDIAN, is_under_age, span_of
from amity.store.logic.intake.decoding import DecodedEvent

PREFERENCES_UPDATED: Final = "Segment Consent Preference Updated"
UNSUBSCRIBED: Final = "Unsubscribed"
CONSENT_REQUESTED: Final = "Consent Requested"
"""Somebody asked for messages and has not shown yet that the address is theirs."""

PAUSED: Final = "Messages Paused"
RESUMED: Final = "Messages Resumed"
PAUSE_EVENTS: Final = frozenset({PAUSED, RESUMED})
"""Only Amity itself says these, when a customer chose so on a page of hers."""

RESTRICTED: Final = "Processing Restricted"
LIFTED: Final = "Processing Restriction Lifted"
RESTRICTION_EVENTS: Final = frozenset({RESTRICTED, LIFTED})
"""Only Amity itself says these, when a data request of a customer's is carried out."""

RESTRICTION: Final = "~restricted"
"""Under this name a no stands among a profile's consents while its data is only kept."""

PAUSE: Final = "~pause"
"""Under this name the end of a pause stands among the objections of an address; and, followed by
the channel, among a profile's consents, where a no with an end is a pause."""

EMAIL_MARKETING: Final = "marketing.email"
CONSENT_EVENTS: Final = frozenset({PREFERENCES_UPDATED, UNSUBSCRIBED})
MAX_PURPOSE: Final = 100

_UNKNOWN_PURPOSE: Final = Purpose(key="", title="", covers="")
"""How a purpose counts that nobody has described: it needs consent, which does not expire."""

_CHANNELS: Final = frozenset(get_args(Channel))
_STRICTNESS: Final[dict[ConsentStatus, int]] = {"granted": 0, "denied": 1, "withdrawn": 2}


def list_statements(event: DecodedEvent, kind: SourceKind) -> dict[str, ConsentStatus]:
    """Return what an event of a source of that kind says, by purpose.

    Preferences are read from `categoryPreferences` in the event's properties, in their
    `consent`, or in the context's `consent`; without any of these, from the properties that
    are true or false. What is neither true nor false says nothing.
    """
    return read_statements(event.name, event.properties, event.context, kind)


def read_statements(
    name: str, properties: dict[str, Any], context: dict[str, Any], kind: SourceKind
) -> dict[str, ConsentStatus]:
    """Do the same as `list_statements` with the parts of an event."""
    if name == UNSUBSCRIBED:
        return {EMAIL_MARKETING: "withdrawn"}
    said: dict[str, ConsentStatus] = {}
    told = {**_tcf_preferences(properties, context), **_preferences(properties, context)}
    for purpose, value in told.items():
        if is_purpose(purpose) and is_spoken(purpose) and isinstance(value, bool):
            if value and kind == "browser":
                continue
            said[purpose] = "granted" if value else "denied"
    return said


def read_wishes(properties: Mapping[str, Any]) -> list[str]:
    """Return the purposes that `Consent Requested` asks for; nobody is their own guardian."""
    wanted = properties.get("purposes")
    if not isinstance(wanted, list):
        return []
    return sorted(
        {each for each in wanted if isinstance(each, str) and is_purpose(each)} - {GUARDIAN}
    )


def is_purpose(text: str) -> bool:
    """Say whether a text can be the name of a purpose."""
    return 0 < len(text) <= MAX_PURPOSE


def expiry_of(properties: Mapping[str, Any]) -> datetime | None:
    """Return until when a yes holds that an event gives (`expires_at`), if it says so."""
    value = properties.get("expires_at")
    return parse_instant(value) if isinstance(value, str) else None


def is_restricted(consents: Mapping[str, Consent]) -> bool:
    """Say whether a customer's data may only be kept, and used for nothing (GDPR Art. 18)."""
    mark = consents.get(RESTRICTION)
    return mark is not None and mark.status != "granted"


def read_mark(
    name: str, properties: Mapping[str, Any], said: Consent
) -> tuple[str, Consent] | None:
    """Return what one of Amity's own events changes of the gate's marks on a profile."""
    if name not in RESTRICTION_EVENTS:
        return read_pause(name, properties, said)
    status: ConsentStatus = "denied" if name == RESTRICTED else "granted"
    return RESTRICTION, msgspec.structs.replace(said, status=status)


def read_pause(
    name: str, properties: Mapping[str, Any], said: Consent
) -> tuple[str, Consent] | None:
    """Return what one of Amity's own events says of a pause, and under which name that stands."""
    channel = properties.get("channel")
    if not isinstance(channel, str):
        return None
    until = properties.get("until") if name == PAUSED else None
    ends = parse_instant(until) if isinstance(until, str) else None
    status: ConsentStatus = "granted" if ends is None else "denied"
    return f"{PAUSE}.{channel}", msgspec.structs.replace(said, status=status, expires_at=ends)


def channel_of(purpose: str, policy: Purpose | None) -> str:
    """Return the channel messages for a purpose go by; "" when it is about no messages, or many."""
    if policy is not None and policy.channels:
        return policy.channels[0] if len(policy.channels) == 1 else ""
    last = purpose.rpartition(".")[2]
    return last if last in _CHANNELS else ""


def paused_until(
    purpose: str, consents: Mapping[str, Consent], policies: Mapping[str, Purpose]
) -> datetime | None:
    """Return until when a customer wants no messages for a purpose; None without a pause."""
    channel = channel_of(purpose, policies.get(purpose))
    pause = consents.get(f"{PAUSE}.{channel}") if channel else None
    return pause.expires_at if pause is not None and pause.status != "granted" else None


def window_of(
    purpose: str, consents: Mapping[str, Consent], policies: Mapping[str, Purpose]
) -> Window | None:
    """Return when data may be used for a purpose as things stand, None for never: the gate.

    Everything that asks what is allowed comes down to this: `reason_of` says why it is not.
    """
    window, span = _agreed_window(purpose, consents, policies), span_of(purpose, consents)
    if window is None or span is None:
        return None
    since = [at for at in (window.since, span[0]) if at is not None]
    until = [at for at in (window.until, span[1]) if at is not None]
    return Window(max(since, default=None), min(until, default=None))


def _agreed_window(
    purpose: str, consents: Mapping[str, Consent], policies: Mapping[str, Purpose]
) -> Window | None:
    """Return when a purpose is agreed to, whatever the age."""
    if is_restricted(consents):
        return None
    said = consents.get(purpose)
    policy = policies.get(purpose, _UNKNOWN_PURPOSE)
    if said is None and policy.needs_consent:
        return None
    if said is not None and said.status != "granted":
        return None
    until = ends_at(said, policy) if said is not None and policy.needs_consent else None
    return Window(paused_until(purpose, consents, policies), until)


def list_windows(
    consents: Mapping[str, Consent], policies: Mapping[str, Purpose]
) -> dict[str, Window]:
    """Return by purpose when data may be used for it; what is not there may never be used so."""
    found = {}
    for purpose in {*policies, *filter(is_spoken, consents)}:
        window = window_of(purpose, consents, policies)
        if window is not None:
            found[purpose] = window
    return found


def reason_of(
    purpose: str,
    consents: Mapping[str, Consent],
    policies: Mapping[str, Purpose],
    now: datetime,
) -> UseReason:
    """Return why a customer's data may not be used for a purpose now, "" when it may: the gate.

    In SQL it is `store_use_reason`, and with pauses `use_condition`; property tests hold them
    together. What is missing or has expired is no, unless the purpose needs no consent: then only
    an objection is.
    """
    if is_restricted(consents):
        return "restricted"
    if is_under_age(purpose, consents, now):
        return "under_age"
    window = _agreed_window(purpose, consents, policies)
    if window is None:
        return "no_consent" if purpose not in consents else "objected"
    if window.until is not None and window.until <= now:
        return "consent_expired"
    return "" if window.holds(now) else "on_pause"


def ends_at(said: Consent, policy: Purpose | None) -> datetime | None:
    """Return when a yes is over: by its own date or the purpose's policy, whichever is sooner."""
    months = None if policy is None else policy.expiry_months
    ends = [said.expires_at] if said.expires_at is not None else []
    if months is not None:
        ends.append(add_months(said.at, months))
    return min(ends, default=None)


def add_months(at: datetime, months: int) -> datetime:
    """Return the same day and time some months later, the month's last day where it has no such.

    As PostgreSQL does it in UTC.
    """
    moment = at.astimezone(UTC)
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    if year > 9999:
        return datetime.max.replace(tzinfo=UTC)
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def later(one: Consent, other: Consent) -> Consent:
    """Return the statement that counts of two about the same purpose."""
    return max(one, other, key=_rank)


def combine_consents(one: dict[str, Consent], other: dict[str, Consent]) -> dict[str, Consent]:
    """Return the consents of two customers who turn out to be one: the more restrictive (D33).

    A no of either holds against the yes of the other, even an earlier no: nobody knows whether
    she who said yes is the one who said no. It holds until a yes that is later than both. Of two
    yeses it is the later, with the end that comes first where they state one. Neither the order
    of merges nor that of the two matters.
    """
    joined = dict(one)
    for purpose, consent in other.items():
        held = joined.get(purpose)
        joined[purpose] = consent if held is None else _stricter(held, consent)
    return joined


def _stricter(one: Consent, other: Consent) -> Consent:
    is_yes = one.status == other.status == "granted"
    ends = [
        consent.expires_at
        for consent in (one, other)
        if consent.expires_at is not None and (is_yes or consent.status != "granted")
    ]
    if is_yes:  # the end that comes first
        return msgspec.structs.replace(later(one, other), expires_at=min(ends, default=None))
    kept = max(one, other, key=lambda consent: (_STRICTNESS[consent.status], consent.event_id))
    # Only a pause has both a no and an end: the longer one.
    return msgspec.structs.replace(
        kept, at=max(one.at, other.at), expires_at=max(ends, default=None)
    )


def _rank(consent: Consent) -> tuple[Any, ...]:
    return consent.at, _STRICTNESS[consent.status], consent.event_id


def find_tc_string(properties: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Return the TCF string an event brings (`tcf`, in the context `consent.tcf`), "" if none."""
    consent = context.get("consent")
    for place in (properties, consent if isinstance(consent, dict) else {}):
        text = place.get("tcf")
        if isinstance(text, str) and text:
            return text
    return ""


def _tcf_preferences(properties: dict[str, Any], context: dict[str, Any]) -> dict[str, bool]:
    """Return what a TCF string says of our purposes, as settings map them; none when it is broken.

    A purpose is allowed when all of the IAB's purposes that it needs are.
    """
    text = find_tc_string(properties, context)
    mapping = _read_mapping(settings().tcf_purposes) if text else {}
    if not mapping:
        return {}
    try:
        read = read_tc_string(text)
    except Invalid:
        return {}
    vendor = settings().tcf_vendor or None
    return {
        purpose: all(read.allows(number, vendor) for number in numbers)
        for purpose, numbers in mapping.items()
    }


@cache
def _read_mapping(text: str) -> dict[str, tuple[int, ...]]:
    mapping = {}
    for part in text.replace(",", " ").split():
        purpose, _, numbers = part.partition("=")
        found = tuple(int(each) for each in numbers.split("+") if each.isdecimal())
        if not purpose or not found:
            raise Invalid(f"AMITY_TCF_PURPOSES: {part!r} is not like `sharing=1+2`")
        mapping[purpose] = found
    return mapping


def _preferences(properties: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    for place in (properties, properties.get("consent"), context.get("consent")):
        if isinstance(place, dict):
            found = place.get("categoryPreferences")
            if isinstance(found, dict):
                return found
    return properties
