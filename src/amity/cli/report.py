"""`amity report` and `amity metric`: questions about customers, and what their numbers mean."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from amity.cli.json_input import read_object
from amity.cli.output import json_option, print_facts, print_json, print_list, print_table
from amity.cli.progress import Progress
from amity.cli.running import needs_database, needs_django
from amity.kernel.errors import Invalid


@click.group()
def report() -> None:
    """Answer questions about customers from the warehouse."""


@report.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the reports with the question each answers."""
    from amity.analysis import api_reports

    entries = api_reports.list_reports()
    print_list(
        entries,
        ("NAME", "QUESTION", "LAST ANSWER"),
        [(entry.words.name, entry.words.question, entry.as_of) for entry in entries],
        empty="There is no report.",
        as_json=as_json,
    )


@report.command()
@click.argument("name")
@click.option("--with", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; repeat.")
@click.option("--table", default="", help="Print or write this table of the answer.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it; .csv or .parquet."
)
@json_option
@needs_database
def run(name: str, given: tuple[str, ...], table: str, out: Path | None, *, as_json: bool) -> None:
    """Compute the report NAME now, such as `amity report run pareto --with days=90`.

    Parameters are those of the report's page: days, from, until, compare, segment, currency, by,
    and its own. The answer is kept and shown on the page too.
    """
    from amity.analysis import api_reports
    from amity.analysis.contracts_reports import FileKind, say_value

    with Progress("Computing") as progress:
        found = api_reports.run_report(
            name=name, given=_read(given), now=datetime.now(UTC), tell=progress.tell
        )
    answer = found.answer
    names = [one.name for one in answer.tables]
    if table and names and table not in names:
        raise Invalid(f"this answer has no table {table!r}; it has {', '.join(names)}")
    if out is not None:
        if not answer.tables or out.suffix not in {".csv", ".parquet"}:
            raise Invalid("an answer with a table is written as .csv or .parquet")
        chosen = table or answer.tables[0].name
        kind: FileKind = "csv" if out.suffix == ".csv" else "parquet"
        out.write_bytes(api_reports.write_report_table(run=found, table=chosen, kind=kind))
    if as_json:
        print_json(found)
        return
    click.echo(answer.sentence)
    if answer.empty:
        click.echo(answer.empty)
    print_facts(
        (one.title, say_value(one.value, one.unit, found.currency)) for one in answer.figures
    )
    for one in answer.tables:
        if one.name == table:
            rows = [
                [
                    say_value(value, column.unit, found.currency)
                    for value, column in zip(row, one.columns, strict=True)
                ]
                for row in one.rows
            ]
            print_table([column.title for column in one.columns], rows, empty="No rows.")
    for note in answer.notes:
        click.echo(f"amity: note: {note}", err=True)


def _read(given: tuple[str, ...]) -> dict[str, str]:
    parameters = {}
    for one in given:
        name, found, value = one.partition("=")
        if not found:
            raise Invalid(f"a parameter is told as NAME=VALUE, not {one!r}")
        parameters[name.strip()] = value
    return parameters


@report.command()
@json_option
@needs_database
def views(*, as_json: bool) -> None:
    """List the saved views that are shared, with their numbers."""
    from amity.analysis import api_reports

    found = api_reports.list_report_views(by="")
    print_list(
        found,
        ("VIEW", "NAME", "REPORT", "OWNER"),
        [(one.view_id, one.name, one.report, one.owner) for one in found],
        empty="No view is shared.",
        as_json=as_json,
    )


@report.command()
@json_option
@needs_database
def schedules(*, as_json: bool) -> None:
    """List which saved views are mailed, when, to whom, and what came of it."""
    from amity.analysis import api_schedules

    found = api_schedules.list_schedules(by="", may_all=True)
    print_list(
        found,
        ("ID", "VIEW", "TO", "NEXT", "LAST RESULT"),
        [
            (
                one.schedule_id,
                one.view.name,
                ", ".join(one.recipients),
                "paused" if one.is_paused else one.slot_at,
                one.last_result,
            )
            for one in found
        ],
        empty="Nothing is mailed.",
        as_json=as_json,
    )


@report.command()
@click.argument("view", type=int)
@click.option("--to", "recipients", multiple=True, required=True, help="Who works here; repeat.")
@click.option(
    "--every",
    type=click.Choice(["day", "weekday", "week", "month"]),
    default="week",
    show_default=True,
)
@click.option(
    "--day",
    type=click.IntRange(1, 28),
    default=1,
    show_default=True,
    help="Of a week (1 is Monday) or a month.",
)
@click.option("--at", default="07:00", show_default=True, metavar="HH:MM")
@click.option("--zone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.option("--files", is_flag=True, help="With the tables as CSV, where the role may export.")
@json_option
@needs_django
def schedule(as_json: bool, recipients: tuple[str, ...], files: bool, **told: Any) -> None:  # noqa: FBT001  # from click
    """Have the shared view VIEW (its number) mailed to people who work here."""
    from amity.analysis import api_schedules
    from amity.analysis.contracts_schedules import ScheduleChanges
    from amity.broadcast import api_staff
    from amity.web.reports.mailing import check_recipients

    api_staff.check_mail_server()
    check_recipients(recipients)
    times = {name: told[name] for name in ("every", "day", "at", "zone")}
    given = {"view_id": told["view"], "recipients": recipients, "times": times, "has_files": files}
    try:
        changes = msgspec.convert(given, ScheduleChanges)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None
    made = api_schedules.save_schedule(changes=changes, by="command line", now=datetime.now(UTC))
    if as_json:
        print_json(made)
        return
    print_facts([("Schedule", made.schedule_id), ("View", made.view.name), ("Next", made.slot_at)])


@report.command()
@click.argument("schedule_id", type=int)
@click.option("--off", is_flag=True, help="Let it go on.")
@needs_database
def pause(schedule_id: int, *, off: bool) -> None:
    """Pause the schedule SCHEDULE_ID, or let it go on with its next run."""
    from amity.analysis import api_schedules

    held = api_schedules.pause_schedule(
        schedule_id=schedule_id,
        is_paused=not off,
        by="command line",
        now=datetime.now(UTC),
        may_all=True,
    )
    print_facts([("View", held.view.name), ("Next", "paused" if held.is_paused else held.slot_at)])


@report.command()
@click.argument("schedule_id", type=int)
@needs_database
def unschedule(schedule_id: int) -> None:
    """Mail the schedule SCHEDULE_ID no more."""
    from amity.analysis import api_schedules

    api_schedules.delete_schedule(schedule_id=schedule_id, by="command line", may_all=True)


@click.group()
def metric() -> None:
    """Say what the numbers mean, once for all."""


@metric.command(name="list")
@json_option
@needs_database
def list_metrics(*, as_json: bool) -> None:
    """List the metrics that hold."""
    from amity.analysis import api_reports

    found = api_reports.list_metrics()
    print_list(
        found,
        ("NAME", "VERSION", "UNIT", "DEFINITION"),
        [(one.name, one.version, one.definition.unit, one.definition.definition) for one in found],
        empty="There is no metric.",
        as_json=as_json,
    )


@metric.command(name="set")
@click.argument("name")
@click.argument("definition")
@click.option("--dry-run", is_flag=True, help="Only say what it would change.")
@json_option
@needs_database
def set_(name: str, definition: str, *, dry_run: bool, as_json: bool) -> None:
    """Give the metric NAME a new version: JSON, the name of a file with it, or -.

    `amity metric list --json` shows definitions to begin from.
    """
    from amity.analysis import api_reports

    read = read_object(definition, "definition")
    now = datetime.now(UTC)
    if dry_run:
        from amity.web.metric_uses import describe_metric_impact

        impact = describe_metric_impact(name=name, definition=read, now=now)
        if as_json:
            print_json(impact)
            return
        print_facts(
            [
                ("Metrics made of it", ", ".join(impact.uses.metrics)),
                ("Segments", ", ".join(impact.uses.segments)),
                ("Campaigns", ", ".join(impact.uses.campaigns)),
                ("Rewards", ", ".join(impact.uses.rewards)),
                ("Reports", ", ".join(impact.uses.reports)),
                ("Saved views", ", ".join(impact.uses.views)),
                ("Targets", ", ".join(impact.uses.targets)),
            ]
        )
        print_table(("METRIC", "NOW", "THEN"), impact.values, empty="Nothing changes.")
        if impact.segments:
            print_table(
                ("SEGMENT", "MEMBERS", "WOULD ENTER", "WOULD LEAVE"),
                [(one.name, one.members, one.entering, one.leaving) for one in impact.segments],
                empty="",
            )
        if impact.campaigns:
            print_table(("CAMPAIGN, A CUSTOMER", "NOW", "THEN"), impact.campaigns, empty="")
        for refusal in impact.refusals:
            click.echo(refusal)
        return
    made = api_reports.save_metric(name=name, definition=read, by="command line", now=now)
    if as_json:
        print_json(made)
        return
    print_facts([("Metric", made.name), ("Version", made.version)])
