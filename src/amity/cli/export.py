"""`amity export`: segments on their way to files and databases, once or again and again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any, Final, TypeVar

import click
import msgspec

from amity.cli.asking import find_named, find_segment
from amity.cli.import_file import read_pairs
from amity.cli.output import json_option, print_facts, print_json, print_list, print_table
from amity.cli.running import needs_database
from amity.kernel.errors import Unavailable
from amity.store.contracts_outbound import Export, ExportPlan, ExportRun

F = TypeVar("F", bound=Callable[..., Any])
_COLUMNS: Final = ("profile_id", "user_id", "name", "email", "phone", "entered_at")
_OPTIONS: Final = (
    click.option("--to", "destination", default="csv", show_default=True, help="A kind of place."),
    click.option("--column", "columns", multiple=True, help="Of each customer; again for more."),
    click.option("--purpose", default="sharing", show_default=True, help="What it is for."),
    click.option(
        "--address-file", type=click.File(), metavar="FILE|-", help="Where a database's address is."
    ),
    click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="As table=vip."),
)


def plan_options(command: F) -> F:
    """Give a command the options that say what an export brings and where to."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_plan(name: str, segment_id: int, options: dict[str, Any]) -> ExportPlan:
    """Return the plan those options make."""
    address: IO[str] | None = options["address_file"]
    return ExportPlan(
        name=name,
        segment_id=segment_id,
        destination=options["destination"],
        settings=read_pairs(options["pairs"], option="--set"),
        secret=address.read().strip() if address else "",
        columns=list(options["columns"] or _COLUMNS),
        purpose=options["purpose"],
    )


@click.group()
def export() -> None:
    """Bring segments to files and databases: only customers who allow the purpose."""


@export.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the exports, and how the last run of each went."""
    from amity.store import api_outbound

    found = api_outbound.list_exports()
    if as_json:
        print_json(found)
        return
    latest = {run.export_id: run for run in reversed(api_outbound.list_export_runs(limit=200))}
    rows = [(one, latest.get(one.export_id)) for one in found]
    print_table(
        ("NAME", "TO", "PURPOSE", "HOURS", "STATE", "WRITTEN", "LAST RUN"),
        [
            (
                one.name,
                one.destination,
                one.purpose,
                one.every_hours or "",
                (run.state if run else "") if one.is_enabled else "stopped",
                run.written if run else "",
                run.created_at if run else "never",
            )
            for one, run in rows
        ],
        empty="Nothing is exported yet; begin with `amity export add NAME --segment SEGMENT`.",
    )


@export.command()
@click.argument("name")
@click.option("--segment", "segment_name", required=True, help="Who: a segment's name.")
@plan_options
@click.option("--every-hours", type=click.IntRange(1, 8760), help="By itself, that often.")
@json_option
@needs_database
def add(name: str, *, segment_name: str, as_json: bool, **options: Any) -> None:
    """Keep an export called NAME; without --every-hours it runs only when asked."""
    from amity.store import api_outbound

    every_hours = options.pop("every_hours")
    plan = make_plan(name, find_segment(segment_name).segment_id, options)
    plan = msgspec.structs.replace(plan, every_hours=every_hours)
    _print(api_outbound.create_export(plan=plan, by="command line"), as_json=as_json)


@export.command()
@click.argument("name")
@json_option
@needs_database
def run(name: str, *, as_json: bool) -> None:
    """Run the export NAME now, and wait for it."""
    run_now(_find(name), as_json=as_json)


@export.command()
@click.argument("name")
@json_option
@needs_database
def runs(name: str, *, as_json: bool) -> None:
    """List the latest runs of the export NAME."""
    from amity.store import api_outbound

    found = api_outbound.list_export_runs(export_id=_find(name).export_id)
    print_list(
        found,
        ("RUN", "STATE", "DONE", "WRITTEN", "LEFT OUT", "BEGUN", "FILE", "FAILURE"),
        [
            (
                one.run_id,
                one.state,
                one.done,
                one.written,
                sum(one.left_out.values()),
                one.created_at,
                one.file_name,
                one.failure,
            )
            for one in found
        ],
        empty="It has not run yet.",
        as_json=as_json,
    )


@export.command()
@click.argument("name")
@needs_database
def test(name: str) -> None:
    """See that what the export NAME writes to can be reached; nothing is written."""
    from amity.store import api_outbound

    api_outbound.try_export(export_id=_find(name).export_id)
    click.echo(f"{name} can be written.")


@export.command()
@click.argument("name")
@click.argument("what", type=click.Choice(["stop", "resume", "delete"]))
@needs_database
def change(name: str, what: str) -> None:
    """Stop the schedule of the export NAME, let it go on, or delete it."""
    from amity.store import api_outbound

    export_id = _find(name).export_id
    if what == "delete":
        api_outbound.delete_export(export_id=export_id)
        click.echo(f"Deleted {name}; files it wrote stay for seven days.")
        return
    _print(
        api_outbound.switch_export(export_id=export_id, is_enabled=what == "resume"), as_json=False
    )


def run_now(made: Export, *, as_json: bool) -> None:
    """Run an export, wait for its end and say what came of it; raise Unavailable if it failed."""
    from amity.analysis import api as analysis
    from amity.store import api_outbound

    run_id = api_outbound.ask_export(export_id=made.export_id, by="command line")
    analysis.run_exports(now=datetime.now(UTC), run_id=run_id)
    done = _wait(run_id)
    path = api_outbound.find_export_file(run_id=run_id)
    if as_json:
        print_json({"run": done, "path": str(path) if path else None})
    elif done.state == "finished":
        left_out = ", ".join(f"{count:,} {why}" for why, count in sorted(done.left_out.items()))
        facts = [
            ("Written", f"{done.written:,} of {done.done:,}"),
            ("Left out", left_out or "nobody"),
        ]
        print_facts([*facts, ("File", str(path) if path else "none: a database")])
    if done.state != "finished":
        raise Unavailable(f"the export failed: {done.failure}")


def _wait(run_id: int) -> ExportRun:
    """Wait for a run that the worker may have taken up before this command did."""
    from amity.store import api_outbound

    while True:
        run = api_outbound.get_export_run(run_id=run_id)
        if run.state in ("finished", "failed") or run.failure:
            return run
        time.sleep(0.2)


def _find(name: str) -> Export:
    from amity.store import api_outbound

    return find_named({one.name: one for one in api_outbound.list_exports()}, name, "export")


def _print(one: Export, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    print_facts(
        [
            ("Name", one.name),
            ("To", one.destination),
            ("Columns", ", ".join(one.columns)),
            ("Purpose", one.purpose),
            ("Every hours", one.every_hours or "only when asked"),
            ("Next run", one.next_at or ""),
        ]
    )
