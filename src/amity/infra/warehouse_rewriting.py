"""Writing files of the warehouse anew: without erased customers, with rows that changed hands,
fewer and larger, or without what the source has no more.

Each writes the new files first, exchanges them in the manifest in one transaction, and deletes the
old ones after its commit.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from amity.infra.database import Connection, transaction
from amity.infra.warehouse import SQL, VERSION, WRITTEN, Export, Shape, load_shapes
from amity.infra.warehouse_files import (
    FileRow,
    PartWriter,
    add_files,
    delete_files,
    drop_files,
    list_files,
    read_batches,
    sweep,
)
from amity.infra.warehouse_turns import draw_token, turn
from amity.kernel.errors import Unavailable

LARGE_BYTES: Final = 128 * 2**20
"""A file so large is not put together with others."""
MANY_FILES: Final = 32
GRACE_SECONDS: Final = 60.0

Change = Callable[[pa.Table], pa.Table]


def forget(profile_ids: Sequence[int]) -> dict[str, int]:
    """Write the files with rows of these profiles anew without them; return how many went.

    It returns when the old files are deleted. Raises Unavailable when the writer does not come
    to an end within a minute.
    """
    token = draw_token()
    ids = pa.array(sorted(profile_ids), pa.int64())
    counts: dict[str, int] = {}
    old: list[FileRow] = []
    with turn() as connection:
        if connection is None:
            raise Unavailable("the warehouse is being written; the worker erases as soon as it can")
        for name, shape in load_shapes(connection).items():
            if not shape.subject:
                continue
            held = _holding(list_files(connection, name), shape, profile_ids)
            change = _without([shape.subject, *shape.others], ids)
            new = _rewrite(name, shape, held, change, token=token)
            counts[f"warehouse_{name}"] = sum(f.rows for f in held) - sum(f.rows for f in new)
            _exchange(connection, held, new)
            old += held
    delete_files(old)
    with turn() as connection:
        if connection is not None:
            sweep(connection)
            connection.execute(SQL["warehouse_answered"], [list(profile_ids)])
    return counts


def forget_asked() -> int:
    """Carry out erasures whose process died before it came to the files; return how many."""
    with transaction() as connection:
        asked = connection.execute(SQL["warehouse_asked"], [GRACE_SECONDS]).fetchall()
    for _, profile_ids in asked:
        forget(profile_ids)
    return len(asked)


def move(
    connection: Connection, export: Export, subjects: Sequence[int], *, token: int
) -> tuple[list[FileRow], list[FileRow]]:
    """Give rows of some subjects to whom they belong by now; return old files and new ones.

    What the source has no more goes. The caller exchanges the files in the manifest.
    """
    shape = export.shape
    held = _holding(list_files(connection, export.name), shape, subjects)
    if shape.changes:
        # Their rows are in the new slice; what older ones say of others must not stay with them.
        change = _without([shape.subject], pa.array(sorted(subjects), pa.int64()))
        return held, _rewrite(export.name, shape, held, change, token=token)
    owners = connection.execute(export.owners, {"subjects": list(subjects)}).fetchall()
    ids = pa.array(sorted(subjects), pa.int64())
    known = pa.table(
        {
            shape.key: pa.array([row[0] for row in owners], pa.int64()),
            "_owner": pa.array([row[1] for row in owners], pa.int64()),
        }
    )
    change = _with_owners(shape, ids, known)
    return held, _rewrite(export.name, shape, held, change, token=token)


def compact(*, many: int = MANY_FILES) -> int:
    """Put the files of days that lie in many together; return how many files fewer there are.

    Of tables whose rows change, what a later version stands in for is left out.
    """
    with transaction() as connection:
        names = list(load_shapes(connection))
    return sum(_compact_table(name, many) for name in names)


def _compact_table(name: str, many: int) -> int:
    token = draw_token()
    with turn() as connection:
        if connection is None:
            return 0
        shape = load_shapes(connection).get(name)
        given = {"name": name, "many": max(many, 2), "large": LARGE_BYTES}
        days = [row[0] for row in connection.execute(SQL["warehouse_crowded"], given)]
        if not days or shape is None:
            return 0
        files = list_files(connection, name)
        change = _latest(shape, files) if shape.changes else _same
        old: list[FileRow] = []
        new: list[FileRow] = []
        for day in days:
            small = [f for f in files if f.day == day and f.size_bytes < LARGE_BYTES]
            new += _join(name, shape, small, change, token=token)
            old += small
        _exchange(connection, old, new)
    delete_files(old)
    return len(old) - len(new)


def prune(connection: Connection, export: Export, keys: pa.Array, *, token: int) -> list[FileRow]:
    """Take out rows whose key is not among ``keys``, all there are at the source.

    Of tables whose rows change, files with little in them that still holds are written anew too.
    Exchanges the files in the caller's transaction, and returns the old ones, to be deleted after
    its commit.
    """

    shape = export.shape
    # What went a day ago is seen in the source by everybody, and from here on in the files.
    connection.execute(SQL["warehouse_gone_is_known"], [export.name])
    files = list_files(connection, export.name)
    latest = _latest(shape, files) if shape.changes and files else _same

    def change(table: pa.Table) -> pa.Table:
        return latest(table.filter(pc.is_in(table[shape.key], value_set=keys)))

    wrong = [
        file
        for file in files
        if any(_lacks(batch, export, keys) for batch in _keys_of(file, shape))
        or (shape.changes and _is_stale(file, shape, latest))
    ]
    _exchange(connection, wrong, _rewrite(export.name, shape, wrong, change, token=token))
    return wrong


def renew(export: Export, day: date, columns: Sequence[str]) -> int:
    """Bring some columns of a day's rows to what the source has now; return how many rows that is.

    For rows that never change but for what retention takes out of them. Rows the source has no
    more stay as they are. Raises Unavailable when another writer does not come to an end.
    """
    token = draw_token()
    with turn() as connection:
        if connection is None:
            raise Unavailable("the warehouse is being written; this is tried again")
        held = [file for file in list_files(connection, export.name) if file.day == day]
        new = [
            made
            for file in held
            for made in _rewrite(
                export.name,
                export.shape,
                [file],
                _as_now(connection, export, file, columns),
                token=token,
            )
        ]
        _exchange(connection, held, new)
    delete_files(held)
    return sum(file.rows for file in new)


def _as_now(
    connection: Connection, export: Export, file: FileRow, columns: Sequence[str]
) -> Change:
    """Return what puts the source's values of some text columns into rows of a file."""
    shape = export.shape
    chosen = ", ".join(WRITTEN[shape.columns[name]].format(f'r."{name}"') for name in columns)
    head = f'SELECT r."{shape.key}", {chosen} FROM ('.encode()  # noqa: S608  # our own names
    query = head + export.rows + f') AS r WHERE r."{shape.key}" = ANY (%(keys)s)'.encode()

    def change(table: pa.Table) -> pa.Table:
        keys = table[shape.key].combine_chunks()
        given = {"after": file.after, "upto": file.upto, "limit": None, "keys": keys.to_pylist()}
        rows = connection.execute(query, given).fetchall()
        at = pc.index_in(keys, value_set=pa.array([row[0] for row in rows], keys.type))
        for place, name in enumerate(columns, 1):
            now = pc.take(pa.array([row[place] for row in rows], pa.string()), at)
            index = table.column_names.index(name)
            made = pc.if_else(pc.is_valid(at), now, table[name].combine_chunks())
            table = table.set_column(index, table.schema.field(name), made)
        return table

    return change


