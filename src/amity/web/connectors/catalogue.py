"""Everything that can be connected, by kind, with what each needs and where it is set up."""

from collections.abc import Iterator
from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from amity.store import api as store
from amity.web.access import requires

KINDS: Final = {
    "webhook": "Signed webhooks",
    "client": "Clients and trackers",
    "file": "Files",
    "asked": "Asked by Amity",
    "out": "Outbound",
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be connected."""

    kind: str
    title: str
    words: str
    needs: str
    href: str

    def has(self, search: str) -> bool:
        """Say whether somebody who types this looks for it."""
        return search.casefold() in f"{self.title} {self.words} {self.needs}".casefold()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of one kind."""

    key: str
    label: str
    entries: list[Entry]


@require_safe
@requires("sources.read")
def show_list(request: HttpRequest) -> HttpResponse:
    """Show the catalogue, searched and filtered as the address says."""
    search, chosen = request.GET.get("q", "").strip()[:100], request.GET.get("show", "")
    chosen = chosen if chosen in KINDS else ""
    found = [entry for entry in _list_entries() if entry.has(search)]
    groups = [
        Group(key=key, label=label, entries=[each for each in found if each.kind == key])
        for key, label in KINDS.items()
    ]
    context = {
        "groups": [each for each in groups if each.entries and chosen in ("", each.key)],
        "chips": [("", "All", len(found))]
        + [(each.key, each.label, len(each.entries)) for each in groups if each.entries],
        "search": search,
        "chosen": chosen,
    }
    return render(request, "connectors/list.html", context)


def _list_entries() -> Iterator[Entry]:
    for kind in store.list_dialects():
        if kind.is_signed:
            needs = f"A server source and its secret; POST /hooks/{kind.name}/WRITE_KEY"
        elif kind.is_for_servers:
            needs = f"The key of a server source; {kind.routes[0]}"
        else:
            needs = "A source's write key, and the collector's address in the client"
        yield Entry(
            kind="webhook" if kind.is_signed else "client",
            title=kind.title,
            words=kind.description,
            needs=needs,
            href=reverse("sources"),
        )
    for each in store.list_connectors():
        required = ", ".join(field.label.lower() for field in each.fields if field.required)
        yield Entry(
            kind="file",
            title=each.title,
            words=each.description,
            needs=f"A file or a table with: {required}" if required else "A file or a table",
            href=reverse("imports"),
        )
    yield from _list_asked()
    for place in store.list_destinations():
        yield Entry(
            kind="out",
            title=place.title,
            words=place.description,
            needs="A segment and a purpose",
            href=reverse("exports"),
        )


def _list_asked() -> Iterator[Entry]:
    yield Entry(
        kind="asked",
        title="Databases",
        words="Tables of PostgreSQL, MySQL, MariaDB and SQLite, pulled by a cursor column.",
        needs="An account that may only read",
        href=reverse("pulls"),
    )
    yield Entry(
        kind="asked",
        title="Mailboxes",
        words="E-mail of customers and reports of bounces and complaints, read by IMAP.",
        needs="Host, user name and password of a mailbox",
        href=reverse("mailboxes"),
    )
    yield Entry(
        kind="asked",
        title="Enrichment over HTTP",
        words="What somebody else knows of customers who allow to be asked about.",
        needs="A URL, what may be sent, a purpose and a lawful basis",
        href=reverse("enrichments"),
    )
    yield Entry(
        kind="out",
        title="Webhooks to others",
        words="Events told to other systems: Standard Webhooks and CloudEvents.",
        needs="A public https address",
        href=reverse("outbound"),
    )
