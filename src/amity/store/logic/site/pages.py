"""What a page is about (pure): schema.org, Open Graph and headings out of its HTML.

Whatever is in a page was written by others: every text is cleaned and cut, and what cannot be read
is left out. Reading never fails.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode

from amity.store.logic.visits.interests import Vector, clean_topic, read_topics
from amity.store.logic.visits.pages import clean_url

_BLOCKS: Final = 30
_ITEMS: Final = 200
_DEPTH: Final = 8
_LINKS: Final = 1_000
_HEADINGS: Final = 20
_TOPICS: Final = 12
_KEPT: Final = 12
_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_LIST_TYPES: Final = frozenset({"collectionpage", "itemlist", "offercatalog", "productgroup"})
_ARTICLE: Final = re.compile(r"article|blogposting|newsarticle|recipe|howto", re.IGNORECASE)
_HOME: Final = frozenset({"home", "homepage", "start", "startseite", "accueil", "inicio"})
_FIELDS: Final = (
    "name", "headline", "description", "sku", "productID", "mpn", "gtin13", "category", "brand",
    "price", "priceCurrency", "availability", "articleSection", "keywords", "datePublished",
)  # fmt: skip


class PageProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What one page says of itself, and where it leads."""

    title: str = ""
    description: str = ""
    kind: str = ""
    product_id: str = ""
    headings: list[str] = []
    facts: dict[str, Any] = {}
    topics: Vector = {}
    links: list[str] = []
    """Whole addresses, cleaned, in the order of the page; none when it says not to follow."""
    is_listed: bool = True
    """Whether it lets itself be read by machines (`noindex`)."""


def profile_page(url: str, body: bytes, content_type: str = "", robots: str = "") -> PageProfile:
    """Return what a page of HTML is about; ``robots`` is its header `X-Robots-Tag`."""
    tree = LexborHTMLParser(_decode(body, content_type))
    said = f"{robots} {_meta(tree, 'robots')} {_meta(tree, 'amitybot')}".lower()
    links = [] if "nofollow" in said or "none" in said.split() else _links(tree, url)
    if "noindex" in said or "none" in said.split():
        return PageProfile(links=links, is_listed=False)
    items = [*_json_ld(tree), *_microdata(tree)]
    graph = _open_graph(tree)
    kind = _kind(items, graph)
    headings = [
        text for node in tree.css("h1, h2")[:_HEADINGS] if (text := _clean(node.text(), 200))
    ]
    return PageProfile(
        title=_title(tree) or _text(graph.get("og:title")),
        description=_meta(tree, "description") or _text(graph.get("og:description"), 500),
        kind=kind,
        product_id=_product_id(items, graph) if kind == "product" else "",
        headings=headings,
        facts={"schema": [_reduce(item) for item in items][:_KEPT], "open_graph": graph},
        topics=_topics(items, graph, kind, headings),
        links=links,
    )


def _decode(body: bytes, content_type: str) -> str:
    found = _CHARSET.search(content_type.encode("latin-1", "replace")) or _CHARSET.search(
        body[:2048]
    )
    name = found[1].decode("ascii", "replace") if found else "utf-8"
    try:
        codecs.lookup(name)
        return body.decode(name, "replace")
    except (LookupError, ValueError, TypeError):
        return body.decode("utf-8", "replace")


def _clean(value: str | None, longest: int) -> str:
    text = (value or "").replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())[:longest]


def _text(value: Any, longest: int = 200) -> str:
    if isinstance(value, list):
        value = next((each for each in value if isinstance(each, str | dict)), "")
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return _clean(value, longest) if isinstance(value, str) else ""


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("head > title") or tree.css_first("h1")
    return _clean(node.text(), 300) if node else ""


def _meta(tree: LexborHTMLParser, name: str) -> str:
    node = tree.css_first(f'meta[name="{name}" i]')
    return _clean(node.attributes.get("content"), 500) if node else ""


def _links(tree: LexborHTMLParser, url: str) -> list[str]:
    base = tree.css_first("base[href]")
    root = _join(url, base.attributes.get("href")) if base else url
    found: dict[str, None] = {}
    for node in tree.css("a[href]")[:_LINKS]:
        if "nofollow" in (node.attributes.get("rel") or "").lower():
            continue
        target = clean_url(_join(root or url, node.attributes.get("href")))
        if target.startswith(("http://", "https://")):
            found[target] = None
    return list(found)


def _join(base: str, href: str | None) -> str:
    try:
        return urljoin(base, (href or "").strip())
    except ValueError:
        return ""


