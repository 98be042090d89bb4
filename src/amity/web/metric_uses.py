"""Where a metric is used in all engines: the analysis engine says its own, the others theirs."""

from datetime import datetime
from typing import Any

import msgspec

from amity.analysis import api_reports as reports
from amity.analysis.contracts_metrics import MetricDefinition, MetricImpact, MetricUses
from amity.broadcast import api_campaigns
from amity.personalization import api as personalization


def find_metric_uses(*, name: str) -> MetricUses:
    """Return where a metric, or one made of it, is used."""
    return _add(name, reports.find_metric_uses(name=name))


def describe_metric_impact(*, name: str, definition: dict[str, Any], now: datetime) -> MetricImpact:
    """Say what saving a definition would change; see `api_reports.describe_metric_impact`."""
    impact = reports.describe_metric_impact(name=name, definition=definition, now=now)
    read = msgspec.convert(definition, MetricDefinition)
    tried = api_campaigns.try_metric_definition(name=name, definition=read)
    return msgspec.structs.replace(impact, uses=_add(name, impact.uses), campaigns=tuple(tried))


def _add(name: str, uses: MetricUses) -> MetricUses:
    names = [name, *uses.metrics]
    learning = [
        f"{placement.name} (version {placement.goal_version})"
        for placement in personalization.list_placements()
        if placement.goal_metric in names
    ]
    return msgspec.structs.replace(
        uses,
        campaigns=tuple(api_campaigns.list_campaigns_measured_by(metrics=names)),
        rewards=tuple(learning),
    )
