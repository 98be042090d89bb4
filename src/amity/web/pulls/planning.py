"""The form that says what is read of a database: from the form to a plan, and back."""

from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import QueryDict

from amity.kernel.errors import AmityError
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts import ImportPreview
from amity.store.contracts_pulling import Pull, PullColumn, PullPlan, PullTable
from amity.web.errors import sentence
from amity.web.sources.raw import show_raw


def read_plan(form: QueryDict) -> PullPlan:
    """Read a plan out of the form; what is missing is left to the store to name."""
    schema, _, relation = form.get("table", "").partition("\t")
    return PullPlan(
        schema=schema,
        relation=relation,
        cursor_column=form.get("cursor", ""),
        key_columns=[name for name in form.getlist("key") if name],
        connector=form.get("connector", "customers"),
        mapping=_read_mapping(form),
        interval_seconds=_read_number(form.get("minutes", ""), 15) * 60,
        overlap=_read_number(form.get("overlap", ""), 300),
    )


def _read_number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else default


def _read_mapping(form: QueryDict) -> dict[str, str] | None:
    """Read the columns' fields; None while the columns are those of another table or kind."""
    chosen = f"{form.get('table', '')}\t{form.get('connector', '')}\t{form.get('cursor', '')}"
    if form.get("of", "") != chosen:
        return None
    mapping = {}
    for index, column in enumerate(form.getlist("column")):
        field = form.get(f"field.{index}", "")
        if field == "+":
            field = f"{form.get('extras', '')}.{form.get(f'name.{index}', '')}"
        mapping[column] = field.strip()
    return mapping


def show_plan(pull: Pull, form: QueryDict) -> dict[str, Any]:
    """Return what the page shows: tables, columns, guesses, and what the first rows become."""
    context: dict[str, Any] = {"pull": pull, "error": "", "connectors": store.list_connectors()}
    try:
        tables = api_fetching.list_pull_tables(pull_id=pull.pull_id)
    except AmityError as refusal:
        return context | {"error": sentence(refusal), "tables": []}
    plan = read_plan(form) if form.get("table") else _held(pull)
    context["tables"] = [(f"{table.schema}\t{table.name}", table) for table in tables]
    if not plan.relation:
        return context
    try:
        columns = api_fetching.list_pull_columns(
            pull_id=pull.pull_id, schema=plan.schema, relation=plan.relation
        )
        plan = _guess(plan, columns)
        preview = api_fetching.preview_pull(pull_id=pull.pull_id, plan=plan)
    except AmityError as refusal:
        return context | {"error": sentence(refusal)}
    return context | _shown(plan, columns, preview)


def _held(pull: Pull) -> PullPlan:
    return PullPlan(
        schema=pull.schema,
        relation=pull.relation,
        cursor_column=pull.cursor_column,
        key_columns=pull.key_columns,
        connector=pull.connector or "customers",
        mapping=pull.mapping or None,
        interval_seconds=pull.interval_seconds,
        overlap=pull.overlap,
    )


def _guess(plan: PullPlan, columns: list[PullColumn]) -> PullPlan:
    """Fill in what most tables mean: the time of the last change, and the primary key."""
    names = [column.name for column in columns]
    if plan.cursor_column not in names:
        times = [column.name for column in columns if column.kind == "time"]
        changed = [name for name in times if "upd" in name.lower() or "mod" in name.lower()]
        keys = [column.name for column in columns if column.key_place]
        cursor = next(iter(changed + times + keys), names[0])
        plan = msgspec.structs.replace(plan, cursor_column=cursor, key_columns=[], mapping=None)
    if not set(plan.key_columns) <= set(names) or not plan.key_columns:
        primary = sorted((c for c in columns if c.key_place), key=lambda column: column.key_place)
        keys = [column.name for column in primary if column.name != plan.cursor_column]
        plan = msgspec.structs.replace(plan, key_columns=keys)
    return plan


def _shown(plan: PullPlan, columns: list[PullColumn], preview: ImportPreview) -> dict[str, Any]:
    kind = next(each for each in store.list_connectors() if each.name == plan.connector)
    known = {field.name for field in kind.fields}
    table = f"{plan.schema}\t{plan.relation}"
    lines: list[Mapping[str, Any]] = [
        {
            "index": index,
            "column": column,
            "is_extra": column.field.startswith(f"{kind.extras}.") and column.field not in known,
            "extra_name": column.field.removeprefix(f"{kind.extras}."),
        }
        for index, column in enumerate(preview.columns)
    ]
    return {
        "plan": plan,
        "table": table,
        "label": PullTable(schema=plan.schema, name=plan.relation).label,
        "of": f"{table}\t{plan.connector}\t{plan.cursor_column}",
        "kind": kind,
        "choices": columns,
        "columns": lines,
        "preview": preview,
        "minutes": plan.interval_seconds // 60,
        "examples": [show_raw(msgspec.json.encode(event)) for event in preview.examples],
    }
