"""Stats: the installation in numbers."""

from datetime import UTC, datetime

from amity.analysis import api_segment_lists
from amity.broadcast import api as broadcast
from amity.infra import warehouse
from amity.store import api as store
from amity.web.api.documents import StatsDocument, stats_document
from amity.web.api.routing import route


@route("GET", "/stats", scope="stats:read")
def get_stats() -> StatsDocument:
    """Say what came in, who is known, and how far each consumer is behind."""
    memberships = api_segment_lists.count_segments().memberships
    return stats_document(
        store.stats(),
        memberships=memberships,
        sends=broadcast.get_send_counts(),
        warehouse=warehouse.status(now=datetime.now(UTC)),
    )
