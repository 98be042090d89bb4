"""What the engine exports to the warehouse: decisions, with what was chosen and how likely."""

from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.warehouse import ColumnKind, Export, Shape
from amity.personalization.logic.decision_log import decode_result

_SQL: Final = queries.load("amity.personalization")
_DECISIONS: Final[dict[str, ColumnKind]] = {
    "decision_id": "text",
    "decided_at": "instant",
    "profile_id": "integer",
    "placement_id": "integer",
    "channel": "text",
    "snapshot_id": "integer",
    "seed": "integer",
    "policy": "text",
    "fallback": "text",
    "request": "json",
    "items": "json",
}


def warehouse_exports() -> list[Export]:
    """Return what the engine exports."""
    return [
        Export(
            name="decisions",
            shape=Shape(
                columns=_DECISIONS,
                key="decision_id",
                present="decided_at",
                day="decided_at",
                subject="profile_id",
                changes=True,
            ),
            horizon=_SQL["warehouse_horizon"],
            rows=_SQL["warehouse_decisions"],
            source=_SQL["warehouse_all_decisions"],
            derived={"items": _items},
        )
    ]


def _items(result: str) -> str:
    """Return what was chosen as JSON: `[{"item", "propensity", "score"}]`, the first rank first."""
    kept = decode_result(bytes.fromhex(result))
    chosen = [
        {"item": one.item, "propensity": one.propensity, "score": one.score} for one in kept.items
    ]
    return msgspec.json.encode(chosen).decode()
