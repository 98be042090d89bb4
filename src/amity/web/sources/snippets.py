"""The few lines of code that send a first event, with the right address and write key in them."""

from typing import Final

from amity.infra.config import Settings
from amity.store import api as store
from amity.store.contracts import Source
from amity.store.contracts_doors import Snippet

_EVERYWHERE: Final = {"0.0.0.0", "::", "[::]", "*", ""}  # noqa: S104  # read, not bound to


def collector_url(settings: Settings, page_host: str) -> str:
    """Return the collector's address as the reader's machine sees it.

    When the collector listens on every address, the host the reader came by is the best guess.
    """
    host = settings.edge_host
    if host in _EVERYWHERE:
        host = page_host
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.edge_port}"


def make_snippets(source: Source, url: str) -> list[Snippet]:
    """Return the snippets for ``source``, the likeliest for its kind first.

    All but that of our own tracker are their connectors' own.
    """
    kinds = [kind for kind in store.list_dialects() if kind.snippets]
    # Those of the house's own form come first.
    kinds.sort(key=lambda kind: kind.name != "segment")
    made = [
        snippet.fill(url=url, key=source.write_key)
        for kind in kinds
        for snippet in kind.snippets
        if source.kind == "server" or not kind.is_for_servers
    ]
    if source.kind == "browser":
        made.sort(key=lambda snippet: snippet.key != "javascript")
        made.insert(0, TRACKER.fill(url=url, key=source.write_key))
    return made


def example_event(user_id: str = "u-1042") -> dict[str, object]:
    """Return the event the snippets send."""
    return {
        "type": "track",
        "userId": user_id,
        "event": "Product Viewed",
        "properties": {"product_id": "sourdough-800", "name": "Sourdough 800 g", "price": 3.2},
    }


TRACKER: Final = Snippet(
    key="tracker",
    title="amity.js",
    code=(
        '<script async src="{url}/amity.js"\n  data-key="{key}"\n'
        '  data-consent="required"></script>\n\n'
        "<!-- in a script of your page -->\n"
        "(window.amity = window.amity || []).push(\n"
        '  ["consent", { analytics: true }], // once your visitor has agreed\n'
        '  ["track", "Product Viewed", { product_id: "sourdough-800", price: 3.2 }],\n'
        ");\n"
    ),
    note="Under 3 kB. Tells pages by itself; waits for consent, and heeds the privacy signal.",
)
