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


CANDIDATES: Final = {"person": "One person", "household": "One household", "company": "One company"}
"""What a pair of the review queue may be."""

LEARNT: Final = {
    "first": "the first time",
    "schedule": "a week after the time before",
    "drift": "since the records were no longer like those learnt from",
    "asked": "since somebody asked for it",
}
"""Why a model was learnt."""

_WORTH: Final = (
    (6.0, "says very much for it"),
    (3.0, "says much for it"),
    (1.0, "says something for it"),
    (-1.0, "says next to nothing"),
    (-3.0, "says something against it"),
    (-6.0, "says much against it"),
)


def tell_worth(bits: float) -> str:
    """Return in words how much so many bits say."""
    return next((words for least, words in _WORTH if bits >= least), "says very much against it")


def tell_weights(explanation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return why a comparison found a pair: field by field, what says most first."""
    weights, agreement = explanation.get("weights", {}), explanation.get("agreement", {})
    lines = [
        {"field": field, "level": level, "bits": weights.get(field, 0.0)}
        for field, level in agreement.items()
    ]
    told = sorted(lines, key=lambda line: (-abs(line["bits"]), line["field"]))
    return [
        line | {"words": tell_worth(line["bits"]), "told": f"{line['bits']:+.1f}"} for line in told
    ]


def sum_up(explanation: dict[str, Any]) -> str:
    """Return in a few words what a comparison found: what agrees, and what does not."""
    lines = tell_weights(explanation)
    same = [line["field"] for line in lines if line["bits"] >= 1][:3]
    other = [line["field"] for line in lines if line["bits"] <= -1][:2]
    if not same:
        return ""
    return f"Alike: {', '.join(same)}" + (f"; not: {', '.join(other)}" if other else "")
