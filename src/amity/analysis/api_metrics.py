"""The door to metrics for engines that measure by them: campaigns, experiments, rewards.

The catalogue itself is behind `api_reports`, beside the reports that show it.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec

from amity.analysis.contracts_metrics import GroupedMetric, Metric, MetricDefinition
from amity.analysis.logic.measuring import catalogue, groups, happenings
from amity.analysis.logic.measuring.of_customer import OfCustomer
from amity.infra.database import Connection
from amity.kernel.errors import Invalid
from amity.rules import Fragment


class Reward(msgspec.Struct, frozen=True):
    """A version of a metric as a reward."""

    of_customer: OfCustomer
    events: frozenset[str]
    """After which events there may be more or less of it."""


def list_customer_metrics() -> list[Metric]:
    """Return the metrics that are a number of each customer, in the catalogue's order."""
    return groups.list_of_customer()


def check_customer_metric(*, name: str) -> None:
    """Raise Invalid for a metric that is not there, or is no number of each customer."""
    groups.check_of_customer(name)


def read_metric_of_groups(
    *,
    connection: Connection,
    name: str,
    people: Fragment,
    definition: MetricDefinition | None = None,
) -> GroupedMetric:
    """Return what a metric comes to for each customer of groups, and by which version of it.

    ``people`` is a query of `profile_id`, `arm` (the group), `since` and `until` (half open), each
    customer once. A ``definition`` is tried in the place of the one that holds. Raises NotFound
    when there is no such metric any more, Invalid with the reason when it is no number of each
    customer. Costs one reading of their orders or events.
    """
    return groups.read_groups(connection, name=name, people=people, definition=definition)


def latest_reward_version(*, name: str) -> int:
    """Return the version of a metric that holds; raise Invalid when no moments make it up."""
    found = {metric.name: metric for metric in catalogue.list_metrics()}
    if name not in found:
        raise Invalid(f"there is no metric {name!r}", code="no_metric")
    happenings.read_moves(name, found[name].version)
    return found[name].version


def read_reward(*, connection: Connection, name: str, version: int) -> Reward:
    """Return what a version of a metric counts as a reward; raise NotFound or Invalid."""
    found = happenings.read_moves(name, version, connection)
    return Reward(found, happenings.events_of(found))


def list_rewards(
    *, connection: Connection, reward: Reward, profile_ids: Collection[int], since: datetime
) -> list[tuple[int, datetime, int]]:
    """Return who moved the metric when and by how much, by profile and time; never by nothing.

    Orders count by when they were placed, as they stand now; money is in minor units.
    """
    return happenings.list_happenings(
        connection, reward.of_customer, profile_ids=profile_ids, since=since
    )
