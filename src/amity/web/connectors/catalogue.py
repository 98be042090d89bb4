"""Everything that can be connected, by kind: what it does, whether it is in use, how it is set up.

The words are the plug-ins' own; here stands only how they are shown.
"""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from amity.infra.config import settings
from amity.kernel.errors import NotFound
from amity.store import api as store
from amity.store.contracts import SYSTEM_SOURCE_ID, Source
from amity.web.access import may, requires
from amity.web.connectors.entries import KINDS, Entry, Group, list_entries
from amity.web.sources.snippets import collector_url

_HIDDEN_KEY: Final = "WRITE_KEY"
_USED: Final = "used"


@require_safe
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the catalogue, searched and filtered as the address says."""
    search, chosen = request.GET.get("q", "").strip()[:100], request.GET.get("show", "")
    chosen = chosen if chosen in (*KINDS, _USED) else ""
    found = [entry for entry in list_entries() if entry.has(search)]
    used = [entry for entry in found if entry.in_use]
    groups = [
        Group(key=key, label=label, entries=[each for each in found if each.kind == key])
        for key, label in KINDS.items()
    ]
    chips = [("", "All", len(found)), (_USED, "In use", len(used))]
    chips += [(each.key, each.label, len(each.entries)) for each in groups if each.entries]
    context = {
        "groups": [each for each in _narrow(groups, chosen) if each.entries],
        "chips": chips,
        "search": search,
        "chosen": chosen,
    }
    return render(request, "connectors/list.html", context)


def _narrow(groups: list[Group], chosen: str) -> list[Group]:
    if chosen == _USED:
        return [
            Group(
                key=each.key,
                label=each.label,
                entries=[entry for entry in each.entries if entry.in_use],
            )
            for each in groups
        ]
    return [each for each in groups if chosen in ("", each.key)]


@require_safe
@requires("sources.read")
def show_one(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Show one: what it does, where it is in use, and how to set it up, ready to paste."""
    entry = next((e for e in list_entries() if (e.kind, e.name) == (kind, name)), None)
    if entry is None:
        raise NotFound(f"there is no connector {name!r}")
    context: dict[str, Any] = {"entry": entry, "label": KINDS[entry.kind]}
    if entry.kind in ("webhook", "client"):
        context |= _pasting(request, entry)
    return render(request, "connectors/one.html", context)


def _pasting(request: HttpRequest, entry: Entry) -> dict[str, Any]:
    """Return the snippets with the address and the key of the source that was chosen."""
    sources = [
        source
        for source in store.list_sources()
        if source.source_id != SYSTEM_SOURCE_ID
        and (source.kind == "server" or not entry.is_for_servers)
    ]
    source = _choose(sources, request.GET.get("source", ""))
    shows_key = may(request, "sources.write")
    key = source.write_key if source is not None and shows_key else _HIDDEN_KEY
    url = collector_url(settings(), request.get_host().rpartition(":")[0] or request.get_host())
    secrets = store.list_source_secrets(source_id=source.source_id) if source else []
    return {
        "sources": sources,
        "source": source,
        "shows_key": shows_key,
        "snippets": [snippet.fill(url=url, key=key) for snippet in entry.snippets],
        "hook": f"{url}/hooks/{entry.name}/{key}" if entry.is_signed else "",
        "has_secret": entry.name in {each.dialect for each in secrets},
        "new_source": reverse("source_new"),
    }


def _choose(sources: list[Source], wanted: str) -> Source | None:
    for source in sources:
        if str(source.source_id) == wanted:
            return source
    return sources[0] if sources else None
