"""The company's own site: which it is, when it is read, and what is known of its pages."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from amity.infra import egress, queries
from amity.infra.database import transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_visits import Crawl, Site, SitePage
from amity.store.logic.visits.pages import clean_url

_SQL: Final = queries.load("amity.store")
_MOST_STARTS: Final = 20
_MOST: Final = 200


def get_site() -> Site:
    """Return which site is the company's own, and how it is read."""
    with transaction() as connection:
        row = connection.execute(_SQL["site_read"]).fetchone()
    assert row is not None
    return Site(**dict(zip(Site.__struct_fields__, row, strict=True)))


def configure_site(*, site: Site, by: str) -> Site:
    """Say which site is the company's own; raise Invalid, or Denied for what may not be called.

    Only pages of the hosts that the addresses name are ever asked for.
    """
    starts = list(dict.fromkeys(clean_url(_whole(url)) for url in site.start_urls if url.strip()))
    if "" in starts:
        raise Invalid("write whole addresses, such as https://shop.example/", code="bad_url")
    if len(starts) > _MOST_STARTS:
        raise Invalid(f"at most {_MOST_STARTS} addresses to begin at", code="too_many")
    if site.is_enabled and not starts:
        raise Invalid("name the site first, then switch reading on", code="no_site")
    bounds = {"max_pages": (1, 50_000), "max_depth": (0, 20), "every_days": (1, 90)}
    for name, (low, high) in bounds.items():
        if not low <= getattr(site, name) <= high:
            raise Invalid(f"{name.replace('_', ' ')} is between {low} and {high}", code="bad_bound")
    for url in starts:
        egress.check_url(url)
    checked = msgspec.structs.replace(site, start_urls=starts)
    with transaction() as connection:
        values = [getattr(checked, name) for name in Site.__struct_fields__]
        connection.execute(_SQL["site_write"], [*values, by])
    return checked


def _whole(url: str) -> str:
    url = url.strip()
    return url if "://" in url else f"https://{url}"


def hosts_of(site: Site) -> frozenset[tuple[str, int | None]]:
    """Return the hosts, with their ports, that are the company's own."""
    return frozenset(host_of(url) for url in site.start_urls)


def host_of(url: str) -> tuple[str, int | None]:
    """Return the host and the port an address names; ("", None) when it names none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def ask_crawl(*, by: str, now: datetime) -> int:
    """Ask for the site to be read; raise Conflict when that waits already or nothing is named."""
    site = get_site()
    if not site.is_enabled or not site.start_urls:
        raise Conflict("name the site and switch reading on first")
    with transaction() as connection:
        row = connection.execute(_SQL["crawl_ask"], [now, by]).fetchone()
    if row is None:
        raise Conflict("the site is being read already")
    crawl_id: int = row[0]
    return crawl_id


def stop_crawl(*, now: datetime) -> None:
    """Have the reading of the site end after the page it is at."""
    with transaction() as connection:
        connection.execute(_SQL["crawl_stop"], [now])


def list_crawls(*, limit: int = 10) -> list[Crawl]:
    """Return the latest readings of the site, the last first."""
    with transaction() as connection:
        rows = connection.execute(_SQL["crawl_list"], [limit]).fetchall()
    return [Crawl(**dict(zip(Crawl.__struct_fields__, row, strict=True))) for row in rows]


def list_site_pages(
    *, search: str = "", kind: str = "", limit: int = 50, cursor: str | None = None
) -> Page[SitePage]:
    """Return pages of the site by address; ``search`` is in address, title, product or a topic."""
    if not 0 < limit <= _MOST:
        raise Invalid(f"a page has 1 to {_MOST} rows", code="bad_limit")
    values = {
        "search": search.strip().replace("\0", "").casefold()[:200],
        "kind": kind[:20].replace("\0", ""),
        "after": decode_cursor(cursor, (str,))[0].replace("\0", "") if cursor else "",
        "limit": limit + 1,
    }
    with transaction() as connection:
        rows = connection.execute(_SQL["page_list"], values).fetchall()
    pages = [_page(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(pages, encode_cursor([pages[-1].url]) if more else None)


def get_site_page(*, url: str) -> SitePage:
    """Return what is known of one page; raise NotFound."""
    with transaction() as connection:
        row = connection.execute(_SQL["page_one"], [url.replace("\0", "")]).fetchone()
    if row is None:
        raise NotFound("this page has not been read")
    return _page(row)


def _page(row: tuple[Any, ...]) -> SitePage:
    return SitePage(**dict(zip(SitePage.__struct_fields__, row, strict=True)))


def count_site_pages() -> dict[str, int]:
    """Return how many pages are known, by kind."""
    with transaction() as connection:
        return {kind: count for kind, count in connection.execute(_SQL["page_counts"])}
