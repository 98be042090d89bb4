"""Consents: what a customer agreed to, and what was refused at their addresses."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from amity.kernel.errors import Conflict
from amity.store import api as store
from amity.store.contracts import Channel, Choices, Consent, ContactPoint
from amity.store.contracts_consent import UseReason
from amity.web import lifting
from amity.web.api.routing import Call, RowId, route

Purpose = Annotated[str, Meta(min_length=1, max_length=100)]


class ConsentsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """By purpose the last word and what the gate says, and what holds at each address.

    What is missing means no.
    """

    consents: dict[str, Consent]
    reasons: dict[str, UseReason]
    """By purpose why data may not be used for it now; empty when it may."""
    contact_points: list[ContactPoint]


class NewChoices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer says yes or no to, and what shows that they did."""

    choices: Annotated[dict[Purpose, bool], Meta(min_length=1, max_length=50)]
    method: Annotated[str, Meta(min_length=1, max_length=50, description="form, call …")] = "api"
    evidence: Annotated[
        dict[Annotated[str, Meta(max_length=50)], Annotated[str, Meta(max_length=500)]],
        Meta(max_length=20),
    ] = {}


class BlockedAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the customer's contact points, as their consents list it."""

    channel: Channel
    address_key: Annotated[str, Meta(min_length=1, max_length=100)]


@route("GET", "/profiles/{profile_id}/consents", scope="consents:read")
def get_consents(profile_id: RowId) -> ConsentsDocument:
    """Get what a customer agreed to, and what was refused at their addresses."""
    profile = store.get_profile(profile_id=profile_id)
    points = store.list_contact_points(profile_id=profile.profile_id)
    standings = store.list_standings(profile_id=profile.profile_id, now=datetime.now(UTC))
    return ConsentsDocument(
        consents={one.purpose: one.said for one in standings if one.said is not None},
        reasons={one.purpose: one.reason for one in standings},
        contact_points=points,
    )


@route("POST", "/profiles/{profile_id}/consents", scope="consents:write")
def state_choices(profile_id: RowId, body: NewChoices, call: Call) -> ConsentsDocument:
    """Write down what a customer says yes or no to.

    A no holds at once for everything that has not left yet; the last word by purpose follows
    within a second. Answers with what held before that.
    """
    profile = store.get_profile(profile_id=profile_id)
    if not profile.email:
        raise Conflict("this customer has no e-mail address to state choices for")
    store.state_choices(
        choices=Choices(
            profile_id=profile.profile_id,
            channel="email",
            address_key=store.contact_key(channel="email", address=profile.email),
            choices=body.choices,
            method=body.method,
            evidence=dict(body.evidence),
        ),
        now=call.now,
    )
    return get_consents(profile.profile_id)


@route("POST", "/profiles/{profile_id}/lift-suppression", scope="consents:write")
def lift_suppression(profile_id: RowId, body: BlockedAddress) -> ConsentsDocument:
    """Let an address of a customer be written to again after a bounce, a complaint or a block.

    Objections and consents stay as they are; an address that is not suppressed stays as it is.
    """
    lifting.lift_suppression(
        profile_id=profile_id, channel=body.channel, address_key=body.address_key
    )
    return get_consents(profile_id)
