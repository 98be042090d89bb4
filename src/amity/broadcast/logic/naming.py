"""What rules and reports call a campaign or a journey they know by number."""

from amity.analysis import api as analysis
from amity.infra import queries
from amity.infra.database import transaction

_SQL = queries.load("amity.broadcast")


def tell_names() -> None:
    """Let words of rules, and reports, name campaigns and journeys."""
    analysis.know_names(kind="campaign", load=lambda ids: _load("campaign_names", ids))
    analysis.know_names(kind="journey", load=lambda ids: _load("journey_names", ids))


def _load(query: str, ids: list[int] | None) -> dict[int, str]:
    with transaction() as connection:
        return dict(connection.execute(_SQL[query], {"ids": ids}).fetchall())
