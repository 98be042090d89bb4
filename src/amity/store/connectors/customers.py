"""Customers: one row a person becomes an `identify` with what is known about them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from amity.store.connector import CONNECTORS, BadRow, Connector, Field, Row, digest
from amity.store.logic.importing_values import read_choice, read_extras, read_instant

_TEXT_TRAITS = {
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
_ADDRESS = {
    "street": "street",
    "city": "city",
    "state": "state",
    "postal_code": "postalCode",
    "country": "country",
}


@CONNECTORS.register("customers")
class Customers(Connector):
    """People with their traits. Somebody already known by an identifier gets the new traits."""

    name: ClassVar[str] = "customers"
    title: ClassVar[str] = "Customers"
    description: ClassVar[str] = "One row a person. Columns that are nothing else become traits."
    extras: ClassVar[str] = "trait"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("user_id", "email", "phone"),)
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            name="user_id",
            label="Customer id",
            aliases=(
                "id",
                "customer",
                "userid",
                "customer no",
                "customer number",
                "card",
                "card no",
                "card number",
                "loyalty card",
                "member id",
                "account id",
            ),
            help="Your own id of the person: the one your shop signs in with.",
        ),
        Field(name="email", label="E-mail", aliases=("email address", "e-mail address", "mail")),
        Field(name="phone", label="Phone", aliases=("phone number", "mobile", "telephone", "tel")),
        Field(name="name", label="Full name", aliases=("customer name", "display name")),
        Field(name="first_name", label="First name", aliases=("given name", "forename")),
        Field(name="last_name", label="Last name", aliases=("surname", "family name")),
        Field(name="birthday", label="Date of birth", aliases=("birth date", "dob", "born")),
        Field(name="gender", label="Gender", aliases=("sex",)),
        Field(name="company", label="Company", aliases=("organisation", "organization")),
        Field(name="title", label="Title", aliases=("job title", "position")),
        Field(name="street", label="Street", aliases=("address", "address 1", "street address")),
        Field(name="city", label="City", aliases=("town", "suburb")),
        Field(name="state", label="State", aliases=("region", "province", "county")),
        Field(name="postal_code", label="Postal code", aliases=("postcode", "zip", "zip code")),
        Field(name="country", label="Country", aliases=("country code",)),
        Field(
            name="created_at",
            label="Customer since",
            aliases=("registered at", "registered", "registration date", "signup date", "joined"),
            help="Becomes the trait createdAt.",
        ),
        Field(
            name="updated_at",
            label="True since",
            aliases=("last updated", "modified", "modified at", "as of"),
            help="When the row was true. A newer value elsewhere is not overwritten. "
            "Without it, the row is true as of the import.",
        ),
        Field(
            name="email_consent",
            label="May be written to by e-mail",
            aliases=("email opt in", "newsletter", "accepts marketing", "marketing email"),
            help="Yes or no: becomes consent for marketing.email.",
        ),
        Field(
            name="sms_consent",
            label="May be written to by SMS",
            aliases=("sms opt in", "accepts sms", "marketing sms"),
            help="Yes or no: becomes consent for marketing.sms.",
        ),
    )
    sample: ClassVar[str] = (
        "Customer id,E-mail,First name,Last name,City,Customer since,Newsletter,Shoe size\n"
        "c-1,ada@example.com,Ada,King,London,2024-05-01,yes,38\n"
        "c-2,grace@example.org,Grace,Hopper,New York,2024-06-11,no,40.5\n"
        "c-3,,Alan,Turing,Wilmslow,,,\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        event: dict[str, Any] = {"type": "identify", **_who(row)}
        event["traits"] = _traits(row)
        at = read_instant(row, "updated_at")
        if at:
            event["timestamp"] = at
        return [event, *_consents(row, at)]


def _consents(row: Row, at: str | None) -> list[dict[str, Any]]:
    said = {
        f"marketing.{channel}": choice
        for channel in ("email", "sms")
        if (choice := read_choice(row, f"{channel}_consent")) is not None
    }
    if not said:
        return []
    event: dict[str, Any] = {"type": "track", "event": "Segment Consent Preference Updated"}
    event |= _who(row) | {"properties": {"categoryPreferences": said}}
    return [event | {"timestamp": at} if at else event]


def _who(row: Row) -> dict[str, str]:
    user_id = row.find("user_id")
    if user_id:
        return {"userId": user_id}
    contact = row.find("email", "phone")
    if not contact:
        raise BadRow(row.number, "it names nobody: customer id, e-mail and phone are all empty")
    # Nobody's own id, but an event must have one; the e-mail or phone among the traits joins it.
    return {"anonymousId": f"import-{digest(contact.lower())}"}


def _traits(row: Row) -> dict[str, Any]:
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
