"""Tracking plans: pinning what events should look like, its versions, and what changed."""

from datetime import datetime
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import ALL_SOURCES, Plan, PlanDraft, PlanField
from amity.store.logic.plans.rows import plan_of
from amity.store.logic.plans.shapes import get_shape

_SQL: Final = queries.load("amity.store")
_TYPES: Final = ("track", "identify", "page", "screen", "group")
_MOST_FIELDS: Final = 300
_SURE_RATE: Final = 0.999
_ENOUGH_EVENTS: Final = 20


def pin_plan(*, plan: PlanDraft, by: str, now: datetime) -> Plan:
    """Make a plan the live version for its event; collectors hear of it within seconds.

    Raises Invalid for a type without properties, a track without a name, a path twice.
    """
    _check(plan)
    with transaction() as connection:
        connection.execute(_SQL["lock_plans"])
        key = [plan.type, plan.name, plan.source_id]
        connection.execute(_SQL["unpin_plan"], key)
        fields = msgspec.json.encode(plan.fields).decode()
        row = connection.execute(
            _SQL["insert_plan"], [*key, plan.policy, plan.allows_unknown, fields, now, by, *key]
        ).fetchone()
    assert row is not None
    return plan_of(row)


def _check(plan: PlanDraft) -> None:
    if plan.type not in _TYPES:
        raise Invalid("a plan is for one of " + ", ".join(_TYPES), code="bad_plan")
    if (plan.type == "track") != bool(plan.name.strip()):
        raise Invalid("a plan names the event of a track, and no other", code="bad_plan")
    if plan.source_id == SYSTEM_SOURCE_ID:
        raise Invalid("Amity's own events have no plan", code="bad_plan")
    paths = [field.path for field in plan.fields]
    if len(set(paths)) != len(paths) or not all(path.strip() for path in paths):
        raise Invalid("each property stands in a plan once, with its path", code="bad_plan")
    if len(paths) > _MOST_FIELDS:
        raise Invalid(f"a plan has at most {_MOST_FIELDS} properties", code="bad_plan")


def unpin_plan(*, type: str, name: str, source_id: int = ALL_SOURCES) -> None:
    """Stop enforcing an event's plan; its versions stay. Raises NotFound without a live one."""
    with transaction() as connection:
        done = connection.execute(_SQL["unpin_plan"], [type, name, source_id])
        if not done.rowcount:
            raise NotFound(f"nothing is pinned for {name or type}")


def restore_plan(*, plan_id: int, by: str, now: datetime) -> Plan:
    """Make an earlier version live again, as a new version. Raises NotFound."""
    held = get_plan(plan_id=plan_id)
    draft = msgspec.convert(
        {name: getattr(held, name) for name in PlanDraft.__struct_fields__}, PlanDraft
    )
    return pin_plan(plan=draft, by=by, now=now)


def get_plan(*, plan_id: int) -> Plan:
    """Return one version of a plan; raise NotFound."""
    with transaction() as connection:
        row = connection.execute(_SQL["get_plan"], [plan_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no plan {plan_id}")
    return plan_of(row)


def list_plans(
    *,
    type: str | None = None,
    name: str | None = None,
    live_only: bool = True,
) -> list[Plan]:
    """Return plans, by event and source, the newest version first."""
    with transaction() as connection:
        rows = connection.execute(
            _SQL["list_plans"], {"type": type, "name": name, "live_only": live_only}
        ).fetchall()
    return [plan_of(row) for row in rows]


def infer_plan(*, type: str, name: str, source_id: int = ALL_SOURCES) -> PlanDraft:
    """Return the plan that what came so far would follow, to be pinned.

    A property is required when at least twenty events came and all had it. Raises NotFound when
    none came.
    """
    shape = get_shape(type=type, name=name, source_id=source_id or None)
    events = next((each.seen for each in shape if not each.path), 0)
    if not events:
        raise NotFound(f"no event {name or type} was seen yet")
    fields = [
        PlanField(
            path=each.path,
            is_required=events >= _ENOUGH_EVENTS
            and each.filled_rate >= _SURE_RATE
            and "[]" not in each.path
            and "." not in each.path,
            types=[word for word, count in each.types.items() if count],  # type: ignore[misc]
        )
        for each in shape
        if each.path
    ]
    return PlanDraft(type=type, name=name, source_id=source_id, fields=fields[:_MOST_FIELDS])


def compare_plans(before: PlanDraft, after: PlanDraft) -> list[str]:
    """Say in sentences what changed from one version of a plan to another."""
    said = []
    if before.policy != after.policy:
        said.append(f"what is against it: {before.policy} became {after.policy}")
    if before.allows_unknown != after.allows_unknown:
        said.append(
            f"unknown properties are {'allowed' if after.allows_unknown else 'no longer allowed'}"
        )
    old = {field.path: field for field in before.fields}
    new = {field.path: field for field in after.fields}
    said += [f"{path} was added" for path in new.keys() - old.keys()]
    said += [f"{path} was taken out" for path in old.keys() - new.keys()]
    for path in old.keys() & new.keys():
        for part in PlanField.__struct_fields__[1:]:
            was, now = getattr(old[path], part), getattr(new[path], part)
            if was != now:
                said.append(f"{path}: {part} was {was!r}, is {now!r}")
    return sorted(said)
