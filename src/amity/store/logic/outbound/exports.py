"""Exports of segments: what is to go where, and the record of every run.

The rows themselves are gathered above the store, which does not know who is in a segment.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.infra import queries
from amity.infra.crypto import decrypt, encrypt
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts_outbound import Export, ExportPlan, ExportRun
from amity.store.destination import Destination, Job, exports_folder, find_destination, type_of

_SQL: Final = queries.load("amity.store")
_MOST_RUNS: Final = 200
KEY: Final = "profile_id"


def create_export(*, plan: ExportPlan, by: str) -> Export:
    """Keep an export, to be run when asked or, with ``every_hours``, by itself from now on.

    Raises Invalid, Denied or NotFound for a plan that cannot work, Conflict when its name is taken.
    """
    clean = _clean(plan)
    find_destination(clean.destination).check(_job(clean))
    fields = msgspec.structs.asdict(clean) | {"by": by, "settings": Jsonb(clean.settings)}
    with transaction() as connection:
        row = connection.execute(_SQL["export_insert"], fields).fetchone()
        if row is None:
            raise _taken(clean.name)
        if clean.secret:
            sealed = encrypt(clean.secret, about=_about(row[0]))
            connection.execute(_SQL["export_set_secret"], [sealed, row[0]])
        return _get(connection, row[0])


def update_export(*, export_id: int, plan: ExportPlan) -> Export:
    """Change what an export brings, where to and how often; a secret of "" stays as it is.

    A run under way ends as it began. Raises as `create_export`.
    """
    kind = find_destination(plan.destination)
    needs_secret = any(field.is_secret for field in kind.fields)
    kept = plan.secret or _secret(export_id)
    clean = _clean(msgspec.structs.replace(plan, secret=kept if needs_secret else ""))
    kind.check(_job(clean))
    sealed = encrypt(clean.secret, about=_about(export_id)) if clean.secret else None
    fields = msgspec.structs.asdict(clean) | {"id": export_id, "sealed": sealed}
    try:
        with transaction() as connection:
            given = fields | {"settings": Jsonb(clean.settings)}
            if connection.execute(_SQL["export_update"], given).fetchone() is None:
                raise _unknown(export_id)
            return _get(connection, export_id)
    except psycopg.errors.UniqueViolation as error:
        raise _taken(clean.name) from error


def try_export(*, export_id: int) -> None:
    """See that what an export writes to can be reached; nothing is written, nobody's data leaves.

    Raises Invalid, Denied or Retryable with what is in the way.
    """
    export = get_export(export_id=export_id)
    job = Job(
        settings=export.settings,
        secret=_secret(export_id),
        columns=tuple(export.columns),
        stem="try",
    )
    kind = find_destination(export.destination)
    kind.check(job)
    kind(job).reach()


def list_exports() -> list[Export]:
    """Return all exports, by name."""
    with transaction() as connection:
        return [_export(row) for row in connection.execute(_SQL["export_read"], {"id": None})]


def get_export(*, export_id: int) -> Export:
    """Return one export; raise NotFound when there is none."""
    with transaction() as connection:
        return _get(connection, export_id)


def switch_export(*, export_id: int, is_enabled: bool) -> Export:
    """Let an export's schedule go on, or stop it."""
    with transaction() as connection:
        connection.execute(_SQL["export_switch"], {"id": export_id, "is_enabled": is_enabled})
        return _get(connection, export_id)


def delete_export(*, export_id: int) -> None:
    """Delete an export and the record of its runs; files it wrote stay until their time is up."""
    with transaction() as connection:
        if connection.execute(_SQL["export_delete"], [export_id]).fetchone() is None:
            raise _unknown(export_id)


def ask_export(*, export_id: int, by: str) -> int:
    """Have an export run soon; return the id of its run. Raises Conflict while one is under way."""
    with transaction() as connection:
        _get(connection, export_id)
        row = connection.execute(_SQL["export_ask"], {"id": export_id, "by": by}).fetchone()
    if row is None:
        raise Conflict("a run of this export is under way already", code="export_running")
    return int(row[0])


def list_export_runs(*, export_id: int | None = None, limit: int = 50) -> list[ExportRun]:
    """Return the latest runs of an export, or of all, the latest first."""
    limit = max(1, min(limit, _MOST_RUNS))
    with transaction() as connection:
        return _read_runs(connection, export_id=export_id, run_id=None, limit=limit)


def get_export_run(*, run_id: int) -> ExportRun:
    """Return one run; raise NotFound when there is none."""
    with transaction() as connection:
        found = _read_runs(connection, export_id=None, run_id=run_id, limit=1)
    if not found:
        raise NotFound(f"there is no run {run_id}")
    return found[0]


def find_export_file(*, run_id: int) -> Path | None:
    """Return the file a run wrote, while it is kept."""
    run = get_export_run(run_id=run_id)
    path = exports_folder() / run.file_name
    return path if run.file_name and path.is_file() else None


class ClaimedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run somebody is at, with all it takes."""

    run_id: int
    export_id: int
    token: int
    attempts: int
    segment_id: int
    purpose: str
    columns: tuple[str, ...]
    destination: str
    settings: dict[str, str]
    sealed: bytes | None
    stem: str

    def open(self) -> Destination:
        """Return the destination, not begun yet."""
        secret = decrypt(self.sealed, about=_about(self.export_id)) if self.sealed else ""
        job = Job(settings=self.settings, secret=secret, columns=self.columns, stem=self.stem)
        return find_destination(self.destination)(job)


def claim_export(*, run_id: int | None = None) -> ClaimedRun | None:
    """Take up the oldest run that waits, or was left by somebody who died; None when there is none.

    Exports whose time has come are asked for first.
    """
    with transaction() as connection:
        connection.execute(_SQL["export_ask_due"])
        row = connection.execute(_SQL["export_claim"], {"id": run_id}).fetchone()
    if row is None:
        return None
    words = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in row[5].lower())
    # Unlike that of an earlier claim, whose owner may not know yet that he has lost it.
    number = f"{row[0]}" if row[2] == 1 else f"{row[0]}-{row[2]}"
    return ClaimedRun(
        run_id=row[0],
        export_id=row[1],
        token=row[2],
        attempts=row[3],
        segment_id=row[6],
        purpose=row[11],
        columns=tuple(row[10]),
        destination=row[7],
        settings=row[8],
        sealed=row[9],
        stem=f"{words.strip('-')[:50] or 'export'}-{row[4]:%Y%m%d}-{number}",
    )


def note_export(
    *, run: ClaimedRun, members: int, done: int, written: int, left_out: Mapping[str, int]
) -> None:
    """Write down how far a run has come; raise Conflict when somebody else has it by now."""
    fields = {
        "id": run.run_id,
        "token": run.token,
        "members": members,
        "done": done,
        "written": written,
        "left_out": Jsonb(dict(left_out)),
    }
    with transaction() as connection:
        if connection.execute(_SQL["export_progress"], fields).fetchone() is None:
            raise Conflict("this run is somebody else's now, or was deleted", code="run_lost")


def end_export(*, run: ClaimedRun, state: str, failure: str = "", file_name: str = "") -> None:
    """Write down how a run ended."""
    fields = {
        "id": run.run_id,
        "token": run.token,
        "state": state,
        "failure": failure[:500],
        "file_name": file_name,
    }
    with transaction() as connection:
        connection.execute(_SQL["export_end"], fields)


def _clean(plan: ExportPlan) -> ExportPlan:
    name = " ".join(plan.name.split())
    if not 0 < len(name) <= 100 or "\0" in name:
        raise Invalid("an export's name has 1 to 100 characters", code="bad_name")
    if not 0 < len(plan.purpose.strip()) <= 100 or "\0" in plan.purpose:
        raise Invalid("say what for: nobody's data leaves without a purpose", code="bad_purpose")
    if plan.every_hours is not None and not 1 <= plan.every_hours <= 8760:
        raise Invalid("a schedule is every 1 to 8760 hours", code="bad_schedule")
    columns = [KEY, *(column for column in dict.fromkeys(plan.columns) if column != KEY)]
    if len(columns) > 100:
        raise Invalid("name at most 100 columns", code="bad_columns")
    for column in columns:
        type_of(column)
    return msgspec.structs.replace(plan, name=name, purpose=plan.purpose.strip(), columns=columns)


def _job(plan: ExportPlan) -> Job:
    return Job(
        settings=plan.settings, secret=plan.secret, columns=tuple(plan.columns), stem="check"
    )


def _secret(export_id: int) -> str:
    with transaction() as connection:
        row = connection.execute(_SQL["export_secret"], [export_id]).fetchone()
    if row is None:
        raise _unknown(export_id)
    return decrypt(bytes(row[0]), about=_about(export_id)) if row[0] else ""


def _read_runs(
    connection: Connection, *, export_id: int | None, run_id: int | None, limit: int
) -> list[ExportRun]:
    rows = connection.execute(
        _SQL["export_runs"], {"export_id": export_id, "id": run_id, "limit": limit}
    )
    names = ExportRun.__struct_fields__
    return [ExportRun(**dict(zip(names, row, strict=True))) for row in rows]


def _get(connection: Connection, export_id: int) -> Export:
    row = None
    if 0 < export_id < 2**63:
        row = connection.execute(_SQL["export_read"], {"id": export_id}).fetchone()
    if row is None:
        raise _unknown(export_id)
    return _export(row)


def _export(row: tuple[Any, ...]) -> Export:
    return Export(**dict(zip(Export.__struct_fields__, row, strict=True)))


def _taken(name: str) -> Conflict:
    return Conflict(f"an export named {name!r} exists already", code="export_exists")


def _unknown(export_id: int) -> NotFound:
    return NotFound(f"there is no export {export_id}")


def _about(export_id: int) -> str:
    return f"export.{export_id}"
