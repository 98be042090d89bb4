"""Why a message was not sent, was put off or is doubtful: one table of codes and their words."""

from typing import Final

from amity.broadcast.contracts import SendState

REASONS: Final[dict[str, str]] = {
    # decided by the gate
    "no_address": "The customer has no address for this channel.",
    "no_consent": "The customer has not agreed to this purpose.",
    "restricted": "The customer's data may only be kept: its processing is restricted.",
    "objected": "The customer said no to this purpose.",
    "consent_expired": "The customer's consent to this purpose is over.",
    "on_pause": "The customer wants nothing for a while.",
    "under_age": "The customer is too young for this, and no guardian has agreed.",
    "suppressed": "Nothing may be sent to this address: it bounced, complained or was blocked.",
    "erased": "The customer was erased.",
    "frequency_cap": "The customer has had as many promotional messages as the cap allows.",
    "quiet_hours": "It is night where the customer is; it waits until the quiet hours are over.",
    "same_person": "The same person, known under another profile, has had this message.",
    "no_postal_address": "The sender's postal address is not set, and promotion needs one.",
    "no_unsubscribe": "The message has no way to unsubscribe, and promotion needs one.",
    "expired": "It was too late: the message was no longer worth sending.",
    "restored": "It was planned before this database was restored, so it may have been sent then.",
    "stopped": "The campaign or journey was stopped before the message left.",
    "stopped_all": "Sending was stopped by hand; it waits.",
    "not_armed": "Sending is not armed here; it waits.",
    "paused": "The campaign or journey is paused; it waits.",
    "holdout": "Held out on purpose, to measure what the message causes.",
    # found while making and sending
    "template": "The template could not be filled in for this customer.",
    "bad_address": "The address is not one a message can be sent to.",
    "too_large": "The message is larger than the mail server takes.",
    "rejected": "The receiving server refused the message for good.",
    "bounced": "The receiving server says that there is no such address.",
    "mailbox_full": "The customer's mailbox is full or closed for now.",
    "policy": "The receiving server refuses what this sender sends; nobody was suppressed for it.",
    "deferred": "The receiving server asked to try later; it waits.",
    "connection": "The connection to the mail server broke before the message was handed over.",
    "server_down": "The mail server cannot be reached; it waits.",
    "no_reply": "It was on its way when the sender or the connection died: perhaps it arrived.",
    "crashed": "The sender died again and again while it held this message.",
    "resolved": "Somebody looked into it and said so.",
    "proved": "A click or an open proved that it arrived.",
}
"""By code. The code is stable and meant for programs, the words for people."""

_STATES: Final[dict[SendState, str]] = {
    "queued": "Waits to be sent.",
    "claimed": "Is being made.",
    "wire": "Is being handed over to the mail server.",
    "sent": "The receiving mail server took it.",
    "failed": "It failed.",
    "unknown": "Nobody knows whether it arrived; it is not sent again by itself.",
    "suppressed": "It was held back.",
    "cancelled": "It was cancelled.",
    "expired": "It expired.",
}


def explain(state: SendState, reason: str) -> str:
    """Return what a state and its reason mean, in a sentence or two."""
    if state == "unknown":
        return f"{_STATES[state]} {REASONS.get(reason, '')}".strip()
    if state in {"sent", "wire", "claimed"} or not reason:
        return _STATES[state]
    return REASONS.get(reason, f"{_STATES[state]} ({reason})")
