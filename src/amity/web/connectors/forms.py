"""What the screens of connections share: their list with its form, the source they count for."""

from collections.abc import Callable
from typing import Any

import msgspec
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from amity.kernel.errors import AmityError, Invalid
from amity.store import api as store
from amity.store.contracts import Source
from amity.web.access import may
from amity.web.errors import denied, sentence


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """A list of connections with the form that adds one."""

    name: str
    """Of its address, and of its template in `connectors/`."""
    added: str
    """What is said once one was added."""
    create: Callable[[HttpRequest], None]
    describe: Callable[[], dict[str, Any]]
    """What the template needs beside what all such lists need."""

    def show(self, request: HttpRequest) -> HttpResponse:
        """Show the list; add one, and keep what was typed when it cannot be."""
        error, can_write = "", may(request, "pulls.write")
        if request.method == "POST":
            if not can_write:
                return denied(request)
            try:
                self.create(request)
            except AmityError as refusal:
                error = sentence(refusal)
            else:
                messages.success(request, self.added)
                return redirect(self.name)
        context = self.describe() | {
            "sources": list_sources(),
            "can_write": can_write,
            "error": error,
            "given": request.POST,
        }
        status = 422 if error else 200
        return render(request, f"connectors/{self.name}.html", context, status=status)

    def change(
        self, request: HttpRequest, number: int, do: Callable[[HttpRequest, str, int], str]
    ) -> HttpResponse:
        """Do what a button of one connection says, and tell what came of it."""
        try:
            messages.success(request, do(request, request.POST.get("do", ""), number))
        except AmityError as refusal:
            messages.error(request, sentence(refusal))
        return redirect(self.name)


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
