"""Letting an address of a customer be written to again; the screens and the control API use it."""

from amity.kernel.errors import NotFound
from amity.store import api as store
from amity.store.contracts import Channel, ContactPoint
from amity.web.restricting import refuse_restricted


def lift_suppression(*, profile_id: int, channel: Channel, address_key: str) -> ContactPoint:
    """Take away why nothing is sent to an address; return how it stood before.

    Objections stay, and so does all that was said about consent. Raises NotFound unless the
    address is one of this customer's, Denied when their data may only be kept.
    """
    refuse_restricted(profile_id)
    for point in store.list_contact_points(profile_id=profile_id):
        if (point.channel, point.address_key) == (channel, address_key):
            store.lift_suppression(channel=channel, address_key=address_key)
            return point
    raise NotFound("this customer has no such address")
