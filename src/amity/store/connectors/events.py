"""Events: one row an event of any name."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from amity.store.connector import CONNECTORS, BadRow, Connector, Field, Row, digest
from amity.store.logic.importing.values import read_extras, read_instant


@CONNECTORS.register("events")
class Events(Connector):
    """Anything that happened: who, what, when, and further columns as properties."""

    name: ClassVar[str] = "events"
    title: ClassVar[str] = "Events"
    description: ClassVar[str] = (
        "One row an event. Columns that are nothing else become properties. Two rows that say "
        "exactly the same are one event, unless a message id tells them apart."
    )
    extras: ClassVar[str] = "property"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("user_id", "anonymous_id", "email"),)
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            name="event",
            label="Event",
            aliases=("event name", "name", "action", "event type"),
            required=True,
            help="What happened, such as Product Viewed.",
        ),
        Field(
            name="occurred_at",
            label="Occurred at",
            aliases=("timestamp", "time", "date", "event time", "created at", "datetime"),
            required=True,
        ),
        Field(
            name="user_id",
            label="Customer id",
            aliases=("userid", "customer", "distinct id", "card number"),
            help="Your own id of the person.",
        ),
        Field(
            name="anonymous_id",
            label="Anonymous id",
            aliases=("visitor id", "cookie id", "device id", "client id"),
        ),
        Field(name="email", label="E-mail", aliases=("email address",)),
        Field(
            name="properties",
            label="Properties",
            aliases=("props", "attributes", "data"),
            help="A JSON object; further columns add to it.",
        ),
        Field(
            name="message_id",
            label="Message id",
            aliases=("event id", "uuid"),
            help="Makes the event the same as one sent before with this id.",
        ),
    )
    sample: ClassVar[str] = (
        "Event,Time,Customer id,Visitor id,Properties,Page\n"
        'Product Viewed,2026-01-03T10:15:00Z,,v-1,"{""product_id"": ""p-9""}",/tea\n'
        "Newsletter Opened,2026-01-04T07:00:00Z,c-2,,,\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        name = row.find("event")
        if not name:
            raise BadRow(row.number, "it does not say what happened")
        at = read_instant(row, "occurred_at")
        if at is None:
            raise BadRow(row.number, "it does not say when it happened")
        event: dict[str, Any] = {"type": "track", "event": name, "timestamp": at}
        event |= _who(row)
        event["properties"] = _properties(row) | read_extras(row, "property")
        if message_id := row.find("message_id"):
            event["messageId"] = message_id
        return [event]


def _who(row: Row) -> dict[str, Any]:
    who: dict[str, Any] = {
        key: row.cells[field]
        for field, key in (("user_id", "userId"), ("anonymous_id", "anonymousId"))
        if field in row.cells
    }
    if email := row.find("email"):
        who["context"] = {"traits": {"email": email}}
        if len(who) == 1:
            who["anonymousId"] = f"import-{digest(email.lower())}"
    if not who:
        raise BadRow(row.number, "it names nobody: every id and the e-mail are empty")
    return who


def _properties(row: Row) -> dict[str, Any]:
    text = row.find("properties")
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BadRow(row.number, f"its properties are not a JSON object: {error}") from error
