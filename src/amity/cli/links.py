"""`amity links`: the key that signs the links in messages."""

import click

from amity.cli.output import json_option, print_json
from amity.cli.running import needs_database

_WORDS = """New links are signed with key {key} from now on.

What goes on working:
  - links in messages sent before: to unsubscribe for ever, to the preferences for their 30 days,
    and clicks and opens;
  - whatever runs here: it takes the new key by itself.
What to see to:
  - {file} belongs to the backups: without it, links signed from now on are void;
  - an edge or a sender on another machine needs a copy of it there;
  - older keys in it are believed until somebody deletes them. That makes every link signed with
    them void, also those to unsubscribe. The first key is made of the installation's secret, and
    is always believed."""


@click.group()
def links() -> None:
    """Manage the key that signs the links in messages."""


@links.command(name="rotate-key")
@json_option
@needs_database
def rotate_key(*, as_json: bool) -> None:
    """Sign links with a new key from now on; links sent before go on working.

    Says what to see to afterwards: the keys lie in `link_keys.json` in the data folder.
    """
    from amity.infra import tokens

    key = tokens.rotate_key()
    file = tokens.key_file()
    if as_json:
        print_json({"key": key, "file": str(file)})
    else:
        click.echo(_WORDS.format(key=key, file=file))
