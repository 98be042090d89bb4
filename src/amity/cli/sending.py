"""`amity sending`: whether messages may leave from here; the panic stop; arming a restored copy."""

from datetime import UTC, datetime

import click

from amity.broadcast.contracts import SendingState
from amity.cli.output import json_option, print_facts, print_json
from amity.cli.running import needs_database

_BY = "command line"


@click.group()
def sending() -> None:
    """Say whether messages may leave."""


@sending.command()
@json_option
@needs_database
def status(*, as_json: bool) -> None:
    """Show whether messages may leave, where they go, and what waits."""
    from amity.broadcast import api

    _show(api.sending_state(now=datetime.now(UTC)), as_json=as_json)


@sending.command()
@click.option(
    "--keep-overdue",
    is_flag=True,
    help="Also send what was planned before the copy was made; the original may have sent it.",
)
@json_option
@needs_database
def arm(*, keep_overdue: bool, as_json: bool) -> None:
    """Let messages leave from this installation, which is a copy of another or was restored.

    Do this only where the original is gone, or never sends again. Messages that were planned
    before the copy was made expire, since the original may have sent them.
    """
    from amity.broadcast import api

    state = api.arm_sending(by=_BY, now=datetime.now(UTC), keep_overdue=keep_overdue)
    _show(state, as_json=as_json)


@sending.command()
@json_option
@needs_database
def stop(*, as_json: bool) -> None:
    """Stop everything: when this returns, no further message leaves."""
    from amity.broadcast import api

    _show(api.stop_sending(by=_BY, now=datetime.now(UTC)), as_json=as_json)


@sending.command()
@json_option
@needs_database
def resume(*, as_json: bool) -> None:
    """Lift the stop; what waited leaves, unless it is too late by now."""
    from amity.broadcast import api

    _show(api.resume_sending(by=_BY, now=datetime.now(UTC)), as_json=as_json)


def _show(state: SendingState, *, as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    click.echo(state.words)
    print_facts(
        [
            ("Armed", state.is_armed),
            ("Stopped", state.is_stopped),
            ("Messages go to", state.relay if state.goes_to == "relay" else "the local mailbox"),
            ("Waiting", state.queued),
            ("  planned before the copy", state.overdue),
            ("Last changed by", state.changed_by),
            ("  at", state.changed_at),
        ]
    )
