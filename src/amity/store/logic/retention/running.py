"""Runs of the rules: due ones and asked ones, slice by slice, counted as they go.

A slice and its count are one transaction, so a run that dies has counted what it removed, and
whoever comes next carries it on. Two who carry on the same run take turns by its row.
"""

import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, joining, transaction
from amity.kernel.errors import AmityError, Conflict, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_retention import (
    Removal,
    RetentionPreview,
    RetentionRule,
    RetentionRun,
    RetentionSlice,
    RunState,
)
from amity.store.logic.retention.rules import Sweeps, get_retention_rule, list_retention_rules
from amity.store.sweep import Sweep

_SQL: Final = queries.load("amity.store")
_TRIES: Final = 5
_log = logging.getLogger("amity.store.retention")


def preview_retention(sweeps: Sweeps, *, rule: RetentionRule, now: datetime) -> RetentionPreview:
    """Return what a run of a rule, as given, would remove now; nothing is changed."""
    sweep = sweeps[rule.kind]
    before = _before(sweep, rule, now)
    removal, is_capped = sweep.count(rule, before)
    return RetentionPreview(rule_key=rule.key, before=before, removal=removal, is_capped=is_capped)


def run_retention(sweeps: Sweeps, *, key: str, by: str, now: datetime) -> RetentionRun:
    """Run one rule now, to its end, whether it is enabled or not; return what it removed.

    Raises NotFound, and Conflict when its run failed.
    """
    run_id = ask_retention(sweeps, key=key, by=by, now=now)
    while _step(sweeps, run_id, now):
        pass
    run = get_retention_run(run_id=run_id)
    if run.state == "failed":
        raise Conflict(f"the run failed: {run.failure}", code="run_failed")
    return run


def ask_retention(sweeps: Sweeps, *, key: str, by: str, now: datetime) -> int:
    """Begin a run of a rule, which the worker carries out; return its id.

    When one is under way, that one's. Raises NotFound.
    """
    return _begin(sweeps, get_retention_rule(sweeps, key), by, now)


def run_due_retention(sweeps: Sweeps, *, now: datetime) -> int:
    """Take one step: carry on a run, or begin one that is due; 0 when there is nothing to do."""
    with transaction() as connection:
        running = connection.execute(_SQL["retention_running"]).fetchall()
    for run_id, _ in running:
        _step(sweeps, run_id, now)
        return 1
    for rule in list_retention_rules(sweeps):
        if rule.is_enabled and (rule.next_run_at is None or rule.next_run_at <= now):
            _begin(sweeps, rule, "", now)
            return 1
    return 0


def get_retention_run(*, run_id: int) -> RetentionRun:
    """Return one run; raise NotFound."""
    with transaction() as connection:
        found = _read(connection, key="", state="", removing=False, before=None, id=run_id, limit=1)
    if not found:
        raise NotFound(f"there is no run {run_id}")
    return found[0]


