"""Pulls: databases that are asked for what is new, from the first look at one to its record."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.crypto import decrypt, encrypt
from amity.infra.database import transaction
from amity.kernel.errors import AmityError, Conflict, Invalid, NotFound
from amity.store.connector import Connector, find_connector
from amity.store.contracts import ImportPreview
from amity.store.contracts_doors import Door
from amity.store.contracts_pulling import Pull, PullColumn, PullPlan, PullTable
from amity.store.logic.importing.cells import cell_text
from amity.store.logic.importing.imports import describe_columns, require_source, try_rows
from amity.store.logic.importing.layout import RawRow, check_headings
from amity.store.logic.importing.mapping import check_mapping, guess_mapping
from amity.store.logic.pulling.address import Address, read_address
from amity.store.logic.pulling.database import Asked, Database, PullFailed
from amity.store.logic.pulling.mysql import MySQL
from amity.store.logic.pulling.position import Position, describe_position
from amity.store.logic.pulling.postgresql import PostgreSQL
from amity.store.logic.pulling.sqlite import SQLite

_SQL: Final = queries.load("amity.store")
_USE: Final = "pull"
DOOR: Final = Door(
    name="databases",
    title="Databases",
    description="Tables of PostgreSQL, MySQL, MariaDB and SQLite, asked again and again for what "
    "is new.",
    needs="An account that may only read, and a column that grows with every change",
    steps=(
        "Make an account at the database that may read the table and nothing else.",
        "Open its host to Amity with AMITY_EGRESS_ALLOW when it is in your own network.",
        "Add the database with its address; it is tried at once and kept encrypted.",
        "Choose the table, what a row is and the column that grows with every change; see what "
        "the first rows become, and start.",
    ),
)
_LOOKED_AT: Final = 50
_NAME_LENGTH: Final = 100
_ENGINES: Final[dict[str, type[Database]]] = {
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "sqlite": SQLite,
}


def create_pull(*, name: str, address: str, source_id: int, by: str = "") -> Pull:
    """Record a database once it has let us in; what is read of it, `configure_pull` says.

    The address is sealed and never shown again. Raises Invalid when it is none or the database
    does not let us in (with its words), Denied when its host may not be called, Conflict when
    the name is taken, NotFound without the source.
    """
    clean = name.strip()
    if not clean or len(clean) > _NAME_LENGTH:
        raise Invalid(f"a pull has a name of at most {_NAME_LENGTH} letters", code="bad_name")
    place = _try_address(address)
    with transaction() as connection:
        require_source(connection, source_id)
        values = _sealed(address, place) | {"name": clean, "source_id": source_id, "created_by": by}
        row = connection.execute(_SQL["pull_add"], values).fetchone()
    if row is None:
        raise Conflict(f"a pull named {clean!r} exists already", code="pull_exists")
    return get_pull(pull_id=row[0])


def reconnect_pull(*, pull_id: int, address: str) -> Pull:
    """Let a pull go on at another address of the same data, or with another password."""
    get_pull(pull_id=pull_id)
    values = _sealed(address, _try_address(address)) | {"pull_id": pull_id}
    with transaction() as connection:
        connection.execute(_SQL["pull_reconnect"], values)
    return get_pull(pull_id=pull_id)


def _try_address(text: str) -> Address:
    place = read_address(text)
    with _opened(place) as database:
        database.list_tables()
    return place


def _sealed(address: str, place: Address) -> dict[str, Any]:
    return {"connection": encrypt(address.strip(), about=_USE), "address": place.describe()}


def configure_pull(*, pull_id: int, plan: PullPlan) -> Pull:
    """Say what is read, how often and as what; it is read from the next turn of the worker on.

    With another table, cursor or key than before it is read from its beginning; what was in
    before is known by its message ids and not taken twice. Raises Invalid with every problem.
    """
    with open_pull(pull_id) as database:
        table, columns = _find_table(database, plan)
    kind = find_connector(plan.connector)
    mapping = _choose_mapping(kind, plan, columns)
    problems = _check_plan(plan, columns)
    problems += check_mapping(kind, [column.name for column in columns], mapping)
    if problems:
        raise Invalid(" ".join(problems), code="bad_plan")
    values = msgspec.structs.asdict(plan) | {
        "pull_id": pull_id,
        "schema": table.schema,
        "mapping": Jsonb(mapping),
    }
    with transaction() as connection:
        connection.execute(_SQL["pull_configure"], values)
    return get_pull(pull_id=pull_id)


def _find_table(database: Database, plan: PullPlan) -> tuple[PullTable, list[PullColumn]]:
    for table in database.list_tables():
        if (table.schema, table.name) == (plan.schema, plan.relation):
            return table, database.list_columns(table)
    label = PullTable(schema=plan.schema, name=plan.relation).label
    raise NotFound(f"there is no table or view {label!r} that can be read")


def _check_plan(plan: PullPlan, columns: list[PullColumn]) -> list[str]:
    names = {column.name: column for column in columns}
    problems = [
        f"There is no column {name!r}; there are {', '.join(names)}."
        for name in (plan.cursor_column, *plan.key_columns)
        if name not in names
    ]
    if problems:
        return problems
    primary = [column.name for column in columns if column.key_place]
    if not plan.key_columns and primary != [plan.cursor_column]:
        problems.append(
            f"Rows with the same {plan.cursor_column!r} must be told apart: name a key column."
        )
    if names[plan.cursor_column].kind == "other":
        kind = names[plan.cursor_column].type
        problems.append(f"{plan.cursor_column!r} is {kind}: no time and no number that grows.")
    if not 60 <= plan.interval_seconds <= 604_800:
        problems.append("A pull runs at most each minute and at least each week.")
    if not 0 <= plan.overlap <= 2_000_000_000:
        problems.append("A run goes back by nothing or more.")
    return problems


def _choose_mapping(
    kind: type[Connector], plan: PullPlan, columns: list[PullColumn]
) -> dict[str, str]:
    """Return the plan's mapping, or one guessed from the names.

    Of the extras of an order none is kept unasked: an order whose status changed would be another
    content under the same id. And where a row can say since when it is true, the cursor says it.
    """
    if plan.mapping is not None:
        return plan.mapping
    mapping = guess_mapping(kind, [column.name for column in columns])
    if kind.group_by:
        return {
            name: "" if field.startswith(f"{kind.extras}.") else field
            for name, field in mapping.items()
        }
    cursor = next((column for column in columns if column.name == plan.cursor_column), None)
    if cursor and cursor.kind == "time" and any(f.name == "updated_at" for f in kind.fields):
        mapping = {n: f"{kind.extras}.{n}" if f == "updated_at" else f for n, f in mapping.items()}
        mapping[cursor.name] = "updated_at"
    return mapping


def list_pulls() -> list[Pull]:
    """Return all pulls, by name."""
    with transaction() as connection:
        return [_pull(row) for row in connection.execute(_SQL["pull_get"], {"pull_id": None})]


def get_pull(*, pull_id: int) -> Pull:
    """Return a pull; raise NotFound when there is none."""
    with transaction() as connection:
        row = connection.execute(_SQL["pull_get"], {"pull_id": pull_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no pull {pull_id}")
    return _pull(row)


def _pull(row: tuple[Any, ...]) -> Pull:
    values = dict(zip(Pull.__struct_fields__, row, strict=True))
    position = values["position"]
    found = msgspec.convert(position, Position) if position else None
    values["position"] = describe_position(found)
    return msgspec.convert(values, Pull)


def pause_pull(*, pull_id: int) -> Pull:
    """Ask a database no more until it is resumed; a page that is being read still comes in."""
    return _change("pull_pause", pull_id)


def resume_pull(*, pull_id: int) -> Pull:
    """Ask a database again, at once and then as often as before; raise Conflict for a draft."""
    if get_pull(pull_id=pull_id).state == "draft":
        raise Conflict("say first what is read of this database")
    return _change("pull_resume", pull_id)


def rewind_pull(*, pull_id: int) -> Pull:
    """Have the next run read from the beginning; what is in already counts as duplicate."""
    return _change("pull_rewind", pull_id)


def _change(name: str, pull_id: int) -> Pull:
    get_pull(pull_id=pull_id)
    with transaction() as connection:
        connection.execute(_SQL[name], {"pull_id": pull_id})
    return get_pull(pull_id=pull_id)


def delete_pull(*, pull_id: int) -> None:
    """Forget a pull and its password; what came in by it stays."""
    get_pull(pull_id=pull_id)
    with transaction() as connection:
        connection.execute(_SQL["pull_delete"], {"pull_id": pull_id})


def list_pull_tables(*, pull_id: int) -> list[PullTable]:
    """Return the tables and views that a pull may read; raise Invalid with the server's words."""
    with open_pull(pull_id) as database:
        return database.list_tables()


