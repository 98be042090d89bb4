"""The events the store knows by name, in words: for the reference, and for whoever sends them."""

import msgspec


class EventWords(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose name means something to Amity: what it says and which properties count."""

    name: str
    words: str
    properties: dict[str, str] = {}
    is_own: bool = False
    """Whether Amity records it itself; such an event from outside is one like any other."""


_AMOUNT = "the amount in major units (`revenue` and `value` are read in its place)"

_CALL = {
    "call_id": "the call's id",
    "direction": "`inbound` or `outbound`",
    "caller": "the number that called",
    "callee": "the number that was called",
    "agent": "who spoke with the customer",
    "queue": "where the call went",
}
_ALERT = {
    "alert_id": "the alert's number, the same when it closes",
    "source_id": "the source",
    "source_name": "its name",
    "rule": "`silent`, `violations`, `duplicates`, `late`, `volume`, `nulls` or `personal`",
    "words": "what is wrong, in a sentence; no values of anybody",
    "opened_at": "when it was raised",
}
_REQUEST = {
    "request_id": "the number of the data request",
    "kind": "`access`, `portability`, `erasure`, `rectification`, `restriction` or `objection`",
}
EVENTS: tuple[EventWords, ...] = (
    EventWords(name="Identify", words="An `identify` call: who somebody is; its traits."),
    EventWords(name="Page Viewed", words="A `page` call; `name` and the page's properties."),
    EventWords(name="Screen Viewed", words="A `screen` call; `name` and the screen's properties."),
    EventWords(name="Group", words="A `group` call; kept on the timeline."),
    EventWords(name="Alias", words="An `alias` call: two identifiers are the same person."),
    EventWords(
        name="Order Completed",
        words="An order was placed; the same `order_id` told again counts once.",
        properties={
            "order_id": "the order's id; without one it counts by itself",
            "total": _AMOUNT + "; without one, the sum of its products; below 0 it is 0",
            "currency": "ISO 4217; without one, the home currency",
            "products": "a list of lines with `price` and `quantity`: 1 when it is not told, 0 "
            "when it is below 0",
        },
    ),
    EventWords(
        name="Order Refunded",
        words="An order, or a part of it, was paid back; it may come before its order.",
        properties={
            "order_id": "the order",
            "total": _AMOUNT + "; without one, all of it; several add up, never beyond the order",
            "currency": "that of the order, and without one the amount is read as one of it; an "
            "amount in another takes nothing off, for nothing is converted",
        },
    ),
    EventWords(
        name="Order Cancelled",
        words="An order does not count.",
        properties={"order_id": "the order"},
    ),
    EventWords(
        name="Trait Asserted",
        words="A source claims something about a customer, with what is known about the claim. "
        "What customers told, what was bought about them and what expert systems worked out all "
        "come so; an `identify` claims its traits without more.",
        properties={
            "trait": "the trait",
            "value": "its value; null takes back what the same source said before",
            "traits": "several at once, in place of `trait` and `value`",
            "how": "`stated` by the customer, `inferred`, `observed` or `verified`",
            "confidence": "0 to 1",
            "lawful_basis": "on what ground it is held",
            "expires_at": "when it is not to be shown any more (ISO 8601)",
            "provenance": "where it comes from, in words",
        },
    ),
    EventWords(
        name="Call Started",
        words="A call with the call centre began: the customer's, by the number.",
        properties=_CALL,
    ),
    EventWords(
        name="Call Ended",
        words="A call is over; of a file of call records only this is told.",
        properties=_CALL
        | {
            "outcome": "how it ended, in the words of the call centre",
            "duration_seconds": "how long was spoken",
            "wait_seconds": "how long the customer waited",
            "recording_url": "a link to the recording",
        },
    ),
    EventWords(
        name="Email Received",
        words="A customer wrote to a mailbox that is read.",
        properties={
            "subject": "its subject",
            "text": "the first words",
            "message_id": "its id, to answer by",
            "in_reply_to": "what it answers",
            "is_automatic": "whether a machine wrote it",
        },
    ),
    EventWords(
        name="Email Bounce Received",
        words="A mail server reported about a message of ours, by its signed address.",
        properties={
            "send_id": "the message",
            "action": "`failed`, `delayed` or `delivered`",
            "code": "the enhanced status code",
        },
        is_own=True,
    ),
    EventWords(
        name="Email Complaint Received",
        words="A customer marked a message of ours as spam, and her mail provider reported it.",
        properties={"send_id": "the message"},
        is_own=True,
    ),
    EventWords(
        name="Segment Consent Preference Updated",
        words="A customer said yes or no to purposes. A browser source can only take back.",
        properties={"categoryPreferences": "purposes with true or false; also in the context"},
    ),
    EventWords(name="Unsubscribed", words="A customer took back consent for `marketing.email`."),
    EventWords(
        name="Preference Link Requested",
        words="A customer opened a preference link that was too old, and asked for a new one.",
        properties={
            "channel": "the channel of the contact point",
            "address_key": "its key: `store.api.contact_key`",
        },
        is_own=True,
    ),
    EventWords(
        name="Consent Requested",
        words="Somebody asked for messages by a form; nothing is sent before the address is "
        "confirmed by the link mailed to it.",
        properties={
            "purposes": "what was asked for",
            "notice": "the words that were shown",
            "address_key": "the address: `store.api.contact_key`",
        },
        is_own=True,
    ),
    EventWords(
        name="Data Request Received",
        words="A customer asked for something about their data.",
        properties={**_REQUEST, "came_by": "how it came", "jurisdiction": "which law holds"},
        is_own=True,
    ),
    EventWords(
        name="Data Request Closed",
        words="A data request was carried out or refused.",
        properties={**_REQUEST, "state": "`done` or `refused`"},
        is_own=True,
    ),
    EventWords(
        name="Data Request Message Asked",
        words="A customer is to be told something about a data request by mail.",
        properties={
            **_REQUEST,
            "message": "`confirm`, that a `copy` is ready, or `words`",
            "words": "what is said",
            "address_key": "the address, where it came by their preference page",
        },
        is_own=True,
    ),
    EventWords(
        name="Processing Restricted",
        words="A customer's data may only be kept from now on; the gate refuses all use.",
        properties={"request_id": _REQUEST["request_id"]},
        is_own=True,
    ),
    EventWords(
        name="Processing Restriction Lifted",
        words="A customer's data may be used again.",
        properties={"request_id": _REQUEST["request_id"], "reason": "why, as they were told"},
        is_own=True,
    ),
    EventWords(
        name="Messages Paused",
        words="A customer wants nothing at an address for a while; nothing said is taken back.",
        properties={"until": "when the pause ends", "address_key": "the address"},
        is_own=True,
    ),
    EventWords(
        name="Messages Resumed",
        words="A customer ended a pause before its time.",
        properties={"address_key": "the address"},
        is_own=True,
    ),
    EventWords(
        name="Address Left",
        words="Another system knew that an address is not to be written to; its import stops "
        "messages to it.",
        properties={
            "channel": "`email` or `sms`",
            "address": "the address",
            "reason": "`unsubscribed`, `bounced`, `complained` or `blocked`",
            "purposes": "what was refused, such as `marketing.email`",
        },
    ),
    EventWords(
        name="Profile Merged",
        words="Two profiles turned out to be one person.",
        properties={
            "loser_id": "the profile that was joined into this one",
            "kind": "the kind of identifier they share",
            "value": "that identifier",
        },
        is_own=True,
    ),
    EventWords(
        name="Profile Unmerged",
        words="A merge was undone, or who is who was decided anew; `profiles` are concerned.",
        is_own=True,
    ),
    EventWords(
        name="Profiles Joined", words="Two profiles were joined by hand or by review.", is_own=True
    ),
    EventWords(
        name="Identifier Confirmed",
        words="A customer showed that an identifier is theirs.",
        is_own=True,
    ),
    EventWords(
        name="Profile Split", words="Identifiers were taken off a profile by hand.", is_own=True
    ),
    EventWords(name="Profile Split Undone", words="A split was taken back.", is_own=True),
    EventWords(
        name="Trait Expired",
        words="The time of claims about a customer is over.",
        properties={"traits": "the traits claimed", "until": "what was to end by then is over"},
        is_own=True,
    ),
    EventWords(
        name="Trait Resolved",
        words="Another claim is shown, since the rule that picks it was changed.",
        properties={"traits": "the traits that show another value now"},
        is_own=True,
    ),
    EventWords(
        name="Source Alert Raised",
        words="Something is wrong with a source. It is about no customer, so webhooks hear of it "
        "and no timeline shows it.",
        properties=_ALERT,
        is_own=True,
    ),
    EventWords(
        name="Source Alert Closed",
        words="It is over, or the source was muted or switched off.",
        properties=_ALERT | {"closed_at": "when it closed", "reason": "`over`, `muted` or `off`"},
        is_own=True,
    ),
)
"""The events the store gives a meaning to, and those it records itself."""
