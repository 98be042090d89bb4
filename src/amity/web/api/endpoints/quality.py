"""How well sources come, and the alerts raised when they do not."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api as store
from amity.store import api_plans
from amity.store.contracts_tracking import (
    Alert,
    AlertTerms,
    FillRate,
    Finding,
    LatestPicture,
    QualityDay,
    SourceWatch,
)
from amity.web.api.routing import Call, Limit, RowId, SmallRowId, route


class DaysQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days back."""

    days: Annotated[int, Meta(ge=1, le=100)] = 30


class AlertsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts: those of a source; `all` are those that are over too."""

    source_id: SmallRowId | None = None
    show: Literal["open", "all"] = "open"
    limit: Limit = 200


class WatchChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a source is to be watched; what is absent stays."""

    terms: AlertTerms | UnsetType = UNSET
    muted_until: datetime | UnsetType | None = UNSET


@route("GET", "/sources/{source_id}/quality", scope="sources:read")
def list_source_quality(source_id: SmallRowId, query: DaysQuery, call: Call) -> Page[QualityDay]:
    """List what came from a source on each day, the oldest first."""
    store.get_source(source_id=source_id)
    return Page(api_plans.list_quality(source_id=source_id, now=call.now, days=query.days))


@route("GET", "/sources/{source_id}/fill-rates", scope="sources:read")
def list_source_fill_rates(source_id: SmallRowId, query: DaysQuery, call: Call) -> Page[FillRate]:
    """List how often required properties of pinned plans were empty, the latest day first."""
    store.get_source(source_id=source_id)
    return Page(api_plans.list_fill_rates(source_id=source_id, now=call.now, days=query.days))


@route("GET", "/sources/{source_id}/findings", scope="sources:read")
def list_source_findings(source_id: SmallRowId) -> Page[Finding]:
    """List what was against plans and which personal data was misplaced, most often first."""
    store.get_source(source_id=source_id)
    return Page(api_plans.list_findings(source_id=source_id))


@route("GET", "/sources/{source_id}/latest", scope="sources:read")
def get_source_latest(source_id: SmallRowId, call: Call) -> LatestPicture:
    """Get what a source's latest events name, how late they come, and what sent them."""
    store.get_source(source_id=source_id)
    return api_plans.picture_latest(source_id=source_id, now=call.now)


@route("GET", "/sources/{source_id}/watch", scope="sources:read")
def get_source_watch(source_id: SmallRowId) -> SourceWatch:
    """Get from when on alerts are raised about a source."""
    return api_plans.get_source_watch(source_id=source_id)


@route("PATCH", "/sources/{source_id}/watch", scope="sources:write")
def watch_source(source_id: SmallRowId, body: WatchChange, call: Call) -> SourceWatch:
    """Change from when on alerts are raised about a source, or mute it."""
    held = api_plans.get_source_watch(source_id=source_id)
    return api_plans.watch_source(
        source_id=source_id,
        terms=held.terms if body.terms is UNSET else body.terms,
        muted_until=held.muted_until if body.muted_until is UNSET else body.muted_until,
        by=call.caller,
        now=call.now,
    )


@route("GET", "/alerts", scope="sources:read")
def list_alerts(query: AlertsQuery) -> Page[Alert]:
    """List alerts about sources, open ones first, then the latest."""
    return Page(
        api_plans.list_alerts(
            source_id=query.source_id, open_only=query.show == "open", limit=query.limit
        )
    )


@route("POST", "/alerts/{alert_id}/acknowledge", scope="sources:write")
def acknowledge_alert(alert_id: RowId, call: Call) -> None:
    """Say that somebody looks after an alert; it closes by itself once it is over."""
    api_plans.acknowledge_alert(alert_id=alert_id, by=call.caller, now=call.now)
