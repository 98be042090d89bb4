"""What must not be sent to a customer's addresses: what was refused there, and why nothing goes."""

from datetime import datetime
from typing import Any, Final

import msgspec
from django.http import HttpRequest

from amity.store import api as store
from amity.store.contracts import ContactPoint, Profile, Suppression
from amity.store.contracts_consent import Standing, UseReason
from amity.web.access import may

SUPPRESSIONS: Final[dict[Suppression, tuple[str, str]]] = {
    "soft_bounces": (
        "message after message bounced, for two weeks or longer",
        "Should the mailbox still be full or closed, they bounce again.",
    ),
    "hard_bounce": (
        "a message came back: there is no such address",
        "Should that still be so, the next one comes back too, and mail servers trust you less.",
    ),
    "manual": ("somebody of the staff blocked it", "Whoever did so had a reason; ask them first."),
    "complaint": (
        "they reported a message as spam; only what needs no consent still goes",
        "Do this only if they asked you to: the next report costs you the trust of mail servers.",
    ),
    "erased": (
        "whoever it belonged to was erased",
        "Do this only if they came back by themselves, and not since an old file was imported.",
    ),
}
"""Why nothing is sent to an address, and what to think of before that is lifted."""


REASONS: Final[dict[UseReason, str]] = {
    "no_consent": "never agreed to, so no",
    "consent_expired": "the yes has expired",
    "objected": "refused",
    "suppressed": "the address is blocked",
    "on_pause": "on pause",
    "under_age": "too young, and no guardian agreed",
    "restricted": "processing is restricted",
    "unknown": "unknown",
}
"""Why data may not be used for a purpose, in a few words."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One address at which something is refused."""

    point: ContactPoint
    why: str
    warning: str
    objections: list[tuple[str, datetime]]


def consents_of(standings: list[Standing], sources: dict[int, str]) -> dict[str, Any]:
    """Return a card's part on consents: what the gate says by purpose, and what was said last."""
    lines = [
        {
            "purpose": one.purpose,
            "title": one.title,
            "is_allowed": not one.reason,
            "why": REASONS.get(one.reason, one.reason),
            "is": one.said,
            "source": sources.get(one.said.source_id, "") if one.said else "",
        }
        for one in standings
    ]
    return {"consents": lines, "has_said": any(one.said for one in standings)}


def refused_at(request: HttpRequest, profile: Profile) -> dict[str, Any]:
    """Return the page's part on addresses at which something holds that a customer refused."""
    points = store.list_contact_points(profile_id=profile.profile_id)
    told = [_tell(point, profile) for point in points]
    return {
        "has_addresses": bool(points),
        "refused": [one for one in told if one.why or one.objections],
        "can_lift": may(request, "sending.manage"),
    }


def _tell(point: ContactPoint, profile: Profile) -> Refused:
    why, warning = SUPPRESSIONS.get(point.suppression, (point.suppression, ""))
    objections = [
        (purpose, at)
        for purpose, at in sorted(point.objections.items())
        if _holds(profile, purpose, at)
    ]
    return Refused(point=point, why=why, warning=warning, objections=objections)


def _holds(profile: Profile, purpose: str, at: datetime) -> bool:
    """Say whether a no still holds: until a later yes, as the gate has it."""
    consent = profile.consents.get(purpose)
    return consent is None or consent.status != "granted" or consent.at <= at
