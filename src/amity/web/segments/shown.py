"""What whoever asks may open of what asks for a segment."""

from typing import Final

import msgspec
from django.http import HttpRequest

from amity.web.access import may
from amity.web.segments.uses import SegmentUse
from amity.web.staff.permissions import Capability

_NEEDED: Final[dict[str, Capability]] = {
    "segment": "segments.read",
    "campaign": "campaigns.read",
    "journey": "journeys.read",
    "offer": "offers.read",
    "placement": "offers.read",
    "webhook": "outbound.read",
    "export": "exports.run",
}


def show_uses(request: HttpRequest, uses: list[SegmentUse]) -> list[SegmentUse]:
    """Return uses with links only to what whoever asks may open."""
    return [
        use if may(request, _NEEDED[use.kind]) else msgspec.structs.replace(use, href="")
        for use in uses
    ]