def list_retention_runs(
    *,
    key: str = "",
    state: RunState | None = None,
    removing: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[RetentionRun]:
    """Return runs, the latest first; with ``removing`` only those that removed something."""
    before = decode_cursor(cursor, (int,))[0] if cursor else None
    wanted = {"key": key, "state": state or "", "removing": removing, "before": before}
    with transaction() as connection:
        found = _read(connection, **wanted, id=None, limit=limit + 1)
    items = found[:limit]
    more = len(found) > limit
    return Page(items, encode_cursor([items[-1].run_id]) if more else None)


def list_last_retention_runs() -> dict[str, RetentionRun]:
    """Return the last run of each rule, by its key."""
    with transaction() as connection:
        rows = connection.execute(_SQL["retention_last_runs"]).fetchall()
    return {row[1]: _run(row) for row in rows}


def _before(sweep: Sweep, rule: RetentionRule, now: datetime) -> datetime:
    return now - timedelta(days=max(rule.keep_days, sweep.least()))


def _begin(sweeps: Sweeps, rule: RetentionRule, by: str, now: datetime) -> int:
    sweep = sweeps[rule.kind]
    before = _before(sweep, rule, now)
    values = {name: getattr(rule, name) for name in rule.__struct_fields__}
    values |= {"keeps": sweep.keeps_cursor, "next": now + timedelta(hours=rule.every_hours)}
    begun = {"key": rule.key, "by": by, "before": before, "days": rule.keep_days, "now": now}
    with transaction() as connection:
        row = connection.execute(_SQL["retention_begin"], begun).fetchone()
        if row is not None:
            connection.execute(_SQL["retention_due"], values)
            return int(row[0])
        running = {key: run_id for run_id, key in connection.execute(_SQL["retention_running"])}
    return int(running[rule.key]) if rule.key in running else _begin(sweeps, rule, by, now)


def _step(sweeps: Sweeps, run_id: int, now: datetime) -> bool:
    """Take a slice of a run, or what follows its last one; say whether it goes on."""
    began = time.monotonic()
    try:
        taken = _take(sweeps, run_id, began)
        if taken is None:
            return False
        sweep, is_last = taken
        if not is_last or sweep.follow_up(now):
            return True
        _finish(run_id, "finished", now)
    except Exception as error:
        return _note_failure(run_id, error, now)
    return False


def _take(sweeps: Sweeps, run_id: int, began: float) -> tuple[Sweep, bool] | None:
    with transaction() as connection:
        row = connection.execute(_SQL["retention_lock"], [run_id]).fetchone()
        if row is None:
            return None
        key, before, cursor = row
        rule = get_retention_rule(sweeps, key)
        sweep = sweeps[rule.kind]
        if sweep.is_joined:
            with joining(connection):
                made = sweep.take(rule, before, cursor)
            _note(connection, (run_id, key), made, began)
            return sweep, made.is_last
    # What opens its own transactions must not wait for one of ours.
    made = sweep.take(rule, before, cursor)
    with transaction() as connection:
        _note(connection, (run_id, key), made, began)
    return sweep, made.is_last


def _note(connection: Connection, run: tuple[int, str], made: RetentionSlice, began: float) -> None:
    removed = made.removed
    values = {
        "id": run[0],
        "rows": removed.rows,
        "bytes": removed.size_bytes,
        "files": removed.files,
        "tables": msgspec.json.encode(removed.tables).decode(),
        "oldest": removed.oldest_at,
        "newest": removed.newest_at,
        "seconds": time.monotonic() - began,
    }
    connection.execute(_SQL["retention_note"], values)
    connection.execute(_SQL["retention_move"], [made.cursor, run[1]])


def _finish(run_id: int, state: RunState, now: datetime, failure: str = "") -> None:
    values = {"id": run_id, "state": state, "now": now, "failure": failure, "seconds": 0.0}
    with transaction() as connection:
        connection.execute(_SQL["retention_finish"], values)


def _note_failure(run_id: int, error: Exception, now: datetime) -> bool:
    """Count a failure; say whether the run is tried on."""
    # The kind of an error we do not know: its text may quote a customer.
    words = error.message if isinstance(error, AmityError) else type(error).__name__
    _log.warning("retention run %s: %s", run_id, words)
    with suppress(Exception), transaction() as connection:
        row = connection.execute(_SQL["retention_fail"], [words, run_id]).fetchone()
        if row is not None and row[0] < _TRIES:
            return True
    _finish(run_id, "failed", now, words)
    return False


def _read(connection: Connection, **wanted: Any) -> list[RetentionRun]:
    return [_run(row) for row in connection.execute(_SQL["retention_runs"], wanted)]


def _run(row: tuple[Any, ...]) -> RetentionRun:
    run_id, key, state, asked_by, before, days, rows, size, files, tables, *rest = row
    oldest, newest, started_at, finished_at, seconds, failure = rest
    removed = Removal(
        rows=rows,
        size_bytes=size,
        files=files,
        tables=tables,
        oldest_at=oldest,
        newest_at=newest,
    )
    return RetentionRun(
        run_id=run_id,
        rule_key=key,
        state=state,
        asked_by=asked_by,
        before=before,
        keep_days=days,
        removed=removed,
        started_at=started_at,
        finished_at=finished_at,
        worked_seconds=seconds,
        failure=failure,
    )
