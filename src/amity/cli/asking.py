"""What commands ask for: secrets, never seen on the command line, and things by their names."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import click

from amity.kernel.errors import NotFound

if TYPE_CHECKING:
    from amity.analysis.contracts import Segment

T = TypeVar("T")


def ask_unseen(label: str) -> str:
    """Return a secret: asked for unseen, or what is piped in.

    Never an argument, where other people of the machine could read it.
    """
    if sys.stdin.isatty():
        return str(click.prompt(label, hide_input=True))
    return sys.stdin.read().strip()


def find_named(known: Mapping[str, T], name: str, what: str) -> T:
    """Return the thing of that name; raise NotFound with the names there are."""
    if name in known:
        return known[name]
    names = ", ".join(map(repr, known)) or f"none; begin with `amity {what} add`"
    raise NotFound(f"there is no {what} {name!r}; there is: {names}")


def find_segment(name: str) -> "Segment":
    """Return the segment of that name; raise NotFound with what to do."""
    from amity.analysis import api

    found = api.find_segment(name=name)
    if found is None:
        raise NotFound(f"there is no segment named {name!r}; see `amity segment list`")
    return found
