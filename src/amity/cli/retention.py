"""`amity retention`: how long what is kept, what is too old, and what went."""

from datetime import UTC, datetime
from typing import get_args

import click
import msgspec

from amity.cli.output import json_option, print_facts, print_json, print_list
from amity.cli.running import needs_database
from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import Removal, RetentionRun

_MB = 2**20
_BY = "command line"


@click.group()
def retention() -> None:
    """Say how long what is kept and why, what a run would remove, and what runs removed."""


@retention.command("list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the rules, with when each ran last and what it removed."""
    from amity.store import api_retention as keeping
    from amity.web.retention.sweeping import all_sweeps

    rules = keeping.list_retention_rules(all_sweeps())
    last = keeping.list_last_retention_runs()
    print_list(
        [{"rule": rule, "last_run": last.get(rule.key)} for rule in rules],
        ("RULE", "KEPT", "ON", "SET BY", "LAST RUN", "ROWS", "FILES"),
        [
            (
                rule.key,
                f"{rule.keep_days} d",
                rule.is_enabled,
                rule.set_by,
                *_ran(last.get(rule.key)),
            )
            for rule in rules
        ],
        empty="There are no rules.",
        as_json=as_json,
    )


@retention.command()
@click.argument("key", metavar="RULE")
@json_option
@needs_database
def preview(*, key: str, as_json: bool) -> None:
    """Say what a run of RULE would remove now; nothing is removed."""
    from amity.store import api_retention as keeping
    from amity.web.retention.sweeping import all_sweeps

    rule = keeping.get_retention_rule(all_sweeps(), key)
    found = keeping.preview_retention(all_sweeps(), rule=rule, now=datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    print_facts([("Older than", found.before), *_facts(found.removal)])
    if found.is_capped:
        click.echo("It is more: only the first were counted.")


@retention.command()
@click.argument("key", metavar="RULE")
@json_option
@needs_database
def run(*, key: str, as_json: bool) -> None:
    """Run RULE now, to its end, whether it is switched on or not."""
    from amity.store import api_retention as keeping
    from amity.web.retention.sweeping import all_sweeps

    done = keeping.run_retention(all_sweeps(), key=key, by=_BY, now=datetime.now(UTC))
    if as_json:
        print_json(done)
        return
    print_facts(
        [("Older than", done.before), *_facts(done.removed), ("Seconds", done.worked_seconds)]
    )


@retention.command("set")
@click.argument("key", metavar="RULE")
@click.option("--days", type=int, help="For how many days it is kept.")
@click.option("--reason", help="Why it is kept for so long.")
@click.option("--basis", type=click.Choice(get_args(LawfulBasis)), help="The lawful basis.")
@click.option("--every-hours", type=int, help="How often the worker runs it.")
@click.option("--on/--off", "is_enabled", default=None, help="Switch it on or off.")
@json_option
@needs_database
def set_(*, key: str, as_json: bool, **told: object) -> None:
    """Change RULE; what is not named stays. It is due at once."""
    from amity.store import api_retention as keeping
    from amity.store.contracts_retention import RetentionPlan
    from amity.web.retention.sweeping import all_sweeps

    rule = keeping.get_retention_rule(all_sweeps(), key)
    told["keep_days"] = told.pop("days")
    given = {name: value for name, value in told.items() if value is not None}
    held = {name: getattr(rule, name) for name in RetentionPlan.__struct_fields__}
    plan = msgspec.convert(held | given, RetentionPlan)
    made = keeping.save_retention_rule(
        all_sweeps(), key=key, plan=plan, by=_BY, now=datetime.now(UTC)
    )
    if as_json:
        print_json(made)
    else:
        print_facts(
            [("Rule", made.key), ("Kept for days", made.keep_days), ("On", made.is_enabled)]
        )


@retention.command()
@click.option("--rule", "key", default="", help="Only runs of this rule.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@json_option
@needs_database
def runs(*, key: str, limit: int, as_json: bool) -> None:
    """List what runs removed, the latest first."""
    from amity.store import api_retention as keeping

    found = keeping.list_retention_runs(key=key, limit=limit).items
    print_list(
        found,
        ("RUN", "RULE", "STATE", "STARTED", "ROWS", "FILES", "MB", "OLDEST", "NEWEST", "FAILURE"),
        [
            (
                *(each.run_id, each.rule_key, each.state, each.started_at),
                *(each.removed.rows, each.removed.files, each.removed.size_bytes / _MB),
                *(each.removed.oldest_at, each.removed.newest_at, each.failure),
            )
            for each in found
        ],
        empty="No rule has run yet.",
        as_json=as_json,
    )


@retention.command("write-anew")
@json_option
@needs_database
def write_anew(*, as_json: bool) -> None:
    """Write tables anew that erasures only vacuumed, since they are large.

    Until then what was erased can lie in unused parts of PostgreSQL's files. Each table is locked
    meanwhile, for about a second in 64 MB, and needs as much room again: choose a quiet hour.
    """
    from amity.store import api as store

    def tell(name: str, size: int) -> None:
        click.echo(f"{name}, {size / _MB:,.0f} MB …", err=True)

    done = store.clean_large(progress=tell)
    if as_json:
        print_json({"tables": done})
    else:
        click.echo(f"Written anew: {', '.join(done)}" if done else "There is nothing to do.")


def _ran(run: RetentionRun | None) -> tuple[object, object, object]:
    if run is None:
        return None, None, None
    return run.started_at, run.removed.rows, run.removed.files


def _facts(removal: Removal) -> list[tuple[str, object]]:
    return [
        ("Rows", removal.rows),
        ("Files", removal.files),
        ("MB", removal.size_bytes / _MB),
        *((f"  {table}", count) for table, count in removal.tables.items()),
        ("Oldest", removal.oldest_at),
        ("Newest", removal.newest_at),
    ]
