"""`amity`: the root of the command line. Commands are loaded when they are called, not before."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from amity.cli.failure import report
from amity.infra.process import collect_garbage_seldom
from amity.kernel.errors import AmityError, NotFound

# name: (where the click command is, one line of help, is it hidden)
COMMANDS: Final[dict[str, tuple[str, str, bool]]] = {
    "up": ("amity.cli.up:up", "Start everything: database, collector, screens, worker.", False),
    "demo": ("amity.cli.demo:demo", "Load the demo shop.", False),
    "doctor": ("amity.cli.doctor:doctor", "Check this installation and say what to do.", False),
    "stats": ("amity.cli.stats:stats", "Show what came in and how far it is handled.", False),
    "sign-in-link": (
        "amity.cli.sign_in_link:sign_in_link",
        "Make a link that signs one member of staff in, once.",
        False,
    ),
    "source": ("amity.cli.source:source", "Manage the places events come from.", False),
    "plan": ("amity.cli.plan:plan", "Pin what events should look like.", False),
    "key": ("amity.cli.key:key", "Manage keys of the control API.", False),
    "import": ("amity.cli.import_file:import_file", "Import a file of a table.", False),
    "pull": ("amity.cli.pull:pull", "Bring in tables of databases, again and again.", False),
    "mailbox": ("amity.cli.mailbox:mailbox", "Read mailboxes by IMAP.", False),
    "enrichment": (
        "amity.cli.enrichment:enrichment",
        "Ask others about customers who allow it.",
        False,
    ),
    "webhook": ("amity.cli.webhook:webhook", "Tell others of events.", False),
    "export": ("amity.cli.export:export", "Bring segments to files and databases.", False),
    "profile": ("amity.cli.profile:profile", "Look at, erase or unmerge a customer.", False),
    "segment": ("amity.cli.segment:segment", "Manage segments and their members.", False),
    "campaign": ("amity.cli.campaign:campaign", "Make, launch, stop and measure campaigns.", False),
    "journey": ("amity.cli.journey:journey", "Manage journeys.", False),
    "sending": ("amity.cli.sending:sending", "Say whether messages may leave.", False),
    "links": ("amity.cli.links:links", "Manage the key that signs links in messages.", False),
    "decide": ("amity.cli.decide:decide", "Decide what to show somebody, as the edge does.", False),
    "replay-decisions": (
        "amity.cli.decide:replay_decisions",
        "Make logged decisions again and compare.",
        False,
    ),
    "report": ("amity.cli.report:report", "Answer questions about customers.", False),
    "metric": ("amity.cli.report:metric", "Say what the numbers mean.", False),
    "scores": ("amity.cli.scores:scores", "Compute customers' scores again.", False),
    "model": ("amity.cli.model:model", "Predict who will do a thing.", False),
    "work": ("amity.cli.work:work", "See long work, and stop it.", False),
    "estimate": ("amity.cli.estimate:estimate", "Estimate from a file, without a store.", False),
    "link": ("amity.cli.link:link", "Find records that are one, in one file or two.", False),
    "audit": ("amity.cli.audit:audit", "Check that the consent ledger is whole.", False),
    "request": ("amity.cli.request:request", "See data requests, and hand out copies.", False),
    "data-map": ("amity.cli.data_map:data_map", "Say what is held of whom, and how long.", False),
    "retention": (
        "amity.cli.retention:retention",
        "Say how long what is kept, and remove what is too old.",
        False,
    ),
    "events": ("amity.cli.events:events", "Show events as they are received.", False),
    "warehouse": (
        "amity.cli.warehouse:warehouse",
        "Export to Parquet, and compare it with the log.",
        False,
    ),
    "quarantine": ("amity.cli.quarantine:quarantine", "See and replay refused events.", False),
    "rebuild": ("amity.cli.rebuild:rebuild", "Rebuild every profile from the event log.", False),
    "restore-check": (
        "amity.cli.restore_check:restore_check",
        "Erase again whom an older database brought back.",
        False,
    ),
    "migrate": ("amity.cli.migrate:migrate", "Bring the database to this version.", True),
    "worker": ("amity.cli.worker:worker", "Run the consumers of the event log.", True),
    "sender": ("amity.cli.sender:sender", "Send what is due.", True),
    "reference": ("amity.cli.reference:reference", "Write or check docs/reference.", True),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return load_command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, so that help loads none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, text) for name, (_, text, hidden) in COMMANDS.items() if not hidden]
            )


def load_command(name: str) -> click.Command:
    """Import one command; raise NotFound when this installation is without it."""
    module_name, attribute = COMMANDS[name][0].split(":")
    try:
        command: Any = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise NotFound(f"this installation has no command `{name}`", code="no_command") from error
    assert isinstance(command, click.Command)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="amity-crm", prog_name="amity", message="%(prog)s %(version)s")
def root() -> None:
    """Amity, an e-CRM: one customer known across every channel.

    Settings come from the environment (AMITY_DATA, AMITY_WEB_PORT …). `amity up` starts
    everything; the other commands talk to what runs in the same AMITY_DATA.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 1 refused or failed, 2 called wrongly, 3 data that cannot carry an estimate.
    """
    collect_garbage_seldom()
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        result = root.main(given, prog_name="amity", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        code = 130
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (click.ClickException, AmityError) as error:
        code = report(error, as_json=as_json)
    except Exception as error:
        code = report(error, as_json=as_json)
    sys.exit(code)


if __name__ == "__main__":
    main()
