"""The palette: what a few letters lead to."""

from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from amity.web.access import requires, staff_of
from amity.web.shell import visible

_EACH: Final = 6


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: what it is called, what it is, where it leads."""

    label: str
    kind: str
    href: str


@requires("overview.read")
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Answer the palette with the best few of each kind; pages alone when nothing is typed."""
    query = request.GET.get("q", "").strip()[:200]
    found = _pages(request, query)
    return render(request, "find/found.html", {"found": found, "query": query})


def _pages(request: HttpRequest, query: str) -> list[Found]:
    return [
        Found(label=entry.label, kind="page", href=reverse(entry.url_name))
        for entry in visible(staff_of(request))
        if query.casefold() in entry.label.casefold()
    ]
