"""HubSpot: exported contacts, with who opted out, whose address bounced, and the legal basis."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from amity.store.connector import CONNECTORS, Connector, Field, Row
from amity.store.logic.importing.people import (
    PERSON_FIELDS,
    agree,
    identify,
    leave,
    read_names,
)
from amity.store.logic.importing.values import read_instant

# The columns of single subscription types: "Opted out of email: Newsletter".
_OPTED_OUT: Final = "trait.opted_out_of_email"
_CONSENT: Final = ("freely given consent", "consent")
_NO: Final = frozenset(("", "no", "false", "0", "not unsubscribed", "none"))


@CONNECTORS.register("hubspot")
class HubSpot(Connector):
    """Contacts. Whoever opted out of anything is not mailed; a yes needs consent as the basis."""

    name: ClassVar[str] = "hubspot"
    title: ClassVar[str] = "HubSpot contacts"
    description: ClassVar[str] = (
        "Contacts exported with all properties. Whoever opted out, of all e-mail or of one type, "
        "or whose address bounced, is never mailed; list memberships become the trait "
        "hubspot_lists."
    )
    extras: ClassVar[str] = "trait"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("email", "phone"),)
    fields: ClassVar[tuple[Field, ...]] = (
        *PERSON_FIELDS,
        Field(name="hubspot_id", label="Record ID", aliases=("contact id", "vid")),
        Field(name="created_at", label="Create date", aliases=("created",)),
        Field(
            name="updated_at", label="Last modified date", aliases=("last modified", "updated at")
        ),
        Field(
            name="opted_out",
            label="Unsubscribed from all email",
            aliases=("opted out of all email", "email opt out", "hs email optout"),
        ),
        Field(
            name="opted_out_at",
            label="Unsubscribed at",
            aliases=("unsubscribe date", "opt out date", "last opted out date"),
        ),
        Field(
            name="hard_bounce",
            label="Email hard bounce reason",
            aliases=("hard bounce reason", "hs email hard bounce reason enum"),
        ),
        Field(
            name="quarantined",
            label="Email address quarantined",
            aliases=("quarantined", "email quarantined", "hs email quarantined"),
        ),
        Field(
            name="legal_basis",
            label="Legal basis for processing contact's data",
            aliases=("legal basis", "hs legal basis"),
            help="Only a basis of consent makes a yes, at the date of consent.",
        ),
        Field(
            name="agreed_at",
            label="Date of consent",
            aliases=("consent date", "opt in date"),
            help="Without it the create date.",
        ),
        Field(name="lists", label="List memberships", aliases=("lists", "ils lists")),
    )
    sample: ClassVar[str] = (
        "Record ID,First Name,Last Name,Email,Phone Number,Create Date,Last Modified Date,"
        "Unsubscribed from all email,Opted out of email: Newsletter,Email hard bounce reason,"
        "Legal basis for processing contact's data,List memberships,Lifecycle Stage\n"
        "101,Ada,King,ada@example.com,,2024-05-01 10:00,2025-01-02 08:00,,,,"
        "Freely given consent from contact,Tea lovers;VIP,customer\n"
        "102,Grace,Hopper,grace@example.org,,2023-02-01 09:00,2025-03-04 12:00,true,,,,,lead\n"
        "103,Alan,Turing,alan@example.net,,2022-02-01 09:00,2024-06-07 06:00,,,UNKNOWN_USER,,,"
        "lead\n"
        "104,Joan,Clarke,joan@example.net,,2022-02-01 09:00,2024-06-07 06:00,,true,,"
        "Freely given consent from contact,,lead\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        more = {
            "hubspot_id": row.find("hubspot_id"),
            "hubspot_lists": read_names(row.find("lists")),
        }
        event = identify(row, more)
        at = read_instant(row, "opted_out_at")
        gone: list[dict[str, Any]] = []
        if _is_yes(row.find("hard_bounce")):
            gone += leave(row, "bounced", None, {})
        if "SPAM" in row.find("hard_bounce").upper() or _is_yes(row.find("quarantined")):
            gone += leave(row, "blocked", at, {})
        elif _has_opted_out(row):
            gone += leave(row, "unsubscribed", at, {})
        if gone:
            return [event, *gone]
        if not row.find("legal_basis").lower().startswith(_CONSENT):
            return [event]
        agreed_at = read_instant(row, "agreed_at") or read_instant(row, "created_at")
        return [event, *agree(row, agreed_at, {"basis": row.find("legal_basis")})]


def _has_opted_out(row: Row) -> bool:
    types = [text for field, text in row.cells.items() if field.startswith(_OPTED_OUT)]
    return any(map(_is_yes, (row.find("opted_out"), *types)))


def _is_yes(text: str) -> bool:
    """Whatever is not plainly a no is a yes: where somebody may have left, she has."""
    return text.strip().lower() not in _NO
