"""Reading the company's own site: politely, page by page, never anybody else's.

robots.txt is obeyed, a second or more lies between two requests to a host, and every address,
those a page redirects to included, is asked for only when its host is one of the site's own.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from amity.infra import egress, queries
from amity.infra.database import conninfo, transaction
from amity.kernel.errors import AmityError
from amity.store.contracts_visits import Site
from amity.store.logic.site.pages import PageProfile, profile_page
from amity.store.logic.site.robots import AGENT, Robots, read_sitemap
from amity.store.logic.site.sites import get_site, host_of, hosts_of
from amity.store.logic.visits.pages import clean_url

_SQL: Final = queries.load("amity.store")
_log = logging.getLogger(__name__)
_HEADERS: Final = (
    ("User-Agent", f"{AGENT}/1.0 (reads the pages of the site it works for)"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9"),
    ("Accept-Encoding", "gzip"),
)
_PAGE_BYTES: Final = 2_000_000
_MAP_BYTES: Final = 5_000_000
_ALL_BYTES: Final = 2_000_000_000
_LONGEST_SECONDS: Final = 12 * 3600.0
_MAPS: Final = 50
_HOPS: Final = 5
_FAILURES_IN_A_ROW: Final = 20
_GONE: Final = frozenset({404, 410})

Wait = Callable[[float], None]


class _Found(msgspec.Struct, frozen=True):
    url: str
    depth: int
    hops: int = 0


class _Stopped(Exception):
    """Somebody asked for the reading to end."""


def read_site(*, now: datetime, wait: Wait = time.sleep) -> int:
    """Read the site if that is asked for or due; return how many pages were asked for.

    Safe from several processes: one reads. A reading that was cut off begins again; pages that
    did not change since cost next to nothing.
    """
    with transaction() as connection:
        connection.execute(_SQL["crawl_ask_due"], {"now": now})
    with _hold() as held:
        if not held:
            return 0
        with transaction() as connection:
            row = connection.execute(_SQL["crawl_take"], [now]).fetchone()
        if row is None:
            return 0
        crawl = _Crawl(row[0], get_site(), now=now, wait=wait)
        state, note = "finished", ""
        try:
            note = crawl.run()
        except _Stopped:
            state = "stopped"
        except AmityError as error:
            state, note = "failed", error.message
        with transaction() as connection:
            values = [state, note, crawl.now, len(crawl.queue), row[0]]
            connection.execute(_SQL["crawl_end"], values)
        return crawl.asked


@contextmanager
def _hold() -> Iterator[bool]:
    """Hold the reading for this process; its end frees it, however it ends."""
    with psycopg.connect(conninfo("app"), autocommit=True) as connection:
        row = connection.execute(_SQL["crawl_lock"]).fetchone()
        held = bool(row and row[0])
        yield held
        if held:
            connection.execute(_SQL["crawl_unlock"])


class _Crawl:
    """One reading under way."""

    def __init__(self, crawl_id: int, site: Site, *, now: datetime, wait: Wait) -> None:
        self.crawl_id, self.site, self.wait = crawl_id, site, wait
        self._begun_at = now
        self.hosts = hosts_of(site)
        self.queue: deque[_Found] = deque()
        self.seen: set[str] = set()
        self.robots: dict[tuple[str, str], Robots] = {}
        self.asked_at: dict[tuple[str, int | None], float] = {}
        self.began_at = time.monotonic()
        self.asked = self.fetched = self.unchanged = self.failed = self.refused = 0
        self.bytes = self.failed_in_a_row = 0

    @property
    def now(self) -> datetime:
        """The moment, as far as the reading has come."""
        return self._begun_at + timedelta(seconds=time.monotonic() - self.began_at)

    def run(self) -> str:
        """Read until nothing is left or a limit is reached; return which, as words."""
        for url in self.site.start_urls:
            self._find(_Found(url, 0))
        for url in self.site.start_urls:
            self._read_sitemaps(url)
        self._find_known()
        while self.queue:
            limit = self._limit()
            if limit:
                return limit
            self._read(self.queue.popleft())
            self._tell()
        self._tell()
        return ""

    def _find_known(self) -> None:
        """List the pages read before: one that has not changed does not say where it leads."""
        with transaction() as connection:
            rows = connection.execute(_SQL["page_urls"], [self.site.max_pages]).fetchall()
        for (url,) in rows:
            self._find(_Found(url, 1))

    def _limit(self) -> str:
        if self.fetched + self.unchanged >= self.site.max_pages:
            return f"the limit of {self.site.max_pages:,} pages was reached"
        if self.bytes >= _ALL_BYTES:
            return "the limit of bytes was reached"
        if time.monotonic() - self.began_at >= _LONGEST_SECONDS:
            return "the limit of time was reached"
        if self.failed_in_a_row >= _FAILURES_IN_A_ROW:
            return "the site did not answer many times in a row"
        return ""

    def _tell(self) -> None:
        """Write down how far it is; end when that is wished."""
        names = ("crawl_id", "fetched", "unchanged", "failed", "refused", "bytes")
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        values |= {"waiting": len(self.queue), "now": self.now}
        with transaction() as connection:
            row = connection.execute(_SQL["crawl_note"], values).fetchone()
        if row is None or row[0]:
            raise _Stopped

    def _find(self, found: _Found, *, first: bool = False) -> None:
        """Put an address on the list, unless it was there or is not ours."""
        url = clean_url(found.url)
        if not url or url in self.seen or found.depth > self.site.max_depth:
            return
        self.seen.add(url)
        if host_of(url) not in self.hosts:
            self.refused += first  # links lead elsewhere all the time; redirects should not
            return
        if len(self.queue) >= 5 * self.site.max_pages:
            return
        item = msgspec.structs.replace(found, url=url)
        self.queue.appendleft(item) if first else self.queue.append(item)

    def _robots_of(self, url: str) -> Robots:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self.robots:
            target: str = f"{parts.scheme}://{parts.netloc}/robots.txt"
            answer = None
            for _ in range(_HOPS):
                answer = self._fetch(target, 500_000, 1.0)
                if answer is None or answer.status not in (301, 302, 303, 307, 308):
                    break
                target = urljoin(target, answer.header("location"))
                if host_of(target) not in self.hosts:
                    answer = None
                    break
            self.robots[key] = Robots(answer.status, answer.body) if answer else Robots(0, b"")
        return self.robots[key]

    def _fetch(
        self, url: str, max_bytes: int, delay: float, headers: tuple[tuple[str, str], ...] = ()
    ) -> egress.Response | None:
        """Ask for one address of ours, after a pause; None when nothing came back."""
        host = host_of(url)
        if host not in self.hosts:
            return None
        waited = time.monotonic() - self.asked_at.get(host, -1e9)
        if waited < delay:
            self.wait(delay - waited)
        self.asked += 1
        try:
            answer = egress.fetch(
                method="GET",
                url=url,
                headers=(*_HEADERS, *headers),
                timeout_seconds=20,
                max_bytes=max_bytes,
            )
        except AmityError as error:
            _log.info("a page of the site could not be read: %s", error.message)
            return None
        finally:
            self.asked_at[host] = time.monotonic()
        self.bytes += len(answer.body)
        return answer

    def _read_sitemaps(self, start: str) -> None:
        rules = self._robots_of(start)
        parts = urlsplit(start)
        maps = deque(rules.sitemaps or [f"{parts.scheme}://{parts.netloc}/sitemap.xml"])
        read: set[str] = set()
        while maps and len(read) < _MAPS:
            url = maps.popleft()
            if url in read or host_of(url) not in self.hosts:
                continue
            read.add(url)
            if not self._robots_of(url).allows(url):
                continue
            answer = self._fetch(url, _MAP_BYTES, rules.delay_seconds)
            if answer is None or not answer.is_success or answer.truncated:
                continue
            pages, more = read_sitemap(answer.body)
            maps.extend(more)
            for page in pages:
                self._find(_Found(page, 1))
            self._tell()

    def _read(self, found: _Found) -> None:
        rules = self._robots_of(found.url)
        if not rules.allows(found.url):
            self.refused += 1
            return
        with transaction() as connection:
            known = connection.execute(_SQL["page_known"], [found.url]).fetchone()
        headers: tuple[tuple[str, str], ...] = ()
        if known and known[1]:
            headers = (("If-None-Match", known[1]),)
        elif known and known[2]:
            headers = (("If-Modified-Since", known[2]),)
        answer = self._fetch(found.url, _PAGE_BYTES, rules.delay_seconds, headers)
        is_ill = answer is None or answer.status >= 500 or answer.status == 429
        self.failed_in_a_row = self.failed_in_a_row + 1 if is_ill else 0
        if answer is None:
            self.failed += 1
            return
        self._take(found, answer)

    def _take(self, found: _Found, answer: egress.Response) -> None:
        now = self.now
        if answer.status == 304:
            self.unchanged += 1
            _execute("page_seen", [now, found.url])
        elif 300 <= answer.status < 400:
            target = urljoin(found.url, answer.header("location"))
            if found.hops < _HOPS:
                self._find(_Found(target, found.depth, found.hops + 1), first=True)
        elif not answer.is_success:
            self.failed += 1
            if answer.status in _GONE:
                _execute("page_gone", [answer.status, now, found.url])
        elif "html" in answer.header("content-type").lower():
            self._keep(found, answer, now)

    def _keep(self, found: _Found, answer: egress.Response, now: datetime) -> None:
        content_type, robots = answer.header("content-type"), answer.header("x-robots-tag")
        profile = profile_page(found.url, answer.body, content_type, robots)
        self.fetched += 1
        for url in profile.links:
            self._find(_Found(url, found.depth + 1))
        if profile.is_listed:
            _execute("page_write", _values(found.url, profile, answer, now))
        else:
            _execute("page_forget", [found.url])


def _values(
    url: str, profile: PageProfile, answer: egress.Response, now: datetime
) -> dict[str, Any]:
    return {
        "url": url,
        "status": answer.status,
        "title": profile.title,
        "description": profile.description,
        "kind": profile.kind,
        "product_id": profile.product_id,
        "headings": profile.headings,
        "facts": Jsonb(profile.facts),
        "topics": Jsonb(profile.topics),
        "etag": _header(answer, "etag"),
        "last_modified": _header(answer, "last-modified"),
        "now": now,
    }


def _header(answer: egress.Response, name: str) -> str:
    """Return a header to be sent back later; "" when it is none that can be."""
    value = answer.header(name)
    return value if value.isascii() and value.isprintable() and len(value) <= 200 else ""


def _execute(name: str, values: Any) -> None:
    with transaction() as connection:
        connection.execute(_SQL[name], values)
