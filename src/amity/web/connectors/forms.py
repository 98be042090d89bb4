"""What the forms of connections share: the source they count for, and how refusals are said."""

from django.http import HttpRequest

from amity.kernel.errors import AmityError, Invalid
from amity.store import api as store
from amity.store.contracts import Source


def list_sources() -> list[Source]:
    """Return the sources that things can count for: whose keys are secret."""
    return [source for source in store.list_sources() if source.kind == "server"]


def read_source(request: HttpRequest) -> int:
    """Return the source that was chosen; a new one has the name of the connection."""
    text = request.POST.get("source", "")
    if text in ("", "new"):
        name = request.POST.get("name", "")
        found = store.find_source(name=name)
        return (found or store.create_source(name=name, kind="server")).source_id
    if not text.isdecimal():
        raise Invalid("choose which source it counts for")
    return int(text)


def read_number(request: HttpRequest, name: str, otherwise: int) -> int:
    """Return a whole number of the form; raise Invalid for what is none."""
    text = request.POST.get(name, "").strip()
    if not text:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Invalid(f"{text[:20]!r} is not a whole number")
    return int(text)


def say(error: AmityError) -> str:
    """Return a refusal as a sentence."""
    return f"{error.message[:1].upper()}{error.message[1:]}."
