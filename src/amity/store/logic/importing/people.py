"""What connectors of people share: whose row it is, what it tells of her, and what she said.

Those that bring people over from another system identify them by address: that system's own ids
are nobody else's, so they become traits.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from amity.store.connector import BadRow, Field, Row, digest
from amity.store.logic.consent.statements import EMAIL_MARKETING, PREFERENCES_UPDATED, UNSUBSCRIBED
from amity.store.logic.importing.leaving import left
from amity.store.logic.importing.values import read_extras, read_instant

Leaving = Literal["unsubscribed", "bounced", "complained", "blocked"]

PERSON_FIELDS: Final[tuple[Field, ...]] = (
    Field(name="email", label="E-mail", aliases=("email address", "e-mail address", "mail")),
    Field(name="phone", label="Phone", aliases=("phone number", "mobile", "telephone", "tel")),
    Field(name="name", label="Full name", aliases=("customer name", "display name")),
    Field(name="first_name", label="First name", aliases=("given name", "forename", "firstname")),
    Field(name="last_name", label="Last name", aliases=("surname", "family name", "lastname")),
    Field(name="birthday", label="Date of birth", aliases=("birth date", "dob", "born")),
    Field(name="gender", label="Gender", aliases=("sex",)),
    Field(name="company", label="Company", aliases=("organisation", "organization")),
    Field(name="title", label="Title", aliases=("job title", "position")),
    Field(name="street", label="Street", aliases=("address", "address 1", "street address")),
    Field(name="city", label="City", aliases=("town", "suburb")),
    Field(name="state", label="State", aliases=("region", "province", "county")),
    Field(name="postal_code", label="Postal code", aliases=("postcode", "zip", "zip code")),
    Field(name="country", label="Country", aliases=("country code",)),
)
"""What the columns of a file of people can be, in any system's export."""

_TEXT_TRAITS: Final = {
    "email": "email",
    "phone": "phone",
    "name": "name",
    "first_name": "firstName",
    "last_name": "lastName",
    "birthday": "birthday",
    "gender": "gender",
    "company": "company",
    "title": "title",
}
_ADDRESS: Final = {
    "street": "street",
    "city": "city",
    "state": "state",
    "postal_code": "postalCode",
    "country": "country",
}


def read_who(row: Row) -> dict[str, str]:
    """Return whose row it is, as events say it; raise BadRow when it names nobody."""
    user_id = row.find("user_id")
    if user_id:
        return {"userId": user_id}
    contact = row.find("email", "phone")
    if not contact:
        raise BadRow(row.number, "it names nobody: customer id, e-mail and phone are all empty")
    # Nobody's own id, but an event must have one; the e-mail or phone among the traits joins it.
    return {"anonymousId": f"import-{digest(contact.lower())}"}


def read_traits(row: Row) -> dict[str, Any]:
    """Return what a row tells of a person; raise BadRow for an e-mail address that is none."""
    email = row.find("email")
    if email and ("@" not in email.strip("@") or " " in email):
        raise BadRow(row.number, f"{email!r} is not an e-mail address")
    traits: dict[str, Any] = {
        trait: row.cells[field] for field, trait in _TEXT_TRAITS.items() if field in row.cells
    }
    address = {key: row.cells[field] for field, key in _ADDRESS.items() if field in row.cells}
    if address:
        traits["address"] = address
    since = read_instant(row, "created_at")
    if since:
        traits["createdAt"] = since
    return traits | read_extras(row, "trait")


def identify(row: Row, more: dict[str, Any]) -> dict[str, Any]:
    """Return the event that tells who somebody is, true since the row was changed last."""
    event: dict[str, Any] = {"type": "identify", **read_who(row)}
    event["traits"] = read_traits(row) | {key: value for key, value in more.items() if value}
    at = read_instant(row, "updated_at")
    return event | {"timestamp": at} if at else event


def leave(row: Row, reason: Leaving, at: str | None, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events that say that somebody is not to be e-mailed any more.

    She who unsubscribed, complained or was blocked has also withdrawn her consent. ``at`` None is
    as of the import: of an unknown time the most careful.
    """
    who, email = read_who(row), row.find("email")
    if not email:
        return []
    purposes = [] if reason == "bounced" else [EMAIL_MARKETING]
    events = [
        left(who=who, channel="email", address=email, reason=reason, at=at, purposes=purposes)
    ]
    if purposes:
        properties = {"method": "imported", "reason": reason, **told}
        said: dict[str, Any] = {"type": "track", "event": UNSUBSCRIBED, **who}
        said["properties"] = {key: value for key, value in properties.items() if value}
        events.append(said | {"timestamp": at} if at else said)
    return events


def agree(row: Row, at: str | None, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the event by which somebody may be e-mailed; none without the time she said so.

    A yes of unknown time could be older than any no, so it is none.
    """
    if not at or not row.find("email"):
        return []
    properties: dict[str, Any] = {"categoryPreferences": {EMAIL_MARKETING: True}}
    properties |= {"method": "imported", **{key: value for key, value in told.items() if value}}
    event = {"type": "track", "event": PREFERENCES_UPDATED, **read_who(row)}
    return [event | {"properties": properties, "timestamp": at}]


def read_names(text: str, separators: Sequence[str] = (";", ",", "|")) -> list[str]:
    """Return the names in a cell that lists some, each once: those of lists or of tags."""
    parts = [text]
    for separator in separators:
        if separator in text:
            parts = text.split(separator)
            break
    names = (part.strip().strip('"').strip() for part in parts)
    return list(dict.fromkeys(name for name in names if name))
