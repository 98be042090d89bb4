"""What the analysis engine exports to the warehouse: who was in which segment and when."""

from typing import Final

from amity.infra import queries
from amity.infra.warehouse import ColumnKind, Export, Shape

_SQL: Final = queries.load("amity.analysis")
_MEMBERSHIPS: Final[dict[str, ColumnKind]] = {
    "membership_id": "integer",
    "segment_id": "integer",
    "profile_id": "integer",
    "entered_at": "instant",
    "left_at": "instant",
}


def warehouse_exports() -> list[Export]:
    """Return what the engine exports."""
    return [
        Export(
            name="memberships",
            shape=Shape(
                columns=_MEMBERSHIPS,
                key="membership_id",
                present="entered_at",
                subject="profile_id",
                changes=True,
            ),
            horizon=_SQL["warehouse_horizon"],
            rows=_SQL["warehouse_memberships"],
            source=_SQL["warehouse_all_memberships"],
        )
    ]
