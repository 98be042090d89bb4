"""The warehouse's tables in memory: what the exports say, or a test, in a DuckDB of its own."""

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from amity.analysis.logic.batch.engines import DUCKDB
from amity.infra.database import Connection
from amity.infra.warehouse import WRITTEN, Export
from amity.infra.warehouse_files import schema_of
from amity.rules import PROFILE_FIELDS, Subject
from amity.store import api as store

_EVERYTHING: Final = 2**62
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_KINDS: Final = {"number": pa.int64(), "text": pa.string(), "instant": _INSTANT}
_PROFILES: Final = pa.schema(
    {"profile_id": pa.int64(), "root_id": pa.int64(), "merged_into": pa.int64()}
    | {"traits": pa.string(), "consents": pa.string()}
    | {
        "revenue_minor" if name == "revenue" else name: _KINDS[kind]
        for name, kind in PROFILE_FIELDS.items()
    }
)
_EVENTS: Final = pa.schema(
    {"origin_id": pa.int64(), "name": pa.string(), "occurred_at": _INSTANT}
    | {"properties": pa.string()}
)

_TOLD: Final = ("currency", "total_minor", "refunded_minor", "items")
_ORDERS: Final = pa.schema(
    {"profile_id": pa.int64(), "placed_at": _INSTANT, "currency": pa.string()}
    | dict.fromkeys(_TOLD[1:], pa.int64())
    | {"is_refunded": pa.bool_(), "is_cancelled": pa.bool_()}
)


def open_memory() -> duckdb.DuckDBPyConnection:
    """Return DuckDB set up as the warehouse's reader has it."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    for statement in DUCKDB.prelude:
        connection.execute(statement)
    return connection


def fill(duck: duckdb.DuckDBPyConnection, connection: Connection, *exports: Export) -> None:
    """Put into tables what the warehouse would hold when it has come to the end."""
    for export in exports:
        rows = connection.execute(_plain(export), {"upto": _EVERYTHING, "after": 0}).fetchall()
        schema = pa.schema([schema_of(export.shape).field(name) for name in export.shape.columns])
        put(duck, export.name, schema, rows)


def put(
    duck: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, rows: Sequence[Sequence[Any]]
) -> None:
    """Make a table of these rows, in place of what it was; instants may be microseconds."""
    columns: list[Any] = list(zip(*rows, strict=True)) or [[] for _ in schema]
    arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    duck.register("found", pa.Table.from_arrays(arrays, schema=schema))
    duck.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM found')  # noqa: S608
    duck.unregister("found")


def _array(column: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind) and any(isinstance(value, int) for value in column):
        return pa.array(column, pa.int64()).cast(kind)
    return pa.array(column, kind)


def put_people(duck: duckdb.DuckDBPyConnection, people: Sequence[Subject]) -> None:
    """Put people of `rules_world` there, the profile's number being the place in the list."""
    put(duck, "profiles", _PROFILES, [_person(i, each) for i, each in enumerate(people)])
    happened = [
        (i, name, at, msgspec.json.encode(properties).decode())
        for i, person in enumerate(people)
        for name, times in person.history.items()
        for at, properties in times
    ]
    put(duck, "events", _EVENTS, happened)
    placed = [
        (i, order.placed_at, *(getattr(order, name) for name in _TOLD), False, False)
        for i, person in enumerate(people)
        for order in person.orders
    ]
    put(duck, "orders", _ORDERS, placed)


def _person(place: int, person: Subject) -> tuple[Any, ...]:
    consents = {purpose: {"status": "granted"} for purpose in person.consents}
    json = [msgspec.json.encode(each).decode() for each in (person.traits, consents)]
    fields = [
        person.fields.get("revenue") and person.fields["revenue"] * store.minor_units()
        if name == "revenue"
        else person.fields.get(name)
        for name in PROFILE_FIELDS
    ]
    return place, place, None, *json, *fields


def _plain(export: Export) -> bytes:
    columns = [WRITTEN[kind].format(f'r."{name}"') for name, kind in export.shape.columns.items()]
    return f"SELECT {', '.join(columns)} FROM (".encode() + export.source + b") AS r"  # noqa: S608
