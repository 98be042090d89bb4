"""`amity source`: the places events come from, and the keys they come with."""

from typing import Literal

import click

from amity.cli.asking import ask_unseen
from amity.cli.output import json_option, print_facts, print_json, print_list
from amity.cli.running import needs_database
from amity.kernel.errors import NotFound
from amity.store.contracts import Source


@click.group()
def source() -> None:
    """Manage the places events come from."""


@source.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["browser", "server"]),
    default="browser",
    show_default=True,
    help="browser: its key is public, so it cannot grant consent; server: its key is secret.",
)
@json_option
@needs_database
def create(name: str, kind: Literal["browser", "server"], *, as_json: bool) -> None:
    """Make a source called NAME and print its write key."""
    from amity.store import api

    _print_source(api.create_source(name=name, kind=kind), as_json=as_json)


@source.command(name="list")
@json_option
@needs_database
def list_(*, as_json: bool) -> None:
    """List the sources and what became of all they sent."""
    from amity.store import api
    from amity.store.contracts import SourceCounts
    from amity.web.api.documents import source_row_document

    counts = api.count_by_source()
    found = [(item, counts.get(item.source_id, SourceCounts())) for item in api.list_sources()]
    print_list(
        [source_row_document(item, count, shows_key=True) for item, count in found],
        ("ID", "NAME", "KIND", "ENABLED", "STORED", "DUPLICATE", "QUARANTINED", "REFUSED"),
        [
            (
                str(item.source_id),
                item.name,
                item.kind,
                item.is_enabled,
                count.stored,
                count.duplicate,
                count.quarantined,
                count.refused,
            )
            for item, count in found
        ],
        empty="There are no sources yet; make one with `amity source create NAME`.",
        as_json=as_json,
    )


@source.command()
@click.argument("name")
@json_option
@needs_database
def rotate(name: str, *, as_json: bool) -> None:
    """Give the source NAME a new write key; the old one stops working."""
    from amity.store import api

    changed = api.rotate_source_key(source_id=find(name).source_id)
    _print_source(changed, as_json=as_json)


@source.command()
@click.argument("name")
@json_option
@needs_database
def disable(name: str, *, as_json: bool) -> None:
    """Shut out the key of the source NAME."""
    _switch(name, is_enabled=False, as_json=as_json)


@source.command()
@click.argument("name")
@json_option
@needs_database
def enable(name: str, *, as_json: bool) -> None:
    """Let in the key of the source NAME again."""
    _switch(name, is_enabled=True, as_json=as_json)


@source.command()
@click.argument("name")
@click.argument("dialect")
@click.option("--make", is_flag=True, help="Make one and print it once, for our own dialects.")
@click.option("--remove", is_flag=True, help="Forget it: what is signed with it is refused.")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 720),
    default=24,
    show_default=True,
    help="How long the one it replaces stays good.",
)
@needs_database
def secret(name: str, dialect: str, *, make: bool, remove: bool, overlap_hours: int) -> None:
    """Set what webhooks to the source NAME are signed with, in a DIALECT such as shopify.

    The secret is asked for, or read from what is piped in; it is encrypted and never shown again.
    """
    from amity.store import api

    source_id = find(name).source_id
    if remove:
        api.remove_source_secret(source_id=source_id, dialect=dialect)
        click.echo(f"{name} takes nothing signed in {dialect} any more.")
        return
    given = api.make_source_secret() if make else ask_unseen("Secret")
    api.set_source_secret(
        source_id=source_id,
        dialect=dialect,
        secret=given,
        by="command line",
        overlap_seconds=overlap_hours * 3600,
    )
    if make:
        print_facts([("Secret", given)])
    click.echo(f"Webhooks of {dialect} are taken at /hooks/{dialect}/WRITE_KEY within a second.")


def find(name: str) -> Source:
    """Return the source of that name; raise NotFound with what to do."""
    from amity.store import api

    found = api.find_source(name=name)
    if found is None:
        raise NotFound(f"there is no source named {name!r}; see `amity source list`")
    return found


def _switch(name: str, *, is_enabled: bool, as_json: bool) -> None:
    from amity.store import api

    changed = api.update_source(source_id=find(name).source_id, is_enabled=is_enabled)
    _print_source(changed, as_json=as_json)


def _print_source(item: Source, *, as_json: bool) -> None:
    if as_json:
        print_json(item)
        return
    print_facts(
        [
            ("Name", item.name),
            ("Kind", item.kind),
            ("Enabled", item.is_enabled),
            ("Write key", item.write_key),
        ]
    )
