"""The broadcast engine's door: keyword-only functions, contracts in and out."""

from datetime import datetime

from amity.store.contracts import FoldResult

# Templates

# Sending

# Campaigns


def follow_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the broadcast consumer: what clicks and opens say of doubtful messages."""
    return FoldResult(events=0)


def run_campaigns(*, now: datetime) -> int:
    """Begin campaigns whose time has come, target, and close those that are done."""
    return 0


# Journeys


def step_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the journeys consumer: entries, exits, and steps that have come due."""
    return FoldResult(events=0)
