"""How data requests are said to staff: kinds, states, steps and what is due."""

from datetime import datetime, timedelta
from typing import Final

from amity.store.contracts_requests import (
    CameBy,
    Jurisdiction,
    Request,
    RequestKind,
    RequestState,
    StepKind,
    Verification,
)

KINDS: Final[dict[RequestKind, tuple[str, str]]] = {
    "access": ("Access", "a copy of all that is held, to read"),
    "portability": ("Portability", "what they gave and what was observed, to take elsewhere"),
    "erasure": ("Erasure", "everything deleted"),
    "rectification": ("Correction", "something that is wrong"),
    "restriction": ("Restriction", "data kept, and used for nothing"),
    "objection": ("Objection", "no marketing and no profiling"),
}
STATES: Final[dict[RequestState, tuple[str, str]]] = {
    "received": ("received", "info"),
    "verifying": ("asked to confirm", "info"),
    "in_progress": ("to be carried out", "warn"),
    "done": ("done", "good"),
    "refused": ("refused", "bad"),
}
CAME_BY: Final[dict[CameBy, str]] = {
    "preference_page": "their preference page",
    "mail": "a letter or a mail",
    "call": "a call",
    "api": "the control API",
    "staff": "a conversation",
}
VERIFICATIONS: Final[dict[Verification, str]] = {
    "mail_link": "by a link mailed to them",
    "call_back": "called back on a number known before",
    "document": "a document was shown",
    "signed_in": "signed in at the shop",
    "known_in_person": "known in person",
}
JURISDICTIONS: Final[dict[Jurisdiction, str]] = {
    "gdpr": "GDPR: one month, two more with a reason",
    "ccpa": "CCPA: 45 days, 45 more with a reason",
}
STEPS: Final[dict[StepKind, str]] = {
    "received": "Received",
    "asked_to_confirm": "Asked by mail to confirm",
    "verified": "Identity shown",
    "matched": "Matched with a customer",
    "extended": "Time extended",
    "begun": "Begun",
    "copy_asked": "Copy asked for",
    "copy_made": "Copy made",
    "copy_failed": "The copy could not be made",
    "copy_fetched": "Copy fetched",
    "copy_deleted": "Copy deleted, its time was over",
    "corrected": "Corrected",
    "restricted": "Processing restricted",
    "lifted": "Restriction lifted",
    "objected": "Objection taken into the ledger",
    "erased": "Erased",
    "noted": "Note",
    "done": "Done",
    "refused": "Refused",
}
_SOON: Final = timedelta(days=7)


def tone_of_deadline(request: Request, now: datetime) -> str:
    """Return how pressing the deadline of a request is: bad, warn or nothing."""
    if not request.is_open:
        return ""
    if request.due_at < now:
        return "bad"
    return "warn" if request.due_at < now + _SOON else ""


def name_of(request: Request) -> str:
    """Return a request as it is called: its kind and its number."""
    return f"{KINDS[request.kind][0]} {request.request_id}"
