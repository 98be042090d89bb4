"""Campaigns that were run elsewhere: what is known of them, and what cannot be."""

from typing import Final

from amity.broadcast.contracts import ObservedCampaign
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction

_SQL: Final = queries.load("amity.broadcast")
_VERDICT: Final = (
    "No causal claim can be made: who received it was chosen, not drawn at random, and nobody was "
    "held out. Those who were chosen may well have bought more without it."
)


def list_observed_campaigns() -> list[ObservedCampaign]:
    """Return campaigns known only from events; see `api.list_observed_campaigns`."""
    currency = settings().currency
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["observed_campaigns"], {"currency": currency}).fetchall()
    return [
        ObservedCampaign(
            name=name or f"Campaign {campaign}",
            kind=kind,
            began_at=began_at,
            ended_at=ended_at,
            received=received,
            redeemed=redeemed,
            buyers=buyers,
            revenue_minor=revenue_minor,
            currency=currency,
            verdict=_VERDICT,
        )
        for (
            campaign,
            name,
            kind,
            began_at,
            ended_at,
            received,
            redeemed,
            buyers,
            revenue_minor,
        ) in rows
    ]
