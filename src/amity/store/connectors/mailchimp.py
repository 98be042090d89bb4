"""Mailchimp: the archive of an audience's export, with who subscribed, who left and who bounced."""

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
from amity.store.logic.importing.values import read_instant

# In the names of the archive's files, and in a column Status. The longer word before the one in it.
_STATES: Final = ("nonsubscribed", "non-subscribed", "unsubscribed", "cleaned", "subscribed")


@CONNECTORS.register("mailchimp")
class Mailchimp(Connector):
    """Members of an audience. Without their state nobody is taken for subscribed."""

    name: ClassVar[str] = "mailchimp"
    title: ClassVar[str] = "Mailchimp audience"
    description: ClassVar[str] = (
        "The ZIP archive of an exported audience as it came. Whoever unsubscribed or was cleaned "
        "is never mailed; tags become the trait mailchimp_tags."
    )
    extras: ClassVar[str] = "trait"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("email",),)
    fields: ClassVar[tuple[Field, ...]] = (
        *PERSON_FIELDS,
        Field(
            name="status",
            label="Subscribed or not",
            aliases=("file", "member status", "email marketing status"),
            help="The file of the archive a row is from, or a column that says subscribed, "
            "unsubscribed or cleaned. Without it nobody is taken for subscribed.",
        ),
        Field(name="opted_in_at", label="Opted in at", aliases=("optin time",)),
        Field(name="confirmed_at", label="Confirmed at", aliases=("confirm time",)),
        Field(name="opt_in_ip", label="Opted in from", aliases=("optin ip", "confirm ip")),
        Field(name="left_at", label="Unsubscribed at", aliases=("unsub time",)),
        Field(name="left_reason", label="Why unsubscribed", aliases=("unsub reason",)),
        Field(name="left_campaign", label="Unsubscribed from", aliases=("unsub campaign title",)),
        Field(name="cleaned_at", label="Cleaned at", aliases=("clean time",)),
        Field(name="updated_at", label="True since", aliases=("last changed",)),
        Field(name="tags", label="Tags"),
        Field(name="mailchimp_id", label="Mailchimp's id", aliases=("euid",)),
        Field(name="timezone", label="Time zone"),
    )
    sample: ClassVar[str] = (
        "File,Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,CONFIRM_IP,"
        "LAST_CHANGED,EUID,TAGS,UNSUB_TIME,UNSUB_REASON,CLEAN_TIME\n"
        "subscribed_members_export_1.csv,ada@example.com,Ada,King,4,,2024-05-01 10:00:00,"
        '192.0.2.7,2025-01-02 08:00:00,e1,"""VIP"",""Tea""",,,\n'
        "unsubscribed_members_export_1.csv,grace@example.org,Grace,Hopper,2,2023-02-01 09:00:00,"
        "2023-02-01 09:01:00,192.0.2.8,2025-03-04 12:00:00,e2,,2025-03-04 12:00:00,NORMAL,\n"
        "cleaned_members_export_1.csv,alan@example.net,Alan,Turing,2,2022-02-01 09:00:00,"
        "2022-02-01 09:01:00,192.0.2.9,2024-06-07 06:00:00,e3,,,,2024-06-07 06:00:00\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        more = {
            "mailchimp_id": row.find("mailchimp_id"),
            "mailchimp_tags": read_names(row.find("tags")),
            "timezone": row.find("timezone"),
        }
        event = identify(row, more)
        state = _state(row)
        left_at, cleaned_at = read_instant(row, "left_at"), read_instant(row, "cleaned_at")
        if state == "cleaned":
            return [event, *leave(row, "bounced", cleaned_at, {})]
        if state == "unsubscribed":
            is_abuse = "ABUSE" in row.find("left_reason").upper()
            told = {"campaign": row.find("left_campaign"), "words": row.find("left_reason")}
            reason: Leaving = "complained" if is_abuse else "unsubscribed"
            return [event, *leave(row, reason, left_at, told)]
        if state != "subscribed":
            return [event]
        at = read_instant(row, "confirmed_at") or read_instant(row, "opted_in_at")
        return [event, *agree(row, at, {"ip": row.find("opt_in_ip")})]


def _state(row: Row) -> str:
    """Return the state of a member; a time at which she left says more than the name of a file."""
    if row.find("cleaned_at"):
        return "cleaned"
    if row.find("left_at"):
        return "unsubscribed"
    told = row.find("status").lower()
    return next((state for state in _STATES if state in told), "")
