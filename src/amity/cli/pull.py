"""`amity pull`: tables of databases that are asked again and again for what is new."""

from datetime import UTC, datetime

import click

from amity.cli.asking import ask_unseen, find_named
from amity.cli.import_file import read_pairs
from amity.cli.output import json_option, print_facts, print_json, print_table
from amity.cli.running import needs_database
from amity.kernel.errors import AmityError
from amity.store.contracts_pulling import Pull, PullPlan


@click.group()
def pull() -> None:
    """Bring in tables of PostgreSQL, MySQL, MariaDB and SQLite, again and again."""


@pull.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the databases, and how far each is."""
    from amity.store import api_fetching

    pulls = api_fetching.list_pulls()
    if as_json:
        print_json(pulls)
        return
    print_table(
        ("NAME", "STATE", "TABLE", "AT", "ROWS", "STORED", "REJECTED", "NEXT"),
        [
            (
                one.name,
                one.state,
                f"{one.schema}.{one.relation}".strip("."),
                one.position,
                one.rows_done,
                one.stored,
                one.rejected,
                one.next_at.isoformat(timespec="seconds") if one.next_at else "",
            )
            for one in pulls
        ],
        empty="No database is pulled yet; begin with `amity pull add NAME`.",
    )
    for one in pulls:
        if one.failure:
            click.echo(f"{one.name}: {one.failure}", err=True)


@pull.command()
@click.argument("name")
@click.option("--source", "source_name", required=True, help="The source the rows come in by.")
@json_option
@needs_database
def add(name: str, source_name: str, *, as_json: bool) -> None:
    """Add the database NAME; its address is read from standard input, or asked for unseen.

    Such as `postgresql://reader:password@db.example/shop`, `mysql://…` or `sqlite:///shop.db`.
    Nothing is read of it before `amity pull plan`.
    """
    from amity.cli.source import find
    from amity.store import api_fetching

    made = api_fetching.create_pull(
        name=name,
        address=ask_unseen("Address"),
        source_id=find(source_name).source_id,
        by="command line",
    )
    _print(made, as_json=as_json)


@pull.command()
@click.argument("name")
@click.argument("table", required=False)
@json_option
@needs_database
def tables(name: str, table: str | None, *, as_json: bool) -> None:
    """List the tables of the database NAME, or the columns of TABLE."""
    from amity.store import api_fetching

    one = find_pull(name)
    if table is None:
        found = api_fetching.list_pull_tables(pull_id=one.pull_id)
        if as_json:
            print_json(found)
            return
        print_table(
            ("TABLE", "VIEW"),
            [(each.label, each.is_view) for each in found],
            empty="There is no table that can be read.",
        )
        return
    schema, relation = _split(table)
    columns = api_fetching.list_pull_columns(pull_id=one.pull_id, schema=schema, relation=relation)
    if as_json:
        print_json(columns)
        return
    rows = [(each.name, each.type, each.kind, each.key_place or "") for each in columns]
    print_table(("COLUMN", "TYPE", "KIND", "KEY"), rows, empty="")


@pull.command()
@click.argument("name")
@click.argument("table")
@click.option("--connector", required=True, help="What the rows are: customers, orders, events …")
@click.option("--cursor", required=True, help="The column that grows with every change.")
@click.option("--key", "keys", multiple=True, help="Tells equal cursors apart; may be repeated.")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="COLUMN=FIELD",
    help="Which field a column is; may be repeated. Without it, the names are read.",
)
@click.option("--every", "minutes", default=15, show_default=True, help="Minutes between runs.")
@click.option(
    "--overlap", default=300, show_default=True, help="How far a run goes back: seconds or numbers."
)
@click.option("--dry-run", is_flag=True, help="Only show what the first rows would become.")
@json_option
@needs_database
def plan(name: str, table: str, *, as_json: bool, dry_run: bool, **options: object) -> None:
    """Say what is read of the database NAME: TABLE, by which cursor, as what, how often."""
    from amity.store import api_fetching

    wanted = _plan(table, options)
    one = find_pull(name)
    if dry_run:
        print_json(api_fetching.preview_pull(pull_id=one.pull_id, plan=wanted))
        return
    _print(api_fetching.configure_pull(pull_id=one.pull_id, plan=wanted), as_json=as_json)


def _plan(table: str, options: dict[str, object]) -> PullPlan:
    schema, relation = _split(table)
    pairs, keys = options["pairs"], options["keys"]
    assert isinstance(pairs, tuple)
    assert isinstance(keys, tuple)
    return PullPlan(
        schema=schema,
        relation=relation,
        cursor_column=str(options["cursor"]),
        key_columns=list(keys),
        connector=str(options["connector"]),
        mapping=read_pairs(pairs) if pairs else None,
        interval_seconds=int(str(options["minutes"])) * 60,
        overlap=int(str(options["overlap"])),
    )


def _split(table: str) -> tuple[str, str]:
    schema, _, relation = table.rpartition(".")
    return schema, relation


@pull.command()
@click.argument("name")
@json_option
@needs_database
def run(name: str, *, as_json: bool) -> None:
    """Read what is new in the database NAME now, until there is no more."""
    from amity.store import api_fetching

    one = find_pull(name)
    while True:
        done = api_fetching.run_pull(pull_id=one.pull_id, now=datetime.now(UTC))
        # It is due again at once only while there was more than it read.
        if done.failure or done.next_at is None or done.next_at > datetime.now(UTC):
            break
    _print(done, as_json=as_json)
    if done.failure:
        raise AmityError(done.failure, code="pull_failed")


@pull.command()
@click.argument("name")
@click.argument("what", type=click.Choice(["pause", "resume", "rewind", "delete", "reconnect"]))
@needs_database
def change(name: str, what: str) -> None:
    """Pause the database NAME, resume it, read it from its beginning, forget it, or tell its
    new address (read as by `add`).
    """
    from amity.store import api_fetching

    pull_id = find_pull(name).pull_id
    if what == "delete":
        api_fetching.delete_pull(pull_id=pull_id)
        click.echo(f"Forgot {name}; what came in by it stays.")
        return
    if what == "reconnect":
        _print(
            api_fetching.reconnect_pull(pull_id=pull_id, address=ask_unseen("Address")),
            as_json=False,
        )
        return
    doing = {
        "pause": api_fetching.pause_pull,
        "resume": api_fetching.resume_pull,
        "rewind": api_fetching.rewind_pull,
    }
    _print(doing[what](pull_id=pull_id), as_json=False)


def find_pull(name: str) -> Pull:
    """Return the pull of that name; raise NotFound with the names there are."""
    from amity.store import api_fetching

    return find_named({one.name: one for one in api_fetching.list_pulls()}, name, "pull")


def _print(one: Pull, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    print_facts(
        [
            ("Name", one.name),
            ("Database", one.address),
            ("State", one.state),
            ("Table", f"{one.schema}.{one.relation}".strip(".")),
            ("Read up to", one.position),
            ("Rows", one.rows_done),
            ("Stored", one.stored),
            ("Duplicate", one.duplicate),
            ("Rejected", one.rejected),
        ]
    )
