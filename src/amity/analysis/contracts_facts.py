"""What a company says of itself, for reports: what channels and actions cost, what it aims at.

Each kind of fact has its own words; money is in minor units beside its currency.
"""

from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

FactKind = Literal["channel_cost", "unit_cost", "target", "policy"]
UnitOfCost = Literal[
    "order", "item", "refund", "email", "sms", "push", "other_message", "visit", "call"
]
Cell = Literal["true", "latent", "spurious", "none"]

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Code = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Amount = Annotated[int, Meta(ge=0, le=10**15)]


class ChannelCost(msgspec.Struct, frozen=True, kw_only=True, tag="channel_cost", tag_field="kind"):
    """What winning customers by a channel, or one campaign of it, cost over some days."""

    channel: Name
    campaign: Annotated[str, Meta(max_length=100)] = ""
    from_on: date
    until_on: date
    """The last day it pays for; the amount is spread evenly over the days."""
    amount_minor: Amount
    currency: Code


class UnitCost(msgspec.Struct, frozen=True, kw_only=True, tag="unit_cost", tag_field="kind"):
    """What one of something costs the company; the latest entered holds."""

    unit: UnitOfCost
    amount_minor: Amount
    currency: Code


class Target(msgspec.Struct, frozen=True, kw_only=True, tag="target", tag_field="kind"):
    """What a figure of a report should come to; the latest holds.

    The value is in the figure's own unit: a share from 0 to 1, money in minor units of
    ``currency``, which only figures of money have.
    """

    report: Name
    figure: Name
    value: float
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$")] = ""
    owner: Annotated[str, Meta(max_length=100)] = ""


class Policy(msgspec.Struct, frozen=True, kw_only=True, tag="policy", tag_field="kind"):
    """What the company does with customers of one cell of the loyalty matrix; the latest holds."""

    cell: Cell
    words: Annotated[str, Meta(min_length=1, max_length=500)]


KINDS: Final[dict[FactKind, type[ChannelCost | UnitCost | Target | Policy]]] = {
    "channel_cost": ChannelCost,
    "unit_cost": UnitCost,
    "target": Target,
    "policy": Policy,
}
"""The kinds of facts, each with its words."""


class CompanyFact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact a company has entered, and who entered it when."""

    fact_id: int
    kind: FactKind
    fact: ChannelCost | UnitCost | Target | Policy
    entered_by: str
    entered_at: datetime
