"""`amity reference`: the pages of docs/reference, written from the code they describe."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click
import msgspec

from amity.cli.markdown import table
from amity.kernel.errors import AmityError, NotFound

if TYPE_CHECKING:
    from amity.store.contracts_events import EventWords

_HEAD: Final = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n"


@click.command(hidden=True)
@click.option("--write", type=click.Path(file_okay=False, path_type=Path), help="Write the pages.")
@click.option("--check", type=click.Path(file_okay=False, path_type=Path), help="Compare them.")
def reference(*, write: Path | None, check: Path | None) -> None:
    """Write docs/reference from the code, or fail when it says something else."""
    if (write is None) == (check is None):
        raise click.UsageError("give --write FOLDER or --check FOLDER")
    pages = make_pages()
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (write / name).write_text(text, encoding="utf-8")
        return
    assert check is not None
    stale = [name for name, text in pages.items() if _read(check / name) != text]
    if stale:
        raise AmityError(
            f"out of date: {', '.join(stale)} in {check}; run `make docs`", code="stale_reference"
        )


def make_pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {name: f"{_HEAD}{make().rstrip()}\n" for name, make in PAGES.items()}


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def make_settings_page() -> str:
    """Return the page of settings, from `infra.config.Settings`."""
    from amity.infra.config import Settings

    rows = []
    for field in msgspec.structs.fields(Settings):
        note = next(part for part in get_args(field.type) if isinstance(part, msgspec.Meta))
        name = f"`AMITY_{field.name.upper()}`"
        if field.name == "database_url":
            name += " or `DATABASE_URL`"
        rows.append((name, note.description or "", _default(field.default)))
    intro = (
        "Settings are read once, at the start of each process, from the environment. "
        "Every command honours them."
    )
    return f"# Settings\n\n{intro}\n\n" + table(("Setting", "What it is", "Default"), rows)


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return "none" if value in (None, "") else f"`{value}`"


def make_cli_page() -> str:
    """Return the page of commands, from the commands themselves."""
    from amity.cli.main import COMMANDS, load_command, root

    context = click.Context(root, info_name="amity")
    parts = [f"# The command line\n\n{_words(root)}"]
    for name, (_, _, hidden) in COMMANDS.items():
        if hidden:
            continue
        try:
            command = load_command(name)
        except NotFound:  # an installation may be without the demo
            continue
        parts += _command_sections(command, click.Context(command, context, info_name=name))
    return "\n\n".join(parts)


def _command_sections(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _command_sections(found, click.Context(found, context, info_name=name))
        return
    pieces = " ".join(command.collect_usage_pieces(context))
    section = f"## `{context.command_path}`\n\n`{context.command_path} {pieces}`\n\n"
    section += _words(command)
    rows = [
        (f"`{head}`".replace("|", "\\|"), text) for head, text in _option_records(command, context)
    ]
    if rows:
        section += "\n\n" + table(("Option", "What it does"), rows)
    yield section


def _option_records(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and "--help" not in parameter.opts:
            yield record


def _words(command: click.Command) -> str:
    return "\n\n".join(
        " ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")
    )


def make_events_page() -> str:
    """Return the page of events that mean something to Amity, from the engines' contracts."""
    from amity.analysis import contracts as analysis
    from amity.broadcast import contracts as broadcast
    from amity.personalization import contracts as personalization
    from amity.store import contracts_events as store

    parts = [
        "# Events\n\n"
        "Any event may be sent, under any name; names and properties follow the Segment "
        "specification. These mean something to Amity."
    ]
    events = [*store.EVENTS, *analysis.EVENTS, *personalization.EVENTS, *broadcast.EVENTS]
    for title, is_own in (("Understood", False), ("Recorded by Amity itself", True)):
        parts.append(f"## {title}")
        parts += [_event(event) for event in events if event.is_own is is_own]
    return "\n\n".join(parts)


def _event(event: "EventWords") -> str:
    text = f"### {event.name}\n\n{event.words}"
    if event.properties:
        rows = [(f"`{name}`", words) for name, words in event.properties.items()]
        text += "\n\n" + table(("Property", "What it is"), rows)
    return text


def make_operators_page() -> str:
    """Return the page of the rule language."""
    from amity.cli.reference_rules import make_operators_page as make

    return make()


def make_reports_page() -> str:
    """Return the page of reports."""
    from amity.cli.reference_reports import make_reports_page as make

    return make()


def make_api_page() -> str:
    """Return the page of the control API, from its table of routes."""
    from amity.web.api.table import list_groups

    parts = [
        "# The control API\n\n"
        "Every address is below `/api/v1` on the web port; `/api/openapi.json` describes them "
        "whole (OpenAPI 3.1).\n\n"
        "- **Keys.** `Authorization: Bearer KEY`; `amity key create NAME --scope …` makes one. "
        "Without a good key: 401. Without the scope: 403.\n"
        "- **Lists** answer `items` and `next_cursor`; pass it back as `cursor`.\n"
        "- **Reading again.** Every GET sends an `ETag`; with `If-None-Match`, 304 when nothing "
        "changed.\n"
        "- **Asking again.** Whatever writes takes an `Idempotency-Key`: within a day the same key "
        "answers as before, and nothing is done twice.\n"
        "- **Changing.** A PATCH needs `If-Match` with the tag you read: 428 without, 412 when "
        "it has changed since.\n"
        "- **Errors** are `application/problem+json` (RFC 9457) with a stable `code`, and "
        "`errors` naming the place of each flaw.\n"
        "- **Money** is in minor units (`_minor`) beside its `currency`."
    ]
    for group in list_groups():
        rows = [
            (f"`{route.method} {route.path}`", route.summary, f"`{route.scope}`")
            for route in group.routes
        ]
        parts.append(f"## {group.words}\n\n{table(('Endpoint', 'What it does', 'Scope'), rows)}")
    return "\n\n".join(parts)


PAGES: Final[dict[str, Callable[[], str]]] = {
    "cli.md": make_cli_page,
    "settings.md": make_settings_page,
    "api.md": make_api_page,
    "operators.md": make_operators_page,
    "events.md": make_events_page,
    "reports.md": make_reports_page,
}
