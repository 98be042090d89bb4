"""The people of the demo shop: who holds which card, how they can be reached, what they agreed to.

Everything here is simulated, by dice that always fall the same: the card data know households
and no names, FEBRL 3 knows people and no shop, and neither has an e-mail address or a phone.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from amity.cli.demo.shop import (
    Calendar,
    Event,
    Household,
    Record,
    Shop,
    card_of,
    chance,
    number_of,
    wall_clock,
)
from amity.kernel.cells import guard_cell

# Of 555-0100 to 555-0199 in each area: the numbers kept free for fiction.
_AREAS: Final = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 220,
    223, 224, 225, 228, 229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267,
    269, 270, 272, 274, 276, 279, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313,
    314, 315, 316, 317, 318, 319,
)  # fmt: skip
_DOMAINS: Final = ("example.com", "example.org", "example.net")
_HAS_EMAIL: Final = 0.7
_HAS_PHONE: Final = 0.6
_SHARES_CONTACT: Final = 0.35
_WEB_REGISTRATION: Final = 0.6
_AGREES_EMAIL: Final = 0.6
_AGREES_TRACKING: Final = 0.75
_AGREES_SMS: Final = 0.3
_CHANGES_MIND: Final = 0.12
_NOT_LETTERS: Final = re.compile(r"[^a-z]+")
_FOLD_SIZES: Final = {"1": "1 person", "2": "2 people", "3": "3 people", "4": "4 people"}
_FOLD_CHILDREN: Final = {"0": "none", "1": "1 child", "2": "2 children", "3+": "3 or more"}

COLUMNS: Final = (
    *("Card number", "First name", "Last name", "Street", "City", "State", "Postal code"),
    *("Date of birth", "E-mail", "Phone", "Customer since", "True since"),
    *("Age group", "Income", "Home", "Marital status", "Household size", "Household", "Children"),
)


class Holder(msgspec.Struct, frozen=True):
    """A loyalty card and the person behind it, if one ever signed the form."""

    household: Household
    record: Record | None
    email: str
    phone: str

    @property
    def card(self) -> str:
        return card_of(self.household.household_id)


class Registration(msgspec.Struct, frozen=True):
    """Another record of a card holder, made on the web or by telephone, with its mistakes."""

    holder: Holder
    record: Record
    number: int
    is_web: bool
    at: datetime
    email: str
    phone: str

    @property
    def is_joined(self) -> bool:
        """Say whether the person gave an e-mail or phone that the card is known by too."""
        known = {self.holder.email, self.holder.phone} - {""}
        return bool(known & {self.email, self.phone})


def assign_people(data: Shop) -> list[Holder]:
    """Return every card that bought, with its person: one original record a card, by dice.

    A card's person does not depend on which other cards are loaded. There are fewer people than
    cards: the rest were never registered to anybody.
    """
    originals = [record for record in data.records() if record.copy is None]
    order = sorted(range(1, data.cards + 1), key=lambda number: number_of("person", number))
    places = {number: place for place, number in enumerate(order)}
    holders = []
    for household in data.households():
        place = places[household.household_id]
        record = originals[place] if place < len(originals) else None
        holders.append(_make_holder(household, record))
    return holders


def _make_holder(household: Household, record: Record | None) -> Holder:
    number = household.household_id
    if record is None:
        return Holder(household, None, "", "")
    email = _email_of(record, number) if chance("email", number) < _HAS_EMAIL else ""
    phone = _phone_of(number) if chance("phone", number) < _HAS_PHONE else ""
    return Holder(household, record, email, phone)


def _email_of(record: Record, number: int | str) -> str:
    names = (record.fields.get("given_name", ""), record.fields.get("surname", ""))
    words = [word for name in names if (word := _NOT_LETTERS.sub("", name.lower()))]
    domain = _DOMAINS[number_of("domain", number) % len(_DOMAINS)]
    return f"{'.'.join([*words, str(number)])}@{domain}"


def _phone_of(number: int) -> str:
    area, line = divmod(number, 100)
    return f"+1 {_AREAS[area % len(_AREAS)]} 555 01{line:02d}"


def list_registrations(data: Shop, holders: list[Holder]) -> list[Registration]:
    """Return the other records of those who hold a card, by time."""
    by_person = {holder.record.person: holder for holder in holders if holder.record}
    copies = [record for record in data.records() if record.copy is not None]
    made = [
        _make_registration(by_person[record.person], record, number, data)
        for number, record in enumerate(copies)
        if record.person in by_person
    ]
    return sorted(made, key=lambda registration: (registration.at, registration.number))


def _make_registration(holder: Holder, record: Record, number: int, data: Shop) -> Registration:
    first = holder.household.first_at
    last = wall_clock(data.last_day, 22)
    seconds = max((last - first).total_seconds(), 0) * chance("registered", number)
    is_web = chance("channel", number) < _WEB_REGISTRATION
    shares = chance("shares", number) < _SHARES_CONTACT
    email = phone = ""
    if is_web:
        email = holder.email if shares and holder.email else _email_of(record, f"r{number}")
    else:
        phone = holder.phone if shares and holder.phone else _phone_of(2_500 + number)
    at = (first + timedelta(seconds=seconds)).replace(microsecond=0)
    return Registration(holder, record, number, is_web, at, email, phone)


def write_customers(holders: list[Holder], calendar: Calendar) -> bytes:
    """Write the loyalty desk's customer file: everybody with a name or something told."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for holder in holders:
        since = calendar.move(holder.household.first_at)
        if since and (holder.record or holder.household.traits):
            writer.writerow([guard_cell(cell) for cell in _customer_row(holder, since)])
    return text.getvalue().encode()


