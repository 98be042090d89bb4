"""A campaign measured by metrics of the catalogue: each in both groups, by the same definition."""

from typing import Final, Literal

import msgspec
import numpy as np

from amity.analysis import api_metrics
from amity.analysis.contracts_metrics import GroupedMetric, Metric, MetricDefinition
from amity.broadcast.contracts import Campaign, MetricFigures
from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel import lift as lift_maths
from amity.kernel.errors import Invalid, NotFound
from amity.kernel.lift import FEWEST_BUYERS, Arm, Lift
from amity.kernel.money import exponent_of
from amity.rules import Fragment

_SQL: Final = queries.load("amity.broadcast")
_MOST_TRIED: Final = 10
Role = Literal["goal", "guardrail"]


class ReadMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as read for a campaign, or why it could not be."""

    name: str
    role: Role
    found: GroupedMetric | None = None
    problem: str = ""


def read_metrics(connection: Connection, campaign: Campaign) -> list[ReadMetric]:
    """Return the campaign's goal metric and guardrails, read in the caller's transaction."""
    wanted: list[tuple[str, Role]] = [(name, "guardrail") for name in campaign.guardrail_metrics]
    if campaign.goal_metric:
        wanted.insert(0, (campaign.goal_metric, "goal"))
    return [_read(connection, campaign, name, role) for name, role in wanted]


def try_definition(
    *, name: str, definition: MetricDefinition
) -> list[tuple[str, float | None, float | None]]:
    """Return the mean of a metric in campaigns now and by a definition; see the door."""
    with transaction("readonly") as connection:
        rows = connection.execute(_SQL["campaigns_measured_by"], {"names": [name]}).fetchall()
        found = []
        for campaign, campaign_id, window_days in rows[:_MOST_TRIED]:
            people = _people(campaign_id, window_days)
            both = (_mean(connection, name, people, one) for one in (None, definition))
            found.append((campaign, *both))
    return found


def _mean(
    connection: Connection, name: str, people: Fragment, definition: MetricDefinition | None
) -> float | None:
    try:
        found = api_metrics.read_metric_of_groups(
            connection=connection, name=name, people=people, definition=definition
        )
    except (Invalid, NotFound):
        return None
    treated = found.groups.get("treatment")
    return sum(treated.values) / treated.customers if treated and treated.customers else None


def _people(campaign_id: int, window_days: float) -> Fragment:
    return Fragment(_SQL["measure_people"].decode(), (campaign_id, campaign_id, window_days))


def _read(connection: Connection, campaign: Campaign, name: str, role: Role) -> ReadMetric:
    people = _people(campaign.campaign_id, campaign.window_days)
    try:
        found = api_metrics.read_metric_of_groups(connection=connection, name=name, people=people)
    except (Invalid, NotFound) as error:
        # Its definition has changed since, or it is not used any more.
        return ReadMetric(name=name, role=role, problem=error.message)
    return ReadMetric(name=name, role=role, found=found)


def compare_metric(
    read: ReadMetric, campaign: Campaign, *, refusal: str | None, is_final: bool
) -> MetricFigures:
    """Return a metric in both groups and what can be said of the difference.

    ``refusal`` is why nothing can be claimed of the campaign's groups at all.
    """
    if read.found is None:
        return _unread(read)
    metric = read.found.metric
    scale = 10 ** exponent_of(settings().currency) if metric.definition.unit == "money" else 1
    treatment, holdout = (_arm(read.found, name, scale) for name in ("treatment", "holdout"))
    lift = None
    if refusal is None:
        refusal = _refuse(treatment, holdout)
    if refusal is None:
        # Seeded by the campaign: the same data always say the same.
        rng = np.random.default_rng(campaign.campaign_id)
        lift = lift_maths.revenue_difference(treatment, holdout, rng)
    return MetricFigures(
        name=read.name,
        role=read.role,
        title=metric.definition.title,
        definition=metric.definition.definition,
        version=metric.version,
        unit=metric.definition.unit,
        direction=metric.definition.direction,
        treatment=lift_maths.mean_of(treatment),
        holdout=lift_maths.mean_of(holdout),
        difference=None if lift is None else lift.estimate,
        p_value=None if lift is None else lift.p_value,
        verdict=refusal or _judge(lift, metric, is_final=is_final),
    )


def _unread(read: ReadMetric) -> MetricFigures:
    return MetricFigures(
        name=read.name,
        role=read.role,
        title=read.name,
        definition="",
        version=0,
        unit="",
        direction="",
        treatment=None,
        holdout=None,
        difference=None,
        p_value=None,
        verdict=f"It cannot be read: {read.problem}.",
    )


def _arm(found: GroupedMetric, name: str, scale: int) -> Arm:
    group = found.groups.get(name)
    if group is None:
        return Arm(customers=0, converted=0, spent=[])
    values = [value / scale for value in group.values]
    return Arm(customers=group.customers, converted=len(values), spent=values)


def _refuse(treatment: Arm, holdout: Arm) -> str | None:
    expected = lift_maths.expected_buyers(treatment, holdout)
    if expected >= FEWEST_BUYERS:
        return None
    counted = len(treatment.spent) + len(holdout.spent)
    if not counted:
        return "No claim can be made: it is 0 for everybody."
    return (
        f"No claim can be made: it is above 0 for {counted:,} customers of both groups, and chance "
        f"puts {expected:.1f} of them into the smaller one; it takes at least {FEWEST_BUYERS}."
    )


def _judge(lift: Lift | None, metric: Metric, *, is_final: bool) -> str:
    if lift is None:
        return "No claim can be made: it is the same for everybody."
    if not is_final:
        return "So far; no result before the last window has closed."
    if not lift.is_significant:
        return "The difference is within what chance gives."
    if not metric.definition.direction:
        return "More than chance."
    is_better = (lift.estimate.value > 0) == (metric.definition.direction == "up")
    return f"{'Better' if is_better else 'Worse'} than without the message, by more than chance."