def list_pull_columns(*, pull_id: int, schema: str, relation: str) -> list[PullColumn]:
    """Return the columns of one of them; raise NotFound when it is not there."""
    plan = PullPlan(
        schema=schema, relation=relation, cursor_column="", key_columns=[], connector=""
    )
    with open_pull(pull_id) as database:
        return _find_table(database, plan)[1]


def preview_pull(*, pull_id: int, plan: PullPlan) -> ImportPreview:
    """Look at some rows of a table as they would come in; nothing is stored.

    ``problems`` names everything that is in the way of `configure_pull`.
    """
    kind = find_connector(plan.connector)
    with open_pull(pull_id) as database:
        table, columns = _find_table(database, plan)
        names = [column.name for column in columns]
        check_headings(names)
        mapping = _choose_mapping(kind, plan, columns)
        problems = _check_plan(plan, columns) + check_mapping(kind, names, mapping)
        order = [plan.cursor_column] if plan.cursor_column in names else names[:1]
        found = database.read_page(Asked(table=table, columns=names, order=order, limit=_LOOKED_AT))
    rows = [
        RawRow(at, [cell_text(value) for value in row[: len(names)]])
        for at, row in enumerate(found, start=1)
    ]
    examples, row_problems = try_rows(kind, names, mapping, [] if problems else rows)
    return ImportPreview(
        connector=kind.name,
        format="database",
        encoding="",
        delimiter="",
        columns=describe_columns(names, mapping, rows),
        mapping=mapping,
        problems=problems,
        notes=[] if rows else ["There is no row yet whose cursor is filled in."],
        row_problems=row_problems,
        examples=examples,
    )


@contextmanager
def open_pull(pull_id: int) -> Iterator[Database]:
    """Open the database of a pull; its failures become Invalid with its own words."""
    with transaction() as connection:
        row = connection.execute(_SQL["pull_connection"], {"pull_id": pull_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no pull {pull_id}")
    with _opened(read_address(decrypt(bytes(row[0]), about=_USE))) as database:
        yield database


@contextmanager
def _opened(place: Address) -> Iterator[Database]:
    database: Database | None = None
    try:
        database = _ENGINES[place.engine](place)  # type: ignore[call-arg]  # of its subclasses
        yield database
    except PullFailed as failure:
        raise Invalid(tell(failure, place), code="pull_failed") from failure
    finally:
        if database is not None:
            database.close()


def tell(failure: Exception, place: Address | None = None) -> str:
    """Return in one line what went wrong, never with the password in it."""
    if isinstance(failure, AmityError):
        return failure.message[:400]
    words = " ".join(str(failure).split()) or type(failure).__name__
    if place is not None and place.password:
        words = words.replace(place.password, "…")
    return f"the database says: {words}"[:400]
