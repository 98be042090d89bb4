"""The rules: as delivered by their sweeps and the data map, and as people set them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_args

import msgspec

from amity.infra import queries
from amity.infra.data_map import read_map
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import RetentionPlan, RetentionRule
from amity.store.sweep import Sweep

_SQL: Final = queries.load("amity.store")
_KEY: Final = re.compile(r"[a-z][a-z0-9_.-]{0,98}")
_LONGEST_DAYS: Final = 36_500
_LONGEST_REASON: Final = 500
_MOST_NAMES: Final = 100
_LONGEST_PAUSE: Final = 720

Sweeps = Mapping[str, Sweep]


def index_sweeps(sweeps: Sequence[Sweep]) -> dict[str, Sweep]:
    """Return sweeps by their kind; raise ValueError when two have the same."""
    found = {sweep.kind: sweep for sweep in sweeps}
    if len(found) != len(sweeps):
        raise ValueError("two ways of forgetting have the same name")
    return found


def list_retention_rules(sweeps: Sweeps) -> list[RetentionRule]:
    """Return every rule, those as delivered included, in the order of the sweeps."""
    days = _mapped_days()
    with transaction() as connection:
        rows = connection.execute(_SQL["retention_rules"]).fetchall()
    set_ones = {row[0]: row for row in rows if row[1] in sweeps}
    made = []
    for kind, sweep in sweeps.items():
        own = [row for key, row in set_ones.items() if row[1] == kind and key != kind]
        delivered = _as_delivered(sweep, days)
        made.append(_as_set(delivered, set_ones[kind]) if kind in set_ones else delivered)
        made += [_as_set(delivered, row) for row in own]
    return made


def get_retention_rule(sweeps: Sweeps, key: str) -> RetentionRule:
    """Return one rule; raise NotFound."""
    for rule in list_retention_rules(sweeps):
        if rule.key == key:
            return rule
    raise NotFound(f"there is no rule {key}")


def save_retention_rule(
    sweeps: Sweeps, *, key: str, plan: RetentionPlan, by: str, now: datetime
) -> RetentionRule:
    """Set a rule; it is due at once. Raises NotFound and Invalid."""
    rule = get_retention_rule(sweeps, key)
    _write(rule.kind, key, _checked(sweeps[rule.kind], plan), by=by, now=now)
    return get_retention_rule(sweeps, key)


def add_retention_rule(
    sweeps: Sweeps, *, kind: str, name: str, plan: RetentionPlan, by: str, now: datetime
) -> RetentionRule:
    """Add a rule for some events only; its key is ``kind.name``. Raises Invalid and Conflict."""
    sweep = sweeps.get(kind)
    if sweep is None or not sweep.narrowing:
        raise Invalid("only rules about events can be added", code="bad_kind")
    key = f"{kind}.{name.strip().lower().replace(' ', '-')}"
    if not _KEY.fullmatch(key) or key == f"{kind}.":
        raise Invalid("a rule's name has small letters, digits, _, - and dots", code="bad_name")
    if not plan.names and plan.source_id is None:
        raise Invalid("say which events it is about, or from which source", code="bad_names")
    if any(rule.key == key for rule in list_retention_rules(sweeps)):
        raise Conflict(f"there is a rule {key} already")
    _write(kind, key, _checked(sweep, plan), by=by, now=now)
    return get_retention_rule(sweeps, key)


def reset_retention_rule(sweeps: Sweeps, *, key: str) -> None:
    """Take a rule back to what was delivered, or delete one that was added. Raises NotFound."""
    get_retention_rule(sweeps, key)
    with transaction() as connection:
        connection.execute(_SQL["retention_delete"], [key])


def _write(kind: str, key: str, plan: RetentionPlan, *, by: str, now: datetime) -> None:
    values = {**msgspec.structs.asdict(plan), "key": key, "kind": kind, "by": by, "now": now}
    with transaction() as connection:
        connection.execute(_SQL["retention_save"], values)


def _checked(sweep: Sweep, plan: RetentionPlan) -> RetentionPlan:
    least, reason = sweep.least_days, plan.reason.strip()
    if not least <= plan.keep_days <= _LONGEST_DAYS:
        raise Invalid(
            f"it is kept for {least:,} to {_LONGEST_DAYS:,} days: other parts need it for "
            f"{least:,}",
            code="bad_days",
        )
    if not 1 <= len(reason) <= _LONGEST_REASON:
        raise Invalid(f"say why, in up to {_LONGEST_REASON} characters", code="bad_reason")
    if plan.basis not in get_args(LawfulBasis):
        raise Invalid("the lawful basis is one of " + ", ".join(get_args(LawfulBasis)))
    if not 1 <= plan.every_hours <= _LONGEST_PAUSE:
        raise Invalid(f"it runs every 1 to {_LONGEST_PAUSE} hours", code="bad_hours")
    names = sorted({name.strip() for name in plan.names if name.strip()})
    if (names or plan.source_id is not None) and not sweep.narrowing:
        raise Invalid("this rule is not about events", code="bad_names")
    if len(names) > _MOST_NAMES:
        raise Invalid(f"name up to {_MOST_NAMES} events", code="bad_names")
    return msgspec.structs.replace(plan, reason=reason, names=names)


def _mapped_days() -> dict[str, int | None]:
    held = read_map()
    days = {each.name: each.keep_days for each in held.tables}
    return days | {each.name: each.keep_days for each in held.files}


def _as_delivered(sweep: Sweep, days: Mapping[str, int | None]) -> RetentionRule:
    default = sweep.days or days.get(sweep.tables[0]) or _LONGEST_DAYS
    return RetentionRule(
        key=sweep.kind,
        kind=sweep.kind,
        title=sweep.title,
        does=sweep.does,
        tables=list(sweep.tables),
        keep_days=default,
        default_days=default,
        least_days=sweep.least_days,
        basis=sweep.basis,
        reason=sweep.reason,
        is_enabled=sweep.is_enabled,
        every_hours=sweep.every_hours,
        narrowing=sweep.narrowing,
    )


def _as_set(delivered: RetentionRule, row: tuple[Any, ...]) -> RetentionRule:
    key, _, names, source_id, keep_days, basis, reason, is_enabled, every_hours, *rest = row
    set_by, set_at, next_run_at = rest
    if key == delivered.kind and set_at is None:
        return msgspec.structs.replace(delivered, next_run_at=next_run_at)
    return msgspec.structs.replace(
        delivered,
        key=key,
        is_extra=key != delivered.kind,
        names=names,
        source_id=source_id,
        keep_days=keep_days,
        basis=basis,
        reason=reason,
        is_enabled=is_enabled,
        every_hours=every_hours,
        set_by=set_by,
        set_at=set_at,
        next_run_at=next_run_at,
    )
