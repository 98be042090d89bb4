"""The door to metrics for engines that measure by them: campaigns, experiments, rewards.

The catalogue itself is behind `api_reports`, beside the reports that show it.
"""

from amity.analysis.contracts_metrics import GroupedMetric, Metric
from amity.analysis.logic.measuring import groups
from amity.infra.database import Connection
from amity.rules import Fragment


def list_customer_metrics() -> list[Metric]:
    """Return the metrics that are a number of each customer, in the catalogue's order."""
    return groups.list_of_customer()


def check_customer_metric(*, name: str) -> None:
    """Raise Invalid for a metric that is not there, or is no number of each customer."""
    groups.check_of_customer(name)


def read_metric_of_groups(*, connection: Connection, name: str, people: Fragment) -> GroupedMetric:
    """Return what a metric comes to for each customer of groups, and by which version of it.

    ``people`` is a query of `profile_id`, `arm` (the group), `since` and `until` (half open), each
    customer once. Raises NotFound when there is no such metric any more, Invalid with the reason
    when it is no number of each customer. Costs one reading of their orders or events.
    """
    return groups.read_groups(connection, name=name, people=people)
