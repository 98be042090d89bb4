"""Tracking plans: pinning what events should look like, its versions, and what changed."""

from datetime import datetime
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts import SYSTEM_SOURCE_ID
from amity.store.contracts_tracking import (
    ALL_SOURCES,
    Plan,
    PlanDraft,
    PlanField,
    PlanRevision,
)
from amity.store.logic.plans.checking import type_of
from amity.store.logic.plans.rows import plan_of
from amity.store.logic.plans.shapes import get_shape

_SQL: Final = queries.load("amity.store")
_TYPES: Final = ("track", "identify", "page", "screen", "group")
_MOST_FIELDS: Final = 300
_MOST_ALLOWED: Final = 500
_MOST_TEXT: Final = 255
_SURE_RATE: Final = 0.999
_ENOUGH_EVENTS: Final = 20


def pin_plan(*, plan: PlanDraft, by: str, now: datetime, over: int | None = None) -> Plan:
    """Make a plan the live version for its event; collectors hear of it within seconds.

    Raises Invalid for a type without properties, a track without a name, a path twice, a value
    of a type that is not allowed; Conflict when another version than ``over`` is pinned by now.
    """
    with transaction() as connection:
        return pin_in(connection, plan, by=by, now=now, over=over)


def pin_in(
    connection: Connection, plan: PlanDraft, *, by: str, now: datetime, over: int | None = None
) -> Plan:
    """Do as `pin_plan`, in the caller's transaction."""
    check_draft(plan)
    connection.execute(_SQL["lock_plans"])
    key = [plan.type, plan.name, plan.source_id]
    if over is not None:
        row = connection.execute(_SQL["find_live_plan"], key).fetchone()
        if row is None or row[0] != over:
            raise Conflict("another version is pinned by now; look at it first", code="stale_plan")
    connection.execute(_SQL["unpin_plan"], key)
    fields = msgspec.json.encode(plan.fields).decode()
    said = [plan.policy, plan.allows_unknown, plan.description, fields, now, by]
    row = connection.execute(_SQL["insert_plan"], [*key, *said, *key]).fetchone()
    assert row is not None
    return plan_of(row)


def check_draft(plan: PlanDraft) -> None:
    """Raise Invalid with what is wrong with a plan itself."""
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
    for field in plan.fields:
        _check_field(field)


def _check_field(field: PlanField) -> None:
    kinds = {type_of(value) for value in field.allowed}
    if field.types and not kinds <= set(field.types):
        wrong = ", ".join(sorted(kinds - set(field.types)))
        text = (
            f"{field.path} may be a {' or '.join(field.types)}, but an allowed value is a {wrong}"
        )
        raise Invalid(text, code="bad_plan")
    if field.max_length is not None and field.max_length < 1:
        raise Invalid(f"{field.path}: the longest text has at least one character", code="bad_plan")
    if len(field.path) > _MOST_TEXT or len(field.allowed) > _MOST_ALLOWED:
        raise Invalid(
            f"a path has at most {_MOST_TEXT} characters, a list of allowed values "
            f"at most {_MOST_ALLOWED}",
            code="bad_plan",
        )


def revise_plan(*, plan_id: int, revision: PlanRevision, by: str, now: datetime) -> Plan:
    """Make a version that differs from the pinned one as told; the same again when nothing does.

    Raises NotFound; Conflict when ``plan_id`` is not the pinned version any more; Invalid.
    """
    held = get_plan(plan_id=plan_id)
    if not held.is_live:
        raise Conflict("another version is pinned by now; look at it first", code="stale_plan")
    fields = {field.path: field for field in held.fields if field.path not in revision.drop}
    fields |= {field.path: field for field in revision.fields}
    changed = {
        name: value
        for name in ("policy", "allows_unknown", "description")
        if (value := getattr(revision, name)) is not None
    }
    draft = msgspec.structs.replace(draft_of(held), fields=list(fields.values()), **changed)
    if draft == draft_of(held):
        return held
    return pin_plan(plan=draft, by=by, now=now, over=plan_id)


def unpin_plan(*, type: str, name: str, source_id: int = ALL_SOURCES) -> None:
    """Stop enforcing an event's plan; its versions stay. Raises NotFound without a live one."""
    with transaction() as connection:
        unpin_in(connection, type, name, source_id)


def unpin_in(connection: Connection, type: str, name: str, source_id: int) -> None:
    """Do as `unpin_plan`, in the caller's transaction."""
    if not connection.execute(_SQL["unpin_plan"], [type, name, source_id]).rowcount:
        raise NotFound(f"nothing is pinned for {name or type}")


def restore_plan(*, plan_id: int, by: str, now: datetime) -> Plan:
    """Make an earlier version live again, as a new version. Raises NotFound."""
    return pin_plan(plan=draft_of(get_plan(plan_id=plan_id)), by=by, now=now)


def draft_of(plan: PlanDraft) -> PlanDraft:
    """Return what a version says, without which version it is."""
    return PlanDraft(**{name: getattr(plan, name) for name in PlanDraft.__struct_fields__})


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
    if before.description != after.description:
        said.append(f"the description is {after.description or 'empty'!r}")
    old = {field.path: field for field in before.fields}
    new = {field.path: field for field in after.fields}
    said += [f"{path} was added" for path in new.keys() - old.keys()]
    said += [f"{path} was taken out" for path in old.keys() - new.keys()]
    for path in old.keys() & new.keys():
        for part, word in _PARTS.items():
            was, now = getattr(old[path], part), getattr(new[path], part)
            if was != now:
                said.append(f"{path}: {word} was {_say(was)}, is {_say(now)}")
    return sorted(said)


_PARTS: Final = {
    "is_required": "required",
    "types": "type",
    "allowed": "allowed values",
    "format": "format",
    "max_length": "longest",
    "policy": "what is against it",
    "description": "description",
}


def _say(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "any"
    return str(value) if value else "none"
