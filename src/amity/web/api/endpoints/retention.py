"""Retention: how long what is kept and why, what a run would remove, and what runs removed."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from amity.kernel.pagination import Page
from amity.store import api_retention as keeping
from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import (
    RetentionPlan,
    RetentionPreview,
    RetentionRule,
    RetentionRun,
    RunState,
)
from amity.web.api.routing import Call, Cursor, Limit, RowId, SmallRowId, route
from amity.web.retention.sweeping import all_sweeps

RuleKey = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,98}$")]
Name = Annotated[str, Meta(min_length=1, max_length=255)]


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """All rules; they are few."""

    items: list[RetentionRule]


class RuleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes about a rule; what is absent stays."""

    keep_days: int | UnsetType = UNSET
    basis: LawfulBasis | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET
    every_hours: int | UnsetType = UNSET
    names: list[Name] | UnsetType = UNSET
    source_id: SmallRowId | UnsetType | None = UNSET


class PreviewQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As the rule stands, or as it would with other days."""

    keep_days: Annotated[int, Meta(ge=1, le=36500)] | None = None


class RunQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs: of one rule, in one state, only those that removed something."""

    rule: str = ""
    state: RunState | None = None
    removing: bool = False
    cursor: Cursor | None = None
    limit: Limit = 50


@route("GET", "/retention-rules", scope="retention:read")
def list_retention_rules() -> RuleList:
    """List how long what is kept, why, and who said so."""
    return RuleList(items=keeping.list_retention_rules(all_sweeps()))


@route("GET", "/retention-rules/{key}", scope="retention:read")
def get_retention_rule(key: RuleKey) -> RetentionRule:
    """Return one rule."""
    return keeping.get_retention_rule(all_sweeps(), key)


@route("PATCH", "/retention-rules/{key}", scope="retention:write")
def update_retention_rule(key: RuleKey, body: RuleChange, call: Call) -> RetentionRule:
    """Change a rule; the worker runs it at once, when it is enabled."""
    rule = keeping.get_retention_rule(all_sweeps(), key)
    told = {
        name: value
        for name in body.__struct_fields__
        if (value := getattr(body, name)) is not UNSET
    }
    held = {name: getattr(rule, name) for name in RetentionPlan.__struct_fields__}
    plan = RetentionPlan(**(held | told))
    return keeping.save_retention_rule(
        all_sweeps(), key=key, plan=plan, by=call.caller, now=call.now
    )


@route("GET", "/retention-rules/{key}/preview", scope="retention:read")
def preview_retention_rule(key: RuleKey, query: PreviewQuery, call: Call) -> RetentionPreview:
    """Say what a run would remove now; nothing is removed."""
    rule = keeping.get_retention_rule(all_sweeps(), key)
    if query.keep_days is not None:
        rule = msgspec.structs.replace(rule, keep_days=query.keep_days)
    return keeping.preview_retention(all_sweeps(), rule=rule, now=call.now)


@route("POST", "/retention-rules/{key}/run", scope="retention:write", status=202)
def run_retention_rule(key: RuleKey, call: Call) -> RetentionRun:
    """Have the worker run a rule now; `GET /retention-runs/{run_id}` says how far it is."""
    run_id = keeping.ask_retention(all_sweeps(), key=key, by=call.caller, now=call.now)
    return keeping.get_retention_run(run_id=run_id)


@route("GET", "/retention-runs", scope="retention:read")
def list_retention_runs(query: RunQuery) -> Page[RetentionRun]:
    """List what runs removed, the latest first."""
    return keeping.list_retention_runs(
        key=query.rule,
        state=query.state,
        removing=query.removing,
        cursor=query.cursor,
        limit=query.limit,
    )


@route("GET", "/retention-runs/{run_id}", scope="retention:read")
def get_retention_run(run_id: RowId) -> RetentionRun:
    """Return one run."""
    return keeping.get_retention_run(run_id=run_id)