def _customer_row(holder: Holder, since: str) -> list[str]:
    fields = traits_of(holder.record) if holder.record else {}
    address = fields.get("address", {})
    told = holder.household.traits
    return [
        *(holder.card, fields.get("firstName", ""), fields.get("lastName", "")),
        *(address.get(name, "") for name in ("street", "city", "state", "postalCode")),
        *(fields.get("birthday", ""), holder.email, holder.phone, since, since),
        *(told.get(name, "") for name in ("age_group", "income", "home", "marital_status")),
        _FOLD_SIZES.get(told.get("household_size", ""), "5 or more" if told else ""),
        told.get("household", ""),
        _FOLD_CHILDREN.get(told.get("children", ""), ""),
    ]


def traits_of(record: Record) -> dict[str, Any]:
    """Return a record as traits, its mistakes and gaps included."""
    fields = record.fields
    traits: dict[str, Any] = {}
    for field, trait in (("given_name", "firstName"), ("surname", "lastName")):
        if field in fields:
            traits[trait] = fields[field].title()
    street = " ".join(fields[name] for name in ("street_number", "address_1") if name in fields)
    address = {"street": street.title(), "city": fields.get("suburb", "").title()}
    address |= {"state": fields.get("state", "").upper(), "postalCode": fields.get("postcode", "")}
    filled = {name: value for name, value in address.items() if value}
    if filled:
        traits["address"] = filled
    if birthday := read_birthday(fields.get("date_of_birth", "")):
        traits["birthday"] = birthday
    return traits


def read_birthday(text: str) -> str:
    """Return a birthday as FEBRL writes it (`19560409`) as a date; empty when it is none."""
    try:
        return datetime.strptime(text, "%Y%m%d").date().isoformat()  # noqa: DTZ007  # a day
    except ValueError:
        return ""


def iter_registration_events(
    registrations: list[Registration], calendar: Calendar, *, is_web: bool
) -> Iterator[Event]:
    """Give an `identify` for each record made on the web, or for each made by telephone."""
    for registration in registrations:
        at = calendar.move(registration.at)
        if registration.is_web != is_web or at is None:
            continue
        contact = {"email": registration.email, "phone": registration.phone}
        traits = traits_of(registration.record) | {k: v for k, v in contact.items() if v}
        yield {
            "type": "identify",
            "messageId": f"jm-registration-{registration.number}",
            "anonymousId": str(UUID(int=number_of("anonymous", registration.number) << 64)),
            "timestamp": at,
            "traits": traits | {"registered_by": "web form" if is_web else "telephone"},
        }


def iter_consent_events(holders: list[Holder], data: Shop, calendar: Calendar) -> Iterator[Event]:
    """Give what card holders said about being written to, and later thought better of."""
    end = wall_clock(data.last_day)
    for holder in holders:
        number = holder.household.household_id
        first = holder.household.first_at
        said: dict[str, bool] = {}
        if holder.email:
            said["marketing.email"] = chance("agrees", number) < _AGREES_EMAIL
            if said["marketing.email"]:
                said["tracking.email"] = chance("agrees-tracking", number) < _AGREES_TRACKING
        if holder.phone:
            said["marketing.sms"] = chance("agrees-sms", number) < _AGREES_SMS
        if said:
            yield from _consent(holder, calendar.move(first + timedelta(hours=1)), said, "first")
        if said.get("marketing.email") and chance("regrets", number) < _CHANGES_MIND:
            days = (end - first).days * chance("regrets-at", number)
            later = calendar.move(first + timedelta(days=max(int(days), 1)))
            yield from _consent(holder, later, {"marketing.email": False}, "later")


def _consent(holder: Holder, at: str | None, said: dict[str, bool], which: str) -> Iterator[Event]:
    if at is not None:
        yield {
            "type": "track",
            "event": "Segment Consent Preference Updated",
            "messageId": f"jm-consent-{holder.household.household_id}-{which}",
            "userId": holder.card,
            "timestamp": at,
            "properties": {"categoryPreferences": said},
        }