def _keys_of(file: FileRow, shape: Shape) -> Iterable[pa.RecordBatch]:
    return read_batches(file, [shape.key])


def _lacks(batch: pa.RecordBatch, export: Export, keys: pa.Array) -> bool:
    return not pc.all(pc.is_in(batch[export.shape.key], value_set=keys)).as_py()


def _is_stale(file: FileRow, shape: Shape, latest: Change) -> bool:
    """Say whether of more than half of a file's rows there is a later version."""
    read = read_batches(file, [shape.key, shape.present, VERSION])
    kept: int = sum(latest(pa.Table.from_batches([batch])).num_rows for batch in read)
    return kept * 2 < file.rows


def _holding(files: list[FileRow], shape: Shape, subjects: Sequence[int]) -> list[FileRow]:
    """Return the files with rows of some subjects; most are told by their bounds alone."""
    wanted = pa.array(sorted(subjects), pa.int64())
    columns = [shape.subject, *shape.others]

    def may_hold(file: FileRow) -> bool:
        if shape.others:
            return True
        if file.least_subject is None or file.greatest_subject is None:
            return False
        return any(file.least_subject <= each <= file.greatest_subject for each in subjects)

    def holds(file: FileRow) -> bool:
        return may_hold(file) and any(
            pc.any(_is_about(batch, columns, wanted)).as_py()
            for batch in read_batches(file, columns)
        )

    return [file for file in files if holds(file)]