def _json_ld(tree: LexborHTMLParser) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for node in tree.css('script[type="application/ld+json" i]')[:_BLOCKS]:
        try:
            items += _walk(msgspec.json.decode(node.text().strip()), 0)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            continue
    return items[:_ITEMS]


def _walk(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield what has a type, outermost first: top level, `@graph`, lists, main entities."""
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for each in value[:_ITEMS]:
            yield from _walk(each, depth + 1)
    elif isinstance(value, dict):
        if "@type" in value:
            yield value
        for key in ("@graph", "mainEntity", "mainEntityOfPage", "breadcrumb"):
            yield from _walk(value.get(key), depth + 1)


def _microdata(tree: LexborHTMLParser) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for node in tree.css('[itemscope][itemtype*="schema.org/Product" i]')[:_BLOCKS]:
        item: dict[str, Any] = {"@type": "Product"}
        for part in node.css("[itemprop]")[:_ITEMS]:
            name = part.attributes.get("itemprop") or ""
            if name in _FIELDS:
                item.setdefault(name, _value(part))
        items.append(item)
    return items


def _value(node: LexborNode) -> str:
    return _clean(node.attributes.get("content") or node.text(), 300)


def _open_graph(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta[property]")[:_ITEMS]:
        name = (node.attributes.get("property") or "").lower()
        if name.startswith(("og:", "product:", "article:")) and len(name) < 60:
            found.setdefault(name, _clean(node.attributes.get("content"), 300))
    return dict(sorted(found.items())[:40])


def _types(item: Mapping[str, Any]) -> list[str]:
    said = item.get("@type")
    said = said if isinstance(said, list) else [said]
    return [str(each).rpartition("/")[2].lower() for each in said]


def _kind(items: Sequence[Mapping[str, Any]], graph: Mapping[str, str]) -> str:
    types = {each for item in items for each in _types(item)}
    if "product" in types or graph.get("og:type", "").startswith("product"):
        return "product"
    if graph.get("og:type") == "article" or any(_ARTICLE.search(each) for each in types):
        return "article"
    return "list" if types & _LIST_TYPES else ""


def _product_id(items: Sequence[Mapping[str, Any]], graph: Mapping[str, str]) -> str:
    for item in items:
        if "product" in _types(item):
            for key in ("productID", "sku", "mpn", "gtin13"):
                if found := _text(item.get(key)):
                    return found
    return _text(graph.get("product:retailer_item_id"))


def _reduce(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few things of an item that are kept, as short texts."""
    kept = {"type": ", ".join(_types(item))[:80]}
    offers = item.get("offers")
    offer = offers[0] if isinstance(offers, list) and offers else offers
    whole = {**(offer if isinstance(offer, dict) else {}), **item}
    kept |= {key: text for key in _FIELDS if (text := _text(whole.get(key), 300))}
    crumbs = _crumbs(item)
    return kept | ({"path": " > ".join(crumbs)} if crumbs else {})


def _crumbs(item: Mapping[str, Any]) -> list[str]:
    """Return the names of a trail of breadcrumbs, from the outermost, without the home page."""
    steps = item.get("itemListElement") if "breadcrumblist" in _types(item) else None
    if not isinstance(steps, list):
        return []
    named = []
    for number, step in enumerate(steps[:10]):
        if isinstance(step, dict):
            place = step.get("position")
            order = place if isinstance(place, int | float) else number
            named.append((order, _text(step.get("name")) or _text(step.get("item"))))
    names = [name for _, name in sorted(named) if name]
    return [name for name in names if name.casefold() not in _HOME]


def _topics(
    items: Sequence[Mapping[str, Any]], graph: Mapping[str, str], kind: str, headings: Sequence[str]
) -> Vector:
    found: Vector = {}
    for item in items:
        crumbs = _crumbs(item)
        if kind in ("product", "article"):
            crumbs = crumbs[:-1]  # the last is the page itself
        words = _text(item.get("keywords")).split(",")[:3]
        path = (
            " > ".join(crumbs) or _text(item.get("category")) or _text(item.get("articleSection"))
        )
        _raise(found, read_topics({"category": path, "brand": _text(item.get("brand"))}), 1.0)
        _raise(found, read_topics({"tags": words}), 0.5)
    graphed = {"category": graph.get("product:category") or graph.get("article:section", "")}
    _raise(found, read_topics(graphed | {"brand": graph.get("product:brand", "")}), 1.0)
    if not found and kind != "product" and headings and (topic := clean_topic(headings[0])):
        found[topic] = 0.5
    ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return dict(ranked[:_TOPICS])


def _raise(found: Vector, more: Vector, share: float) -> None:
    for topic, weight in more.items():
        found[topic] = max(found.get(topic, 0.0), weight * share)
