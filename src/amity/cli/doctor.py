"""`amity doctor`: looks an installation over and says what to do."""

import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import click
import msgspec
import psycopg

from amity.cli.supervisor import addresses, is_ready
from amity.infra import database
from amity.infra.config import settings
from amity.kernel.errors import AmityError

Verdict = Literal["ok", "warning", "problem"]
_MINIMUM_SERVER = 150_000
_WAREHOUSE_TURNS = 10


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: how it stands, and what to do when it is not well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def _check_python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok", version)


def _check_folder() -> Iterator[Finding]:
    data = settings().data
    if not data.exists():
        yield Finding(
            "Data folder", "problem", f"{data} does not exist", "start Amity with `amity up`"
        )
        return
    free = shutil.disk_usage(data).free
    total = shutil.disk_usage(data).total
    reserve = settings().disk_reserve_bytes
    reserve = max(2**30, total // 20) if reserve < 0 else reserve
    room = f"{free / 2**30:.1f} GiB free, {reserve / 2**30:.1f} GiB kept in reserve"
    if free < reserve:
        yield Finding(
            "Disk", "problem", room, "free some space: the collector answers 429 until then"
        )
    elif free < 2 * reserve:
        yield Finding("Disk", "warning", room, "plan for more space")
    else:
        yield Finding("Disk", "ok", room)
    secrets = data / "secrets.json"
    if secrets.exists() and stat.S_IMODE(secrets.stat().st_mode) & 0o077:
        yield Finding(
            "Secrets", "problem", f"{secrets} can be read by others", f"chmod 600 {secrets}"
        )


def _check_database() -> Iterator[Finding]:
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
            " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
            " abs(extract(epoch FROM clock_timestamp()) - %s)::float8",
            [time.time()],
        ).fetchone()
    assert row is not None
    number, version, is_superuser, drift = row
    if number < _MINIMUM_SERVER:
        yield Finding("PostgreSQL", "problem", version, "use PostgreSQL 15 or newer")
    else:
        yield Finding("PostgreSQL", "ok", version)
    if is_superuser:
        yield Finding(
            "Database role",
            "warning",
            "Amity is connected as a superuser",
            "give DATABASE_URL a role that owns the database and nothing more",
        )
    if drift > 1.0:
        yield Finding(
            "Clocks",
            "warning",
            f"this machine and the database differ by {drift:.1f} s",
            "let both follow a time server",
        )
    unsafe = database.find_unsafe_settings()
    for wrong in unsafe:
        yield Finding(
            "Durability",
            "problem",
            f"{wrong.name} is {wrong.value}",
            f"set {wrong.name} = {wrong.wanted}, or acknowledged events can be lost",
        )
    if not unsafe:
        yield Finding("Durability", "ok", "acknowledged means on disk")


def _check_log() -> Iterator[Finding]:
    from amity.store import api as store

    try:
        log = store.check_log()
    except psycopg.errors.UndefinedTable:
        yield Finding("Schema", "problem", "the database is empty", "start Amity with `amity up`")
        return
    yield Finding("Schema", "ok", "in place")
    if not log.is_tomorrow_ready:
        yield Finding(
            "Log partitions",
            "warning",
            "tomorrow's is not there",
            "is the worker running? it makes them a week ahead",
        )
    if log.is_ahead:
        yield Finding(
            "Log order",
            "problem",
            "the log holds transaction numbers of another server (a restored dump?)",
            "see docs/how-to/restore.md before serving",
        )


def _check_processes() -> Iterator[Finding]:
    for name, url in addresses(settings()).items():
        if is_ready(f"{url}/health/ready"):
            yield Finding(name.capitalize(), "ok", f"ready at {url}")
        else:
            yield Finding(
                name.capitalize(),
                "warning",
                f"not ready at {url}",
                f"is `amity up` running? its log is {settings().data / 'logs' / name}.log",
            )


def _check_consumers() -> Iterator[Finding]:
    from amity.store import api as store

    for consumer in store.stats().consumers:
        found = f"{consumer.events} events, {consumer.seconds:.0f} s behind"
        late = consumer.seconds > settings().max_lag_seconds
        yield Finding(
            f"Consumer {consumer.name}",
            "warning" if late or consumer.failures else "ok",
            found + (f", {consumer.failures} failures" if consumer.failures else ""),
            "see the worker's log" if late or consumer.failures else "",
        )
    waiting = sum(store.count_quarantine().values())
    if waiting:
        yield Finding(
            "Quarantine",
            "warning",
            f"{waiting} events wait there",
            "look at them with `amity quarantine list` or on the screen Sources",
        )


def _check_warehouse() -> Iterator[Finding]:
    from amity.infra import warehouse

    found = warehouse.status(now=datetime.now(UTC))
    if not found.is_on:
        yield Finding("Warehouse", "ok", "switched off (AMITY_WAREHOUSE)")
        return
    if found.is_clean is False:
        yield Finding(
            "Warehouse",
            "problem",
            "the last comparison with the log found differences",
            "see `amity warehouse verify`; `amity warehouse export --again TABLE` mends a table",
        )
    late = _WAREHOUSE_TURNS * settings().warehouse_seconds
    if found.lag_seconds is None or found.lag_seconds <= late:
        rows = f"{found.rows} rows in {found.files} files"
        yield Finding("Warehouse", "ok", rows if found.tables else "nothing exported yet")
    else:
        yield Finding(
            "Warehouse",
            "warning",
            f"{found.lag_seconds:.0f} s behind",
            "is the worker running? see its log",
        )


_CHECKS: tuple[Check, ...] = (
    _check_python,
    _check_folder,
    _check_database,
    _check_log,
    _check_processes,
    _check_consumers,
    _check_warehouse,
)


def examine() -> list[Finding]:
    """Look at everything; a check that cannot be made is itself a finding."""
    found: list[Finding] = []
    for check in _CHECKS:
        name = check.__name__.removeprefix("_check_").replace("_", " ").capitalize()
        try:
            found.extend(check())
        except (AmityError, psycopg.Error, OSError) as error:
            found.append(
                Finding(
                    name,
                    "problem",
                    getattr(error, "message", None) or type(error).__name__,
                    "start Amity with `amity up`, then look again",
                )
            )
    return found


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def doctor(*, as_json: bool) -> None:
    """Look this installation over and say what to do; exit code 1 when there is a problem."""
    found = examine()
    if as_json:
        answer: dict[str, Any] = {
            "healthy": all(finding.verdict != "problem" for finding in found),
            "findings": found,
        }
        click.echo(msgspec.json.encode(answer).decode())
    else:
        width = max(len(finding.check) for finding in found)
        for finding in found:
            click.echo(f"{finding.verdict:8}  {finding.check:{width}}  {finding.found}")
            if finding.advice:
                click.echo(f"{'':8}  {'':{width}}  → {finding.advice}")
    if any(finding.verdict == "problem" for finding in found):
        raise SystemExit(1)
