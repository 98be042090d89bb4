"""`amity mailbox`: mailboxes that are read by IMAP."""

from datetime import UTC, datetime
from typing import Any

import click

from amity.cli.asking import ask_unseen, find_named
from amity.cli.mailbox_serving import serve
from amity.cli.output import json_option, print_facts, print_json, print_list
from amity.cli.running import needs_database
from amity.kernel.errors import AmityError
from amity.store.contracts_hooks import Mailbox, MailboxPlan


@click.group()
def mailbox() -> None:
    """Read mailboxes: what customers write, what bounced, who complained."""


mailbox.add_command(serve)


@mailbox.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the mailboxes, and how far each is read."""
    from amity.store import api_fetching

    found = api_fetching.list_mailboxes()
    print_list(
        found,
        ("NAME", "STATE", "USER", "HOST", "READ", "STORED", "LEFT OUT", "FAILURE"),
        [
            (
                one.plan.name,
                "read" if one.is_enabled else "paused",
                one.plan.username,
                one.plan.host,
                one.read,
                one.stored,
                one.left_out,
                one.failure,
            )
            for one in found
        ],
        empty="No mailbox is read yet; begin with `amity mailbox add NAME`.",
        as_json=as_json,
    )


@mailbox.command()
@click.argument("name")
@click.option("--host", required=True, help="The mail server, as imap.example.com.")
@click.option("--user", "username", required=True, help="The user name there.")
@click.option("--source", "source_name", required=True, help="The source its mail counts for.")
@click.option("--port", type=click.IntRange(1, 65535), default=993, show_default=True)
@click.option(
    "--security",
    type=click.Choice(["tls", "starttls", "none"]),
    default="tls",
    show_default=True,
    help="none: on this machine only.",
)
@click.option("--folder", default="INBOX", show_default=True)
@click.option("--every", "interval_seconds", default=60, show_default=True, help="Seconds.")
@json_option
@needs_database
def add(name: str, *, source_name: str, as_json: bool, **options: Any) -> None:
    """Read the mailbox NAME once it lets us in; the password is read from standard input, or
    asked for unseen.
    """
    from amity.cli.source import find
    from amity.store import api_fetching

    made = api_fetching.create_mailbox(
        plan=MailboxPlan(name=name, **options),
        source_id=find(source_name).source_id,
        password=ask_unseen("Password"),
        by="command line",
    )
    _print(made, as_json=as_json)


@mailbox.command()
@click.argument("name")
@json_option
@needs_database
def test(name: str, *, as_json: bool) -> None:
    """Sign in to the mailbox NAME and open its folder; nothing is read."""
    from amity.store import api_fetching

    count = api_fetching.try_mailbox(mailbox_id=_find(name).mailbox_id)
    if as_json:
        print_json({"messages": count})
    else:
        click.echo(f"{name} let us in; it has had at most {count:,} messages.")


@mailbox.command()
@click.argument("name")
@json_option
@needs_database
def run(name: str, *, as_json: bool) -> None:
    """Read what is new in the mailbox NAME now."""
    from amity.store import api_fetching

    done = api_fetching.run_mailbox(mailbox_id=_find(name).mailbox_id, now=datetime.now(UTC))
    _print(done, as_json=as_json)
    if done.failure:
        raise AmityError(done.failure, code="mailbox_failed")


@mailbox.command()
@click.argument("name")
@click.argument("what", type=click.Choice(["pause", "resume", "password", "delete"]))
@needs_database
def change(name: str, what: str) -> None:
    """Pause the mailbox NAME, resume it, give its new password (read as by `add`), or forget it."""
    from amity.store import api_fetching

    mailbox_id = _find(name).mailbox_id
    if what == "delete":
        api_fetching.delete_mailbox(mailbox_id=mailbox_id)
        click.echo(f"Forgot {name} and its password; what was read stays.")
    elif what == "password":
        api_fetching.change_mailbox_password(mailbox_id=mailbox_id, password=ask_unseen("Password"))
        click.echo(f"{name} let us in; it goes on from where it was.")
    else:
        done = api_fetching.switch_mailbox(mailbox_id=mailbox_id, is_enabled=what == "resume")
        _print(done, as_json=False)


def _find(name: str) -> Mailbox:
    from amity.store import api_fetching

    return find_named(
        {one.plan.name: one for one in api_fetching.list_mailboxes()}, name, "mailbox"
    )


def _print(one: Mailbox, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    print_facts(
        [
            ("Name", one.plan.name),
            ("Mailbox", f"{one.plan.username} at {one.plan.host}, {one.plan.folder}"),
            ("State", "read" if one.is_enabled else "paused"),
            ("Read", one.read),
            ("Stored", one.stored),
            ("Left out", one.left_out),
        ]
    )
