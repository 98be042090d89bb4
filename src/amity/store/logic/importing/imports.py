"""Imports: files on their way into the log, from the first look at one to its record."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.connector import BadRow, Connector, connectors, find_connector
from amity.store.contracts import (
    Import,
    ImportColumn,
    ImportField,
    ImportKind,
    ImportPreview,
    ImportProblem,
)
from amity.store.logic.importing.files import (
    RawRow,
    count_rows,
    iter_rows,
    read_layout,
)
from amity.store.logic.importing.mapping import check_mapping, guess_mapping, make_row

_LOOKED_AT: Final = 200
_SAMPLES: Final = 3
_PROBLEM_PAGE: Final = 2_000
_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_UNSAFE_NAME: Final = re.compile(r"[^\w.\- ()]+")


def list_connectors() -> list[ImportKind]:
    """Return every kind of file that can be imported, by name."""
    return sorted((_describe(kind) for kind in connectors()), key=lambda info: info.name)


def _describe(kind: type[Connector]) -> ImportKind:
    fields = [
        ImportField(name=field.name, label=field.label, required=field.required, help=field.help)
        for field in kind.fields
    ]
    return ImportKind(
        name=kind.name,
        title=kind.title,
        description=kind.description,
        fields=fields,
        extras=kind.extras,
        sample=kind.sample,
    )


def preview_file(
    *, path: Path, connector: str, mapping: dict[str, str] | None = None
) -> ImportPreview:
    """Look at the first rows of a file as ``connector`` would take them.

    ``mapping`` says for each column which field it is; without it, it is guessed from the
    headings. Raises NotFound for an unknown connector and Invalid for a file that is no table.
    """
    kind = find_connector(connector)
    layout = read_layout(path)
    chosen = guess_mapping(kind, layout.columns) if mapping is None else mapping
    problems = check_mapping(kind, layout.columns, chosen)
    looked_at = []
    for row in iter_rows(path, layout):
        looked_at.append(row)
        if len(looked_at) == _LOOKED_AT:
            break
    examples, row_problems = try_rows(kind, layout.columns, chosen, [] if problems else looked_at)
    return ImportPreview(
        connector=connector,
        format=layout.format,
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        columns=describe_columns(layout.columns, chosen, looked_at),
        mapping=chosen,
        problems=problems or ([] if looked_at else ["The file has headings and no rows."]),
        notes=layout.notes,
        row_problems=row_problems,
        examples=examples,
    )


def describe_columns(
    columns: list[str], mapping: dict[str, str], rows: list[RawRow]
) -> list[ImportColumn]:
    """Return columns with what they are taken for and some of their values."""
    described = []
    for place, name in enumerate(columns):
        values = [row.cells[place] for row in rows if row.cells and row.cells[place]]
        samples = list(dict.fromkeys(values))[:_SAMPLES]
        if name:
            described.append(ImportColumn(name=name, field=mapping.get(name, ""), samples=samples))
    return described


def try_rows(
    kind: type[Connector], columns: list[str], mapping: dict[str, str], rows: list[RawRow]
) -> tuple[list[dict[str, Any]], list[ImportProblem]]:
    """Return the events the first good rows become, and what is wrong with the others."""
    connector = kind(currency=settings().currency)
    examples: list[dict[str, Any]] = []
    problems: list[ImportProblem] = []
    for row in rows:
        if row.problem:
            problems.append(ImportProblem(row=row.number, reason=row.problem))
            continue
        try:
            # One row alone: for orders this shows each line, and lines that do not fit together
            # only show when the file is imported.
            made = connector.make_messages([make_row(columns, mapping, row)])
        except BadRow as error:
            problems.append(ImportProblem(row=error.number, reason=error.reason))
        else:
            examples.extend(made if len(examples) < _SAMPLES else [])
    return examples, problems


def create_import(
    *,
    content: Path | bytes,
    file_name: str,
    connector: str,
    source_id: int,
    mapping: dict[str, str] | None = None,
    by: str = "",
) -> Import:
    """Keep a copy of a file and record it as waiting to be imported.

    Raises Invalid with every problem of the mapping when a needed column is missing, and
    NotFound when the connector or the source is unknown.
    """
    values = {"source_id": source_id, "connector": connector, "created_by": by}
    return _create(content, file_name, values | {"is_dry_run": False}, mapping)


def create_dry_run(
    *,
    content: Path | bytes,
    file_name: str,
    connector: str,
    source_id: int,
    mapping: dict[str, str] | None = None,
    by: str = "",
) -> Import:
    """Do the same for a run that reads every row and stores nothing but what it found.

    `import_checked` imports the file then.
    """
    values = {"source_id": source_id, "connector": connector, "created_by": by}
    return _create(content, file_name, values | {"is_dry_run": True}, mapping)


def _create(
    content: Path | bytes,
    file_name: str,
    values: dict[str, Any],
    mapping: dict[str, str] | None,
) -> Import:
    kind = find_connector(values["connector"])
    draft = import_folder() / f".draft-{os.urandom(8).hex()}"
    try:
        file_hash = _copy(content, draft)
        layout = read_layout(draft)
        chosen = guess_mapping(kind, layout.columns) if mapping is None else mapping
        problems = check_mapping(kind, layout.columns, chosen)
        if problems:
            raise Invalid(" ".join(problems), code="bad_mapping")
        values |= {
            "file_name": _clean_name(file_name),
            "file_hash": file_hash,
            "mapping": Jsonb(chosen),
            "rows_total": count_rows(draft, layout),
        }
        with transaction() as connection:
            require_source(connection, values["source_id"])
            row = connection.execute(_sql("import_add"), values).fetchone()
            assert row is not None
            draft.replace(import_path(row[0]))
    finally:
        draft.unlink(missing_ok=True)
    return get_import(import_id=row[0])


def import_checked(*, import_id: int, by: str = "") -> Import:
    """Import the file of a dry run that is over; raise Conflict when it was none, or goes on."""
    record = get_import(import_id=import_id)
    if not record.is_dry_run or record.state != "finished":
        raise Conflict(f"import {import_id} is not a dry run that went through the whole file")
    path = import_path(import_id)
    if not path.exists():
        raise NotFound("the file is not kept any more; choose it again")
    return create_import(
        content=path,
        file_name=record.file_name,
        connector=record.connector,
        source_id=record.source_id,
        mapping=record.mapping,
        by=by,
    )


def iter_problems(*, import_id: int) -> Iterator[ImportProblem]:
    """Read every row that was left out, by its number, a page at a time.

    Kept for a week after the end of the import, as its file is; raises NotFound.
    """
    get_import(import_id=import_id)
    values = {"import_id": import_id, "after": 0, "after_id": 0, "limit": _PROBLEM_PAGE}
    while True:
        with transaction() as connection:
            rows = connection.execute(_sql("import_problems_list"), values).fetchall()
        yield from (ImportProblem(row=number, reason=reason) for number, reason, _ in rows)
        if len(rows) < _PROBLEM_PAGE:
            return
        values |= {"after": rows[-1][0], "after_id": rows[-1][2]}


def require_source(connection: Connection, source_id: int) -> None:
    """Raise NotFound or Invalid unless rows can be counted for this source."""
    row = connection.execute(_sql("import_exists_source"), {"source_id": source_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no source {source_id}")
    if row[0] == "system":
        raise Invalid("choose a source of your own; this one is for Amity's own events")


def get_import(*, import_id: int) -> Import:
    """Return the record of an import; raise NotFound when there is none."""
    with transaction() as connection:
        row = connection.execute(_sql("import_get"), {"import_id": import_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return _to_import(row)


def list_imports(*, cursor: str | None = None, limit: int = 50) -> Page[Import]:
    """Return imports, the newest first."""
    before = decode_cursor(cursor, (int,))[0] if cursor else None
    with transaction() as connection:
        rows = connection.execute(
            _sql("import_list"), {"before": before, "limit": limit + 1}
        ).fetchall()
    items = [_to_import(row) for row in rows[:limit]]
    more = encode_cursor([items[-1].import_id]) if len(rows) > limit else None
    return Page(items=items, next_cursor=more)


def cancel_import(*, import_id: int) -> Import:
    """Stop an import: what is in stays in. Raises Conflict when it has ended already."""
    with transaction() as connection:
        done = connection.execute(_sql("import_cancel"), {"import_id": import_id}).rowcount
    record = get_import(import_id=import_id)
    if not done and record.state != "cancelled":
        raise Conflict(f"import {import_id} has already {record.state}")
    return record


def import_folder() -> Path:
    """Return the folder that uploaded files are kept in, made when it is not there."""
    folder = settings().data / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def import_path(import_id: int) -> Path:
    """Return where the file of an import is kept."""
    return import_folder() / f"{import_id}.csv"


def _copy(content: Path | bytes, target: Path) -> bytes:
    """Write ``content`` to ``target``, on the disk for sure; return its hash."""
    try:
        with target.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as origin:
                    shutil.copyfileobj(origin, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise Unavailable("there is no room on the disk to keep the file") from error
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _clean_name(name: str) -> str:
    return _UNSAFE_NAME.sub("_", Path(name.replace("\\", "/")).name)[:200] or "file.csv"


def _to_import(row: tuple[Any, ...]) -> Import:
    names = [field.name for field in msgspec.structs.fields(Import)]
    return msgspec.convert(dict(zip(names, row, strict=True)), Import)


def _sql(name: str) -> bytes:
    return queries.load("amity.store")[name]
