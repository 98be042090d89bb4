"""What the analysis engine exports to the warehouse: who was in which segment and when, and scores.

A score that is gone is told by whoever deletes it (`scoring.keeping`), as its row cannot tell.
"""

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
_SCORES: Final[dict[str, ColumnKind]] = {
    "score_id": "text",
    "profile_id": "integer",
    "name": "text",
    "value": "number",
    "label": "text",
    "low": "number",
    "high": "number",
    "percentile": "number",
    "estimator": "text",
    "model_version": "text",
    "model_run_id": "integer",
    "computed_at": "instant",
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
        ),
        Export(
            name="scores",
            shape=Shape(
                columns=_SCORES,
                key="score_id",
                present="name",
                subject="profile_id",
                changes=True,
            ),
            horizon=_SQL["warehouse_horizon"],
            rows=_SQL["warehouse_scores"],
            source=_SQL["warehouse_all_scores"],
        ),
    ]
