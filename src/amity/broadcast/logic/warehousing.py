"""What the engine exports to the warehouse: the send ledger, without anything a message said, and
whom campaigns drew.

Sends of a customer who is erased stay here as they stay in the ledger: they hold numbers and keyed
hashes only, and the sums over messages hold.
"""

from typing import Final

from amity.infra import queries
from amity.infra.warehouse import ColumnKind, Export, Shape

_SQL: Final = queries.load("amity.broadcast")
_SENDS: Final[dict[str, ColumnKind]] = {
    "send_id": "text",
    "planned_at": "instant",
    "run_kind": "text",
    "run_id": "integer",
    "step_key": "text",
    "contact_point": "text",
    "profile_id": "integer",
    "channel": "text",
    "class": "text",
    "purpose": "text",
    "content_id": "integer",
    "state": "text",
    "reason": "text",
    "attempts": "integer",
    "not_before": "instant",
    "not_after": "instant",
    "wire_at": "instant",
    "settled_at": "instant",
}


_PARTICIPANTS: Final[dict[str, ColumnKind]] = {
    "participant_id": "text",
    "campaign_id": "integer",
    "profile_id": "integer",
    "arm": "text",
    "assigned_at": "instant",
    "window_seconds": "integer",
    "held_rate_micro": "integer",
}


def warehouse_exports() -> list[Export]:
    """Return what the engine exports."""
    return [
        Export(
            name="sends",
            shape=Shape(
                columns=_SENDS,
                key="send_id",
                present="state",
                day="planned_at",
                changes=True,
            ),
            horizon=_SQL["warehouse_horizon"],
            rows=_SQL["warehouse_sends"],
            source=_SQL["warehouse_all_sends"],
        ),
        Export(
            name="participants",
            shape=Shape(
                columns=_PARTICIPANTS,
                key="participant_id",
                present="arm",
                day="assigned_at",
                subject="profile_id",
                changes=True,
            ),
            horizon=_SQL["warehouse_horizon"],
            rows=_SQL["warehouse_participants"],
            source=_SQL["warehouse_all_participants"],
        ),
    ]
