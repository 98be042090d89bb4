"""The data map as a page, and the erasures that were carried out."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.infra.data_map import HeldFile, HeldTable, read_map
from amity.store import api as store
from amity.web.access import requires

_ERASED: Final = {"delete": "deleted", "blank": "emptied of everything personal"}


@require_safe
@requires("about.read")
def show(request: HttpRequest) -> HttpResponse:
    """Show what can hold something personal; with `all`, also what cannot."""
    held = read_map()
    shows_all = "all" in request.GET
    tables = [each for each in held.tables if each.personal or shows_all]
    files = [each for each in held.files if each.personal or shows_all]
    erasures = store.list_erasures(cursor=request.GET.get("cursor"), limit=20)
    page = {
        "tables": [{"it": each, "erasure": _words(each)} for each in tables],
        "files": [{"it": each, "erasure": _words(each)} for each in files],
        "hidden": len(held.tables) - len(tables),
        "shows_all": shows_all,
        "gaps": held.gaps,
        "erasures": erasures.items,
        "next_cursor": erasures.next_cursor,
    }
    return render(request, "held/held.html", page)


def _words(held: HeldTable | HeldFile) -> str:
    """Say what an erasure does to it."""
    return _ERASED.get(held.erase, held.erase.replace("keep: ", "kept: ", 1))
