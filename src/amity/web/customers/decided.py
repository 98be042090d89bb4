"""What was decided for a customer, with why, for their page."""

from typing import Any, Final

from django.http import HttpRequest

from amity.personalization import api as personalization
from amity.store import api as store
from amity.web.access import may
from amity.web.decisions.views import lines_of

_SHOWN: Final = 5


def decided_for(request: HttpRequest, profile_id: int) -> dict[str, Any]:
    """Return the page's part on decisions; nothing of it for who may not read them."""
    if not may(request, "decisions.read"):
        return {"decided": None}
    profile_ids = store.list_joined(profile_id=profile_id)
    page = personalization.list_decisions(profile_ids=profile_ids, limit=_SHOWN)
    has_more = page.next_cursor is not None
    return {"decided": {"lines": lines_of(page.items), "has_more": has_more}}
