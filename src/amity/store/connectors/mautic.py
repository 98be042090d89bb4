"""Mautic: exported contacts, and the report of who must not be contacted, and why."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from amity.store.connector import CONNECTORS, Connector, Field, Row
from amity.store.logic.importing.people import (
    PERSON_FIELDS,
    Leaving,
    agree,
    identify,
    leave,
    read_names,
)
from amity.store.logic.importing.values import read_choice, read_instant

# Mautic's numbers of reasons (its class DoNotContact), and the words its reports write for them.
_REASONS: Final[tuple[tuple[Leaving, frozenset[str]], ...]] = (
    ("bounced", frozenset(("2", "bounced", "bounce"))),
    ("unsubscribed", frozenset(("1", "unsubscribed", "unsubscribe"))),
    ("blocked", frozenset(("3", "manual", "manually"))),
)
_NONE: Final = frozenset(("", "0", "no", "false", "contactable", "is contactable"))


@CONNECTORS.register("mautic")
class Mautic(Connector):
    """Contacts and Do Not Contact. Being a contact is no consent; a column may say there is one."""

    name: ClassVar[str] = "mautic"
    title: ClassVar[str] = "Mautic contacts"
    description: ClassVar[str] = (
        "Exported contacts, the report of Do Not Contact, or both in a ZIP archive. Whoever is on "
        "Do Not Contact is never mailed; segments become the trait mautic_segments."
    )
    extras: ClassVar[str] = "trait"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("email", "phone"),)
    fields: ClassVar[tuple[Field, ...]] = (
        *PERSON_FIELDS,
        Field(name="mautic_id", label="Contact id", aliases=("id", "lead id")),
        Field(name="created_at", label="Date added", aliases=("date identified", "created")),
        Field(
            name="updated_at",
            label="Date modified",
            aliases=("last active", "modified", "date last modified"),
        ),
        Field(
            name="dnc_reason",
            label="Do not contact",
            aliases=("dnc", "dnc reason", "reason", "dnc preferences", "do not contact reason"),
            help="1 or unsubscribed, 2 or bounced, 3 or manual; anything else counts as a no too.",
        ),
        Field(
            name="dnc_channel",
            label="Do not contact by",
            aliases=("channel", "dnc channel"),
            help="Only e-mail counts; without it every line is about e-mail.",
        ),
        Field(
            name="dnc_at",
            label="Do not contact since",
            aliases=("dnc date", "dnc date added", "date of dnc"),
            help="Without it, as of the import.",
        ),
        Field(name="dnc_comments", label="Comments", aliases=("dnc comments",)),
        Field(
            name="email_consent",
            label="May be written to by e-mail",
            aliases=("newsletter", "email opt in", "consent", "gdpr consent"),
        ),
        Field(name="agreed_at", label="Date of consent", aliases=("consent date", "opt in date")),
        Field(name="segments", label="Segments", aliases=("lists", "segment")),
        Field(name="tags", label="Tags"),
    )
    sample: ClassVar[str] = (
        "id,date_added,last_active,firstname,lastname,email,points,tags,segments,newsletter,"
        "consent_date,dnc_reason,dnc_channel,dnc_date\n"
        '1,2024-05-01 10:00:00,2025-01-02 08:00:00,Ada,King,ada@example.com,20,"vip,tea",'
        "Tea lovers,yes,2024-05-01 10:00:00,,,\n"
        "2,2023-02-01 09:00:00,2025-03-04 12:00:00,Grace,Hopper,grace@example.org,0,,,,,1,email,"
        "2025-03-04 12:00:00\n"
        "3,2022-02-01 09:00:00,2024-06-07 06:00:00,Alan,Turing,alan@example.net,0,,,yes,"
        "2022-02-01 09:00:00,bounced,email,2024-06-07 06:00:00\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        more = {
            "mautic_id": row.find("mautic_id"),
            "mautic_segments": read_names(row.find("segments")),
            "mautic_tags": read_names(row.find("tags")),
        }
        event = identify(row, more)
        gone = [
            each
            for reason in _reasons(row)
            for each in leave(
                row, reason, read_instant(row, "dnc_at"), {"words": row.find("dnc_comments")}
            )
        ]
        if gone:
            return [event, *gone]
        if not read_choice(row, "email_consent"):
            return [event]
        return [event, *agree(row, read_instant(row, "agreed_at"), {})]


def _reasons(row: Row) -> list[Leaving]:
    """Return why somebody must not be e-mailed; a reason nobody knows is one to stay away."""
    told = row.find("dnc_reason").lower()
    channel = row.find("dnc_channel").lower()
    if told in _NONE or (channel and "mail" not in channel):
        return []
    words = set(told.replace(":", " ").replace(",", " ").replace(";", " ").split())
    return [reason for reason, names in _REASONS if words & names] or ["blocked"]
