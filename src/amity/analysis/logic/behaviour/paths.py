"""Paths (pure): what follows what, with the rare things put together."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

OTHERS: Final = "(others)"
ENDED: Final = "(the visit ended)"
BEGAN: Final = "(the visit began)"


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """How many visits went from one thing to the next; positions count from the event looked at."""

    position: int
    source: str
    target: str
    visits: int


def gather_flows(rows: Iterable[Mapping[str, Any]], *, most: int, end: str) -> list[Flow]:
    """Return the flows with the ``most`` frequent labels named, all others as one.

    ``rows`` count `visits` by `position`, `label` and `next_label` (null: nothing came next). The
    label looked at, at position 0, is always named. Flows are in order of position and visits.
    """
    known = list(rows)
    seen: Counter[str] = Counter()
    last = max((row["position"] for row in known), default=0)
    for row in known:
        seen[row["label"]] += row["visits"]
        # What the last step leads to begins no flow, and is on the paths all the same.
        if row["position"] == last and row["next_label"] is not None:
            seen[row["next_label"]] += row["visits"]
    ranked = sorted(seen, key=lambda label: (-seen[label], label))
    named = set(ranked[:most]) | {row["label"] for row in known if not row["position"]}
    # A visit may begin with anything; only what is looked at on purpose is one label.
    if len({row["label"] for row in known if not row["position"]}) > 1:
        named = set(ranked[:most])
    sums: Counter[tuple[int, str, str]] = Counter()
    for row in known:
        source = row["label"] if row["label"] in named else OTHERS
        following = row["next_label"]
        target = end if following is None else following if following in named else OTHERS
        sums[row["position"], source, target] += row["visits"]
    flows = [
        Flow(position=position, source=source, target=target, visits=visits)
        for (position, source, target), visits in sums.items()
    ]
    return sorted(flows, key=lambda flow: (flow.position, -flow.visits, flow.source, flow.target))
