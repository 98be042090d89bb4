"""Templates to begin with."""

from functools import cache
from importlib.resources import files
from typing import Final

from amity.broadcast.contracts import Starter

_STARTERS: Final = (
    (
        "newsletter",
        "Newsletter with offers",
        "Marketing; shows what was decided for each customer in a placement.",
        "{{ customer.first_name | default: 'Hello' }}, here is what is new",
        "Picked for you this week",
    ),
    (
        "abandoned_cart",
        "Abandoned cart",
        "Marketing; for a journey that begins with a filled basket.",
        "You left something behind",
        "Your basket is still as you left it",
    ),
    (
        "letter",
        "Plain letter",
        "Marketing; a few lines of text, nothing else.",
        "A word from {{ brand.name }}",
        "",
    ),
)


@cache
def list_starters() -> tuple[Starter, ...]:
    """Return the templates to begin with."""
    folder = files("amity.broadcast.starters")
    return tuple(
        Starter(
            key=key,
            title=title,
            words=words,
            message_class="marketing",
            subject=subject,
            preheader=preheader,
            source=folder.joinpath(f"{key}.mjml").read_text("utf-8"),
        )
        for key, title, words, subject, preheader in _STARTERS
    )
