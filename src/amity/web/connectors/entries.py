"""The entries of the catalogue, gathered from the plug-ins and from what is connected."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec
from django.urls import reverse

from amity.store import api as store
from amity.store import api_fetching, api_outbound
from amity.store.contracts_doors import Snippet
from amity.web.sources.snippets import TRACKER

KINDS: Final = {
    "webhook": "Signed webhooks",
    "client": "Clients and trackers",
    "file": "Files",
    "asked": "Asked by Amity",
    "out": "Outbound",
}
_SCREENS: Final = {
    "databases": "pulls",
    "mailboxes": "mailboxes",
    "enrichment": "enrichments",
    "webhooks": "outbound",
}
"""Where each way in or out that is no plug-in is set up."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Something an entry needs to know, such as a column of a file."""

    label: str
    help: str
    is_required: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be connected."""

    kind: str
    name: str
    title: str
    words: str
    needs: str
    href: str
    """Where it is set up."""
    in_use: str
    """In words, such as "2 sources"; "" for what is not used."""
    steps: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    parts_title: str = ""
    sample: str = ""
    snippets: tuple[Snippet, ...] = ()
    is_signed: bool = False
    is_for_servers: bool = False
    signed_with: str = ""
    subscribe_to: str = ""

    def has(self, search: str) -> bool:
        """Say whether somebody who types this looks for it."""
        return search.casefold() in f"{self.title} {self.words} {self.needs}".casefold()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of one kind."""

    key: str
    label: str
    entries: list[Entry]


def list_entries() -> list[Entry]:
    """Return everything that can be connected, each kind in the order of its titles."""
    return [_tracker(), *_list_dialects(), *_list_files(), *_list_doors(), *_list_destinations()]


def _tracker() -> Entry:
    return Entry(
        kind="client",
        name="amity",
        title=TRACKER.title,
        words=f"The tracker for your own pages. {TRACKER.note}",
        needs="A browser source's write key, which is public",
        href=reverse("sources"),
        in_use="heard of late" if TRACKER.key in store.list_heard() else "",
        snippets=(TRACKER,),
    )


def _list_dialects() -> Iterator[Entry]:
    heard = store.list_heard()
    holders: Counter[str] = Counter()
    for source in store.list_sources():
        holders.update(
            secret.dialect for secret in store.list_source_secrets(source_id=source.source_id)
        )
    for kind in store.list_dialects():
        if kind.is_signed:
            needs = "A server source and its secret"
            in_use = _count(holders[kind.name], "source")
        else:
            needs = "The key of a server source" if kind.is_for_servers else "A source's write key"
            in_use = "heard of late" if kind.name in heard else ""
        yield Entry(
            kind="webhook" if kind.is_signed else "client",
            name=kind.name,
            title=kind.title,
            words=kind.description,
            needs=needs,
            href=reverse("sources"),
            in_use=in_use,
            snippets=kind.snippets,
            is_signed=kind.is_signed,
            is_for_servers=kind.is_for_servers or kind.is_signed,
            signed_with=kind.signed_with,
            subscribe_to=kind.subscribe_to,
        )


def _list_files() -> Iterator[Entry]:
    uses = Counter(each.connector for each in store.list_imports(limit=200).items)
    uses.update(pull.connector for pull in api_fetching.list_pulls() if pull.connector)
    for each in store.list_connectors():
        required = ", ".join(field.label.lower() for field in each.fields if field.required)
        yield Entry(
            kind="file",
            name=each.name,
            title=each.title,
            words=each.description,
            needs=f"A file or a table with: {required}" if required else "A file or a table",
            href=reverse("imports"),
            in_use=_count(uses[each.name], "import"),
            steps=(
                "Choose the file on the page of imports, or pull the table of a database.",
                "See what each column is taken for, and what the first rows become.",
                "Bring it in; rows that cannot come in are listed with the reason.",
            ),
            parts=tuple(
                Part(label=field.label, help=field.help, is_required=field.required)
                for field in each.fields
            ),
            parts_title="Columns it knows",
            sample=each.sample,
        )


def _list_doors() -> Iterator[Entry]:
    uses = {
        "databases": _count(len(api_fetching.list_pulls()), "database"),
        "mailboxes": _count(len(api_fetching.list_mailboxes()), "mailbox", "mailboxes"),
        "enrichment": _count(len(api_fetching.list_enrichments()), "enrichment"),
        "webhooks": _count(len(api_outbound.list_endpoints()), "webhook"),
    }
    for door in store.list_doors():
        yield Entry(
            kind="out" if door.is_out else "asked",
            name=door.name,
            title=door.title,
            words=door.description,
            needs=door.needs,
            href=reverse(_SCREENS[door.name]),
            in_use=uses[door.name],
            steps=door.steps,
        )


def _list_destinations() -> Iterator[Entry]:
    uses = Counter(each.destination for each in api_outbound.list_exports())
    for place in api_outbound.list_destinations():
        yield Entry(
            kind="out",
            name=place.name,
            title=place.title,
            words=place.description,
            needs="A segment and a purpose",
            href=reverse("exports"),
            in_use=_count(uses[place.name], "export"),
            steps=(
                "Make an export: which segment, for which purpose, what of each customer.",
                "Run it once, or let it run by itself; who does not allow the purpose is left out "
                "and counted.",
            ),
            parts=tuple(
                Part(label=field.label, help=field.help, is_required=field.required)
                for field in place.fields
            ),
            parts_title="What it needs to know",
        )


def _count(number: int, one: str, many: str = "") -> str:
    if not number:
        return ""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
