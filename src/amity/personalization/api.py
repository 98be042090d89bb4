"""The personalization engine's door: keyword-only functions, contracts in and out."""

from datetime import datetime

from amity.store.contracts import FoldResult

# Offers and placements

# Decisions

# Learning


def reward_batch(*, now: datetime, limit: int = 2000) -> FoldResult:
    """Take one turn of the rewards consumer: what came of what was shown."""
    return FoldResult(events=0)


def publish_snapshot(*, now: datetime) -> int | None:
    """Make a new snapshot when anything it holds has changed; return its id, or None."""
    return None


# Recommenders
