"""The catalogue of metrics: what holds, its versions, and what changing one changes."""

import re
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from amity.analysis.contracts_metrics import Metric, MetricDefinition
from amity.analysis.logic.measuring.builtin import BUILT_IN
from amity.analysis.logic.measuring.computing import check_definition, parts_of, users_of
from amity.infra.database import Connection, transaction
from amity.infra.queries import load
from amity.kernel.errors import Conflict, Invalid, NotFound

_SQL: Final = load("amity.analysis")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_DECODER: Final = msgspec.json.Decoder(MetricDefinition)


def list_metrics(connection: Connection | None = None) -> list[Metric]:
    """Return the metrics that hold: the built-in ones first, each in its latest version."""
    with nullcontext(connection) if connection else transaction("readonly") as reading:
        latest = _latest(reading)
    found = [latest.get(name) or _built_in(name) for name in BUILT_IN]
    own = [metric for name, metric in latest.items() if name not in BUILT_IN]
    return [metric for metric in [*found, *own] if not metric.is_retired]


def definitions(connection: Connection | None = None) -> dict[str, MetricDefinition]:
    """Return what holds, by name."""
    return {metric.name: metric.definition for metric in list_metrics(connection)}


def list_versions(*, name: str, connection: Connection | None = None) -> list[Metric]:
    """Return all versions of a metric, the latest first; raise NotFound when there is none."""
    with nullcontext(connection) if connection else transaction("readonly") as reading:
        rows = reading.execute(_SQL["metric_versions"], {"name": name}).fetchall()
    found = [_metric(row) for row in rows]
    if name in BUILT_IN:
        found.append(_built_in(name))
    if not found:
        raise NotFound(f"there is no metric {name!r}", code="no_metric")
    return found


def read_definition(given: dict[str, Any]) -> MetricDefinition:
    """Read a definition; raise Invalid saying what is wrong with it."""
    try:
        return _DECODER.decode(msgspec.json.encode(given))
    except msgspec.ValidationError as error:
        raise Invalid(f"the metric cannot be read: {error}", code="bad_metric") from None


def keep_version(  # one argument a column
    connection: Connection,
    *,
    name: str,
    definition: MetricDefinition,
    is_retired: bool,
    by: str,
    now: datetime,
) -> Metric:
    """Write a new version, in the caller's transaction; raise Invalid or Conflict if it cannot."""
    known = definitions(connection)
    if not _NAME.fullmatch(name):
        raise Invalid("a metric's name has small letters, digits and _ only", code="bad_name")
    check_definition(name, definition, known)
    if is_retired and (users := users_of(name, known)):
        raise Conflict(f"{', '.join(users)} are made of it", code="in_use")
    given = {
        "name": name,
        "definition": Jsonb(msgspec.to_builtins(definition)),
        "is_retired": is_retired,
        "by": by,
        "now": now,
    }
    try:
        row = connection.execute(_SQL["metric_insert"], given).fetchone()
    except errors.UniqueViolation:
        raise Conflict("somebody else changed it at the same time; look again") from None
    assert row is not None
    return _metric(row)


def needed_for(name: str, known: dict[str, MetricDefinition]) -> dict[str, MetricDefinition]:
    """Return a metric and all it is made of."""
    found: dict[str, MetricDefinition] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in known and one not in found:
            found[one] = known[one]
            waiting += parts_of(known[one])
    return found


def _latest(connection: Connection) -> dict[str, Metric]:
    rows = connection.execute(_SQL["metrics_latest"]).fetchall()
    return {row[0]: _metric(row) for row in rows}


def _metric(row: tuple[Any, ...]) -> Metric:
    return Metric(
        name=row[0],
        version=row[1],
        definition=msgspec.convert(row[2], MetricDefinition),
        is_retired=row[3],
        changed_by=row[4],
        changed_at=row[5],
    )


def _built_in(name: str) -> Metric:
    return Metric(
        name=name,
        version=0,
        definition=BUILT_IN[name],
        is_retired=False,
        changed_by="Amity",
        changed_at=None,
    )
