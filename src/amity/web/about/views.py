"""About this data: what is real, what is simulated, what was joined and how."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.infra.config import settings
from amity.store import api as store
from amity.web.about_file import read_about
from amity.web.access import requires


@requires("about.read")
@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Say whose data this is, in the words the loader left."""
    told = read_about()
    counts = store.count_by_source()
    sources = [
        {"name": source.name, "kind": source.kind, "counts": counts.get(source.source_id)}
        for source in store.list_sources()
    ]
    page = {
        "about": told,
        "simulated": _lines(told.simulated) if told else [],
        "joined": _lines(told.joined) if told else [],
        "sources": sources,
        "currency": settings().currency,
        "zone": settings().time_zone,
    }
    return render(request, "about/about.html", page)


def _lines(words: str | list[str]) -> list[str]:
    return [words] if isinstance(words, str) and words else list(words)
