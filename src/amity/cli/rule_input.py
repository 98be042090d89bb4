"""Rules as commands take them: as text or JSON, written out, in a file or on standard input."""

import sys
from pathlib import Path
from typing import Any

import click

rule_option = click.option(
    "--rule",
    "written",
    required=True,
    metavar="TEXT|JSON|FILE|-",
    help="The rule, as text such as 'country is FR', or as JSON.",
)


def read_rule(written: str) -> dict[str, Any]:
    """Read a rule from itself, from the file of that name, or from standard input (`-`).

    What has no space in it and is no JSON is a file: no rule is a single word. Raises Invalid
    with the place and the reason, OSError when there is no such file.
    """
    from amity.analysis import api

    text = written.strip()
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    elif not text.startswith("{") and (len(text.split()) < 2 or _is_file(text)):
        text = Path(text).read_bytes().decode("utf-8", "replace")
    return api.read_rule(written=text)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:
        # A rule may be longer than the name of a file.
        return False
