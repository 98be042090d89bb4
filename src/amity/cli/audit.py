"""`amity audit`: whether what must never change is as it was written."""

import click

from amity.cli.output import json_option, print_json
from amity.cli.progress import Progress
from amity.cli.running import needs_database


@click.group()
def audit() -> None:
    """Check that the consent ledger is as it was written."""


@audit.command()
@json_option
@needs_database
def verify(*, as_json: bool) -> int:
    """Go through the whole consent ledger; exit with 1 and name the first record that is wrong.

    Every record is compared with its hash, every hash with the one before it, and the chain with
    the signed heads in the database and in `consent_heads.jsonl` in the data folder: so records
    that were edited, removed, added or moved show, and also a missing end and an older copy.
    """
    from amity.store import api

    total = api.count_consent_records()
    with Progress("Checking") as progress:
        verdict = api.verify_consents(progress=lambda done: progress.update(done, max(total, done)))
    if as_json:
        print_json(verdict)
    elif verdict.is_whole:
        click.echo(
            f"The consent ledger is whole: {verdict.records:,} records, "
            f"{verdict.heads:,} signed heads."
        )
    else:
        click.echo(f"The consent ledger is NOT whole: record {verdict.bad_record}: {verdict.fault}")
        click.echo("Records before it are as they were written. Keep this database for evidence.")
    return 0 if verdict.is_whole else 1
