"""A journey in numbers: how many came to each node, stand there, and left by which edge."""

from collections.abc import Mapping
from typing import Any, Final

from amity.broadcast.contracts import Journey, JourneyReport, NodeCount, SendCounts
from amity.broadcast.logic.journeys import drawing
from amity.broadcast.logic.journeys.definition import describe_node, read_nodes
from amity.broadcast.node import Names
from amity.infra import queries
from amity.infra.database import transaction

_SQL: Final = queries.load("amity.broadcast")
_PENDING: Final = ("queued", "claimed", "wire")
_CANCELLED: Final = ("cancelled", "expired")


def report_journey(*, journey_id: int) -> JourneyReport:
    """Return a journey's figures; see `api.report_journey`."""
    names = drawing.load_names()
    with transaction("readonly") as connection:
        journey = drawing.read_journey(connection, names, journey_id)
        counts: dict[str, dict[str, int]] = {}
        for _, node, edge, count in connection.execute(_SQL["journeys_counts"], [journey_id]):
            edges = counts.setdefault(node, {})
            edges[edge] = edges.get(edge, 0) + count
        here = dict(connection.execute(_SQL["journeys_here"], [journey_id]).fetchall())
        states = dict(connection.execute(_SQL["journeys_sends"], [journey_id]).fetchall())
    whole = counts.get("", {})
    endings = {edge[1:]: count for edge, count in whole.items() if edge}
    entered = whole.get("", 0)
    return JourneyReport(
        journey=journey,
        entered=entered,
        active=entered - sum(endings.values()),
        finished=endings.get("finished", 0),
        endings=endings,
        nodes=_nodes(journey, names, counts, here),
        counts=_count_sends(states),
    )


def _nodes(
    journey: Journey, names: Names, counts: Mapping[str, Mapping[str, int]], here: Mapping[str, int]
) -> list[NodeCount]:
    """Return the nodes of the version now, then those only earlier versions have."""
    drawn = read_nodes(journey.definition)
    kinds: dict[str, Any] = journey.definition.get("nodes") or {}
    gone = [name for name in sorted({*counts, *here}) if name and name not in drawn]
    found = []
    for name in (*drawn, *gone):
        node = drawn.get(name)
        edges = {} if node is None else node.edges()
        left = {edge.removeprefix("!"): n for edge, n in counts.get(name, {}).items() if edge}
        found.append(
            NodeCount(
                node=name,
                kind="" if node is None else kinds[name]["kind"],
                words="Only in earlier versions." if node is None else describe_node(node, names),
                here=here.get(name, 0),
                came=counts.get(name, {}).get("", 0),
                left={**dict.fromkeys(edges, 0), **left},
                next={**dict.fromkeys(left, ""), **edges},
            )
        )
    return found


def _count_sends(states: Mapping[str, int]) -> SendCounts:
    pending = sum(states.get(state, 0) for state in _PENDING)
    cancelled = sum(states.get(state, 0) for state in _CANCELLED)
    return SendCounts(
        targeted=sum(states.values()),
        sent=states.get("sent", 0),
        suppressed=states.get("suppressed", 0),
        failed=states.get("failed", 0),
        unknown=states.get("unknown", 0),
        pending=pending,
        cancelled=cancelled,
    )
