"""`amity warehouse`: the Parquet files analysis reads, and whether they say what the log says."""

import time
from datetime import UTC, datetime

import click

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database


@click.group()
def warehouse() -> None:
    """Export to the warehouse of Parquet files, look at it, compare it with the log."""


@warehouse.command("export")
@click.option("--again", metavar="TABLE", help="Write this table anew, from the beginning.")
@json_option
@needs_database
def export_(*, again: str | None, as_json: bool) -> None:
    """Export what is not in the warehouse yet."""
    from amity.infra.database import transaction
    from amity.infra.warehouse import start_over
    from amity.infra.warehouse_writing import ensure_exports, export_all, sweep_leftovers
    from amity.kernel.errors import NotFound
    from amity.web.warehousing import list_exports

    exports = list_exports()
    began = time.monotonic()
    if again is not None:
        if again not in {export.name for export in exports}:
            raise NotFound(f"the warehouse has no table {again}")
        with transaction() as connection:
            start_over(connection, [again])
    ensure_exports(exports)
    rows = export_all(exports)
    swept = sweep_leftovers()
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        print_json({"rows": rows, "files_swept": swept, "seconds": seconds})
        return
    print_facts([*rows.items(), ("Files swept", swept), ("Seconds", seconds)])


@warehouse.command()
@json_option
@needs_database
def verify(*, as_json: bool) -> None:
    """Compare counts and checksums with the log, and the files with the manifest.

    Exports first what is not in it yet. Exit code 1 when something differs.
    """
    from amity.infra.warehouse_verifying import verify as compare
    from amity.infra.warehouse_writing import ensure_exports
    from amity.store import api as store
    from amity.web.warehousing import list_exports

    exports = list_exports()
    began = time.monotonic()
    ensure_exports(exports)
    done = compare(exports, log_days=store.read_log_days, now=datetime.now(UTC))
    if as_json:
        seconds = round(time.monotonic() - began, 3)
        print_json({"verification": done, "seconds": seconds})
    else:
        print_facts([("Files", done.files), *done.rows.items()])
        click.echo()
        print_table(
            ("TABLE", "DAY", "DIFFERENCE"),
            [(each.table, each.day, each.message) for each in done.differences],
            empty="The warehouse says what its source says.",
        )
    if not done.is_clean:
        raise SystemExit(1)


@warehouse.command()
@json_option
@needs_database
def status(*, as_json: bool) -> None:
    """Show the tables, how large they are and how far they are behind."""
    from amity.infra.warehouse import status as look

    found = look(now=datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    clean = {None: "never", True: "clean", False: "different"}[found.is_clean]
    print_facts(
        [
            ("Folder", found.folder),
            ("Exported by the worker", found.is_on),
            ("Behind (seconds)", found.lag_seconds),
            ("Files", found.files),
            ("Bytes", found.size_bytes),
            ("Last verified", found.verified_at),
            ("  and found", clean),
        ]
    )
    click.echo()
    print_table(
        ("TABLE", "ROWS", "FILES", "DAYS", "BYTES", "BEHIND (SECONDS)"),
        [
            (table.name, table.rows, table.files, table.days, table.size_bytes, table.lag_seconds)
            for table in found.tables
        ],
        empty="Nothing was exported yet.",
    )


@warehouse.command()
@json_option
@needs_database
def compact(*, as_json: bool) -> None:
    """Put small files together, and take out what the source has no more."""
    from amity.infra.warehouse_rewriting import compact as join
    from amity.infra.warehouse_verifying import prune_all
    from amity.infra.warehouse_writing import ensure_exports
    from amity.web.warehousing import list_exports

    exports = list_exports()
    ensure_exports(exports)
    pruned = prune_all(exports)
    fewer = join(many=2)
    if as_json:
        print_json({"files_fewer": fewer, "rows_removed": pruned})
        return
    print_facts([("Files fewer", fewer), *((f"Removed from {n}", c) for n, c in pruned.items())])