def _without(columns: Sequence[str], ids: pa.Array) -> Change:
    def change(table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(_is_about(table, columns, ids)))

    return change


def _is_about(rows: pa.Table | pa.RecordBatch, columns: Sequence[str], ids: pa.Array) -> Any:
    """Say of each row whether one of these columns names one of these profiles."""
    named = [pc.is_in(rows[column], value_set=ids) for column in columns]
    return reduce(pc.or_, named)


def _with_owners(shape: Shape, ids: pa.Array, known: pa.Table) -> Change:
    def change(table: pa.Table) -> pa.Table:
        concerned = pc.is_in(table[shape.subject], value_set=ids)
        theirs = table.filter(concerned)
        at = pc.index_in(theirs[shape.key], value_set=known[shape.key].combine_chunks())
        owners = pc.take(known["_owner"], at)
        place = theirs.column_names.index(shape.subject)
        theirs = theirs.set_column(place, shape.subject, owners).filter(pc.is_valid(at))
        return pa.concat_tables([table.filter(pc.invert(concerned)), theirs])

    return change


def _latest(shape: Shape, files: list[FileRow]) -> Change:
    """Return what keeps the latest rows of each key, and of those that are gone only what still
    hides older rows."""
    read = [
        pa.Table.from_batches([batch])
        for file in files
        for batch in read_batches(file, [shape.key, shape.present, VERSION])
    ]
    every = pa.concat_tables(read)
    heads = every.group_by(shape.key).aggregate([(VERSION, "max"), (shape.present, "count")])
    keys = heads[shape.key].combine_chunks()
    latest, rows = heads[f"{VERSION}_max"], heads[f"{shape.present}_count"]

    def change(table: pa.Table) -> pa.Table:
        at = pc.index_in(table[shape.key], value_set=keys)
        holds = pc.equal(table[VERSION], pc.take(latest, at))
        is_needed = pc.or_(pc.is_valid(table[shape.present]), pc.greater(pc.take(rows, at), 0))
        return table.filter(pc.and_(holds, is_needed))

    return change


def _same(table: pa.Table) -> pa.Table:
    return table


def _rewrite(
    name: str, shape: Shape, files: Sequence[FileRow], change: Change, *, token: int
) -> list[FileRow]:
    return [new for file in files for new in _join(name, shape, [file], change, token=token)]


def _join(
    name: str, shape: Shape, files: Sequence[FileRow], change: Change, *, token: int
) -> list[FileRow]:
    """Write one file with the changed rows of several of one day; none when no row is left."""
    after, upto = min(f.after for f in files), max(f.upto for f in files)
    writer = PartWriter(name, shape, files[0].day, span=(after, upto, token))
    try:
        for file in files:
            for batch in read_batches(file):
                table = change(pa.Table.from_batches([batch]))
                if table.num_rows:
                    writer.write(table)
        if writer.rows:
            return [writer.finish()]
        writer.abandon()
    except BaseException:
        writer.abandon()
        raise
    return []


def _exchange(connection: Connection, old: Sequence[FileRow], new: Sequence[FileRow]) -> None:
    if old or new:
        drop_files(connection, old)
        add_files(connection, new)


def source_keys(connection: Connection, export: Export, upto: int) -> pa.Array:
    """Return the keys of all rows at the source."""
    kind: Any = pa.int64() if export.shape.columns[export.shape.key] == "integer" else pa.string()
    key = WRITTEN[export.shape.columns[export.shape.key]].format(f'k."{export.shape.key}"')
    wanted = f"SELECT DISTINCT {key} FROM (".encode()  # noqa: S608  # our names
    rows = connection.execute(wanted + export.source + b") AS k", {"upto": upto}).fetchall()
    return pa.array([row[0] for row in rows], kind)
