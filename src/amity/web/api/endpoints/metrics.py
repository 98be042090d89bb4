"""Metrics: what a number means, said once, with every version of it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from amity.analysis import api_reports as reports
from amity.analysis.contracts_metrics import (
    Metric,
    MetricDefinition,
    MetricImpact,
    MetricUses,
)
from amity.kernel.pagination import Page
from amity.web import metric_uses
from amity.web.api.routing import Call, route

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,59}$")]


class NewVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a metric is to be from now on."""

    definition: MetricDefinition
    is_retired: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A definition to look at before it is saved."""

    definition: MetricDefinition


@route("GET", "/metrics", scope="reports:read")
def list_metrics() -> Page[Metric]:
    """List the metrics that hold, the built-in ones (version 0) first."""
    return Page(reports.list_metrics())


@route("GET", "/metrics/{name}", scope="reports:read")
def list_metric_versions(name: Name) -> Page[Metric]:
    """List all versions of a metric, the latest first."""
    return Page(reports.list_metric_versions(name=name))


@route("GET", "/metrics/{name}/uses", scope="reports:read")
def find_metric_uses(name: Name) -> MetricUses:
    """Say where a metric is used: metrics made of it, segments, campaigns, rewards, reports …"""
    reports.list_metric_versions(name=name)
    return metric_uses.find_metric_uses(name=name)


@route("POST", "/metrics/{name}", scope="reports:write")
def save_metric(name: Name, body: NewVersion, call: Call) -> Metric:
    """Keep a new version of a metric, or a new metric; 422 says why it cannot be computed."""
    return reports.save_metric(
        name=name,
        definition=msgspec.to_builtins(body.definition),
        by=call.caller,
        now=call.now,
        is_retired=body.is_retired,
    )


@route("POST", "/metrics/{name}/impact", scope="reports:read")
def describe_metric_impact(name: Name, body: Tried, call: Call) -> MetricImpact:
    """Say what saving a definition would change: who uses it, and values now and then.

    Of each segment that asks for it how many would enter and leave, and why it could not be saved.
    """
    return metric_uses.describe_metric_impact(
        name=name, definition=msgspec.to_builtins(body.definition), now=call.now
    )
