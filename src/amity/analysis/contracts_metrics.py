"""Metrics: what a number means, said once, so that reports, segments and experiments agree.

A metric counts or adds up rows of one base, or is made of other metrics. It has no code: whoever
may write reports can define one, and every version is kept.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from amity.analysis.contracts_reports import Unit
from amity.analysis.contracts_segments import SegmentImpact

MetricName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,59}$")]
Base = Literal["orders", "order_lines", "newcomers", "earlier", "events", "sends"]
"""`newcomers` are customers whose first order ever is in the window, `earlier` those who ordered in
as many days before it, with `again` 1 for who ordered in the window too."""
Direction = Literal["up", "down", ""]
Operator = Literal["is", "is_not", "at_least", "at_most"]


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rows count: those whose column compares so with a value."""

    column: str
    op: Operator = "is"
    value: str | int


class Counted(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag="count",
    tag_field="kind",
    forbid_unknown_fields=True,
):
    """Rows of a base counted, their customers counted, or a column of them added up."""

    base: Base
    what: Literal["rows", "customers", "sum"] = "rows"
    column: str = ""
    """Of the sum."""
    where: Annotated[tuple[Where, ...], Meta(max_length=10)] = ()


class Ratio(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag="ratio",
    tag_field="kind",
    forbid_unknown_fields=True,
):
    """One metric divided by another; not known when that is zero."""

    of: MetricName
    by: MetricName


class Difference(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag="difference",
    tag_field="kind",
    forbid_unknown_fields=True,
):
    """One metric less another of the same unit."""

    of: MetricName
    less: MetricName


Expression = Counted | Ratio | Difference


class MetricDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a metric is."""

    title: Annotated[str, Meta(min_length=1, max_length=100)]
    definition: Annotated[str, Meta(min_length=1, max_length=1000)]
    """In words, for people."""
    expression: Expression
    unit: Unit
    direction: Direction = ""
    """Which way is better."""
    owner: Annotated[str, Meta(max_length=100)] = ""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a metric; version 0 is built in."""

    name: str
    version: int
    definition: MetricDefinition
    is_retired: bool
    changed_by: str
    changed_at: datetime | None


class GroupValues(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric comes to in one group of customers."""

    customers: int
    values: list[float]
    """One number for each of whom it is above 0; money in minor units. The others have 0."""


class GroupedMetric(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric comes to for each customer of several groups, by the version that holds."""

    metric: Metric
    groups: dict[str, GroupValues]


class MetricUses(msgspec.Struct, frozen=True, kw_only=True):
    """Where a metric is used."""

    metrics: tuple[str, ...]
    """Metrics made of it, also by way of others."""
    reports: tuple[str, ...]
    views: tuple[str, ...]
    """Saved views of those reports."""
    targets: tuple[str, ...]
    """The targets set for it, with their values."""
    segments: tuple[str, ...] = ()
    """Segments whose rule asks for it, or for one made of it."""
    campaigns: tuple[str, ...] = ()
    """Campaigns it is to move or not to harm; their reports read the definition that holds."""
    rewards: tuple[str, ...] = ()
    """Placements that learn by it, with the version each goes on learning by."""


class MetricImpact(msgspec.Struct, frozen=True, kw_only=True):
    """What saving another definition would change, before it is saved."""

    name: str
    uses: MetricUses
    values: tuple[tuple[str, float | None, float | None], ...]
    """Of the metric and each made of it: its value now and then, over the last 90 days."""
    segments: tuple[SegmentImpact, ...] = ()
    """Of each segment that asks for it: how many are in it, would enter and would leave."""
    refusals: tuple[str, ...] = ()
    """Why it could not be saved so: what uses it and could not any more."""
    campaigns: tuple[tuple[str, float | None, float | None], ...] = ()
    """Of the latest campaigns measured by it: its mean for each customer drawn to get the message,
    now and then; None where nobody was drawn yet, or it is no number of each customer."""
