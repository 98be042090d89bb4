"""Customers: one row a person becomes an `identify` with what is known about them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from amity.store.connector import CONNECTORS, Connector, Field, Row
from amity.store.logic.importing.people import PERSON_FIELDS, read_traits, read_who
from amity.store.logic.importing.values import read_choice, read_instant


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
        *PERSON_FIELDS,
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
        event: dict[str, Any] = {"type": "identify", **read_who(row)}
        event["traits"] = read_traits(row)
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
    event |= read_who(row) | {"properties": {"categoryPreferences": said, "method": "import"}}
    return [event | {"timestamp": at} if at else event]
