"""A customer's visits, what brought them, and what they are interested in, for their page."""

from datetime import datetime
from typing import Any, Final

from amity.store import api as store
from amity.store.contracts_visits import Touch
from amity.web.visits.words import path_of, show_visit

_VISITS: Final = 5
_INTERESTS: Final = 8


def visited_by(profile_id: int, now: datetime) -> dict[str, Any]:
    """Return the page's parts on visits and interests."""
    visits = store.list_visits(profile_id=profile_id, limit=_VISITS)
    interests = store.list_interests(profile_id=profile_id, now=now)[:_INTERESTS]
    attribution = store.get_attribution(profile_id=profile_id)
    return {
        "visits": [show_visit(visit) for visit in visits.items],
        "attribution": attribution,
        "first_touch": _touch(attribution.first),
        "last_touch": _touch(attribution.last),
        "interests": interests,
        "most_interest": interests[0].weight if interests else 0,
    }


def _touch(touch: Touch | None) -> dict[str, Any] | None:
    return {"is": touch, "landing": path_of(touch.landing_page)} if touch else None
