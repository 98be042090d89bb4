"""`amity import`: a file becomes events, in the foreground."""

import csv
import time
from pathlib import Path
from typing import Any, Final

import click

from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.progress import Progress
from amity.cli.running import needs_database
from amity.kernel.cells import guard_cell
from amity.kernel.errors import AmityError, Conflict
from amity.store.contracts import Import

_POLL_SECONDS: Final = 0.3


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--connector",
    required=True,
    help="What the rows are: customers, orders, events …",
)
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="Which field a column is; may be repeated. Without it, the headings are read.",
)
@click.option("--source", "source_name", required=True, help="The source they come in by.")
@click.option("--dry-run", is_flag=True, help="Read every row and store nothing.")
@click.option(
    "--problems",
    "problems_to",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write every row that was left out, with the reason, to this CSV file.",
)
@json_option
@needs_database
def import_file(
    file: Path,
    connector: str,
    pairs: tuple[str, ...],
    *,
    source_name: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Import the rows of FILE: CSV, Excel, Parquet, JSON lines, or CSV files in a ZIP archive.

    Good rows come in; bad ones are listed with their reasons. Importing the same file again adds
    nothing.
    """
    from amity.cli.source import find
    from amity.store import api

    dry_run, problems_to = options["dry_run"], options["problems_to"]
    create = api.create_dry_run if dry_run else api.create_import
    made = create(
        content=file,
        file_name=file.name,
        connector=connector,
        source_id=find(source_name).source_id,
        mapping=read_pairs(pairs) if pairs else None,
        by="command line",
    )
    with Progress(f"{'Trying' if dry_run else 'Importing'} {file.name}") as progress:
        done = _bring_in(made, progress)
    if problems_to is not None:
        _write_problems(done, problems_to)
    if as_json:
        print_json(done)
    else:
        _print_import(done)
    if done.state == "failed":
        raise AmityError(f"the import failed: {done.failure}", code="import_failed")


def _bring_in(made: Import, progress: Progress) -> Import:
    """Run the import here, or watch the worker do it when it was quicker to take it."""
    from amity.store import api

    def show(now: Import) -> None:
        progress.update(now.rows_done, now.rows_total or 0)

    while True:
        try:
            return api.run_import(import_id=made.import_id, progress=show)
        except Conflict:
            now = api.get_import(import_id=made.import_id)
            if now.state not in ("waiting", "running"):
                return now
            show(now)
            time.sleep(_POLL_SECONDS)


def read_pairs(pairs: tuple[str, ...], *, option: str = "--map") -> dict[str, str]:
    """Return what stands for what, from texts LEFT=RIGHT such as COLUMN=FIELD."""
    mapping = {}
    for pair in pairs:
        # The last `=`: a column's heading may hold one, a field's name never does.
        column, sign, field = pair.rpartition("=")
        if not (sign and column and field):
            raise click.BadParameter(f"{pair!r} is not LEFT=RIGHT", param_hint=option)
        mapping[column] = field
    return mapping


def _write_problems(done: Import, path: Path) -> None:
    from amity.store import api

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "reason"])
        for problem in api.iter_problems(import_id=done.import_id):
            writer.writerow([problem.row, guard_cell(problem.reason)])


def _print_import(done: Import) -> None:
    print_facts(
        [
            ("Rows", done.rows_done),
            ("Would be stored" if done.is_dry_run else "Stored", done.stored),
            ("Duplicate", done.duplicate),
            ("Rejected", done.rejected),
            ("State", done.state),
        ]
    )
    if done.problems:
        click.echo()
        print_table(("ROW", "REASON"), [(p.row, p.reason) for p in done.problems], empty="")
