"""Words for evidence."""

from typing import Any, Final

from amity.store.contracts_identity import EvidenceEdge
from amity.web.customers.words import KINDS

CUTS: Final = {
    "different_user_ids": "not joined: two customer ids",
    "too_many_identifiers": "not joined: too many identifiers",
    "unproven": "not joined: stated without proof",
    "undone": "taken back by hand",
    "place": "not joined: a device of many",
}
"""Why an edge joins nobody."""

WAYS: Final = {
    "event": "seen together",
    "alias": "said to be the same",
    "manual": "joined by hand",
    "confirmed": "confirmed by the customer",
    "linkage": "found by comparison",
}
"""How an edge came to be."""

_STRENGTHS: Final = ((0.98, "proven"), (0.8, "a device's login"), (0.3, "only stated"))


def tell(edge: EvidenceEdge, sources: dict[int, str]) -> dict[str, Any]:
    """Return an edge in words."""
    is_alone = (edge.hub_kind, edge.hub_value) == (edge.kind, edge.value)
    return {
        "is": edge,
        "hub": KINDS.get(edge.hub_kind, edge.hub_kind),
        "other": KINDS.get(edge.kind, edge.kind),
        "is_alone": is_alone,
        "way": "seen alone" if is_alone else WAYS.get(edge.way, edge.way),
        "strength": next((words for at, words in _STRENGTHS if edge.weight >= at), ""),
        "cut": CUTS.get(edge.cut, edge.cut.replace("_", " ")),
        "source": sources.get(edge.source_id, ""),
    }
