"""Scores as rules see them in memory; `segments_catalogue` gives the same in SQL."""

from collections.abc import Collection, Mapping

from amity.infra import queries
from amity.infra.database import Connection
from amity.rules import Rating

_SQL = queries.load("amity.analysis")


def load_ratings(
    connection: Connection, *, profile_ids: list[int], names: Collection[str] | None
) -> Mapping[int, Mapping[str, Rating]]:
    """Return the scores of these names by profile and name; None for every score there is."""
    if names is None:
        rows = connection.execute(_SQL["scores_all_ratings"], [profile_ids])
    elif names:
        rows = connection.execute(_SQL["scores_ratings"], [profile_ids, sorted(names)])
    else:
        return {}
    found: dict[int, dict[str, Rating]] = {}
    for profile_id, name, value, label, percentile in rows:
        found.setdefault(profile_id, {})[name] = Rating(value, label, percentile)
    return found
