"""`amity work`: what takes long, how far it is, and stopping it."""

from typing import TYPE_CHECKING

import click

from amity.cli.output import json_option, print_list
from amity.cli.running import needs_database

if TYPE_CHECKING:
    from amity.analysis.contracts_work import Work


@click.group()
def work() -> None:
    """See the long work that is under way, and stop it."""


@work.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List what is being done, what waits, and what gave nothing lately."""
    from amity.analysis import api_work

    found = api_work.list_work()
    print_list(
        found,
        ("ID", "WHAT", "FOR", "SINCE", "HOW FAR"),
        [
            (
                each.work_id,
                each.title,
                each.wanted_by,
                each.started_at or each.wanted_at,
                _say(each.step, each.steps, each.doing) if each.started_at else _say_waiting(each),
            )
            for each in found
        ],
        empty="Nothing is under way.",
        as_json=as_json,
    )


@work.command()
@click.argument("work_id", type=click.IntRange(1))
@needs_database
def stop(work_id: int) -> None:
    """Stop the work WORK_ID, whoever asked for it; what was found before stays."""
    from amity.analysis import api_work

    api_work.stop_work(work_id=work_id, by="command line", may_all=True)
    click.echo("It stops.")


def _say(step: int, steps: int, doing: str) -> str:
    return f"step {step + 1} of {steps}: {doing}" if steps else "beginning"


def _say_waiting(each: "Work") -> str:
    return "waits for its turn" if each.wanted_at else f"nothing new: {each.error}"
