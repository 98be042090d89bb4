"""`amity restore-check`: make a database that was put back fit to be served."""

from datetime import UTC, datetime

import click

from amity.cli.output import json_option, print_json
from amity.cli.running import needs_database


@click.command("restore-check")
@json_option
@needs_database
def restore_check(*, as_json: bool) -> int:
    """Erase again whom this database still knows although they were erased since it was copied.

    `erasures.jsonl` in the data folder tells, by keyed hash. `amity up` does the same at every
    start, before it serves. Exit code 1 when the ledger of consents does not check out.
    """
    from amity.store import api as store
    from amity.web.erasing import replay_erasures, work_off_erasures

    now = datetime.now(UTC)
    done = replay_erasures(now=now)
    work_off_erasures(now=now)
    ledger = store.verify_consents()
    if as_json:
        print_json({"replay": done, "ledger": ledger})
    else:
        click.echo(f"{done.receipts:,} erasures were unknown here; {done.erased:,} repeated.")
        words = "whole" if ledger.is_whole else f"NOT whole: {ledger.fault}"
        click.echo(f"The consent ledger is {words}.")
    return 0 if ledger.is_whole else 1
