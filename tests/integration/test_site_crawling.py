"""The own site is read politely: its pages, nobody else's, and only what it allows."""

import gzip
import http.server
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from amity.infra import config
from amity.kernel.errors import AmityError, Conflict, Denied, Invalid
from amity.store import api_fetching
from amity.store.contracts_visits import Site
from amity.store.logic.site.pages import profile_page
from amity.store.logic.site.robots import Robots, read_sitemap

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
PRODUCT = """<!doctype html><html><head><title> Swift
 runner </title><meta name="description" content="Light.">
<meta property="og:type" content="product"><meta property="og:title" content="Swift">
<script type="application/ld+json">{"@context":"https://schema.org","@graph":[
 {"@type":"Product","name":"Swift runner","sku":"SR-1","brand":{"@type":"Brand","name":"Swift"},
  "offers":[{"@type":"Offer","price":99.5,"priceCurrency":"EUR"}]},
 {"@type":"BreadcrumbList","itemListElement":[
  {"@type":"ListItem","position":3,"name":"Swift runner"},
  {"@type":"ListItem","position":1,"name":"Home"},
  {"@type":"ListItem","position":2,"item":{"@id":"/shoes","name":"Running shoes"}}]}]}</script>
<script type="application/ld+json">{ not json </script></head>
<body><h1>Swift runner</h1><h2>Size</h2><a href="/shoes?utm_source=x#top">All shoes</a>
<a href="//other.example/">Elsewhere</a><a rel="nofollow" href="/never">no</a></body></html>"""


class _Pages(http.server.BaseHTTPRequestHandler):
    asked: Counter
    agents: set

    def do_GET(self):
        path = self.path
        type(self).asked[path] += 1
        type(self).agents.add(self.headers["User-Agent"])
        base = f"http://127.0.0.1:{self.server.server_port}"
        pages = {
            "/": '<title>Shop</title><h1>Shoe shop</h1><a href="/shoes">s</a><a href="/away">a</a>'
            '<a href="/private/x">p</a><a href="/moved">m</a><a href="/secret">s</a>'
            '<a href="/big">b</a><a href="/notes.txt">t</a><a href="/broken">b</a>',
            "/shoes": '<title>Shoes</title><h1>Shoes</h1><a href="/p/1">one</a>',
            "/p/1": PRODUCT,
            "/secret": '<meta name="robots" content="noindex,nofollow"><title>x</title>'
            '<a href="/behind">b</a>',
            "/new": "<title>New</title><h1>News</h1>",
            "/listed": "<title>Listed only</title>",
            "/big": "<title>Big</title>" + "x" * 3_000_000,
        }
        if path == "/robots.txt":
            self.answer(200, f"User-agent: *\nDisallow: /private\nSitemap: {base}/map.gz\n")
        elif path == "/map.gz":
            more = f"<sitemapindex><sitemap><loc>{base}/map.xml</loc></sitemap></sitemapindex>"
            self.answer(200, gzip.compress(more.encode()), kind="application/gzip")
        elif path == "/map.xml":
            locs = (f"{base}/listed", "http://169.254.169.254/latest", "http://127.0.0.1:1/")
            body = "".join(f"<url><loc>{loc}</loc></url>" for loc in locs)
            space = "http://www.sitemaps.org/schemas/sitemap/0.9"
            self.answer(200, f'<urlset xmlns="{space}">{body}</urlset>', kind="text/xml")
        elif path == "/moved":
            self.answer(301, "", location="/new")
        elif path == "/away":
            self.answer(302, "", location="http://169.254.169.254/latest/meta-data")
        elif path == "/notes.txt":
            self.answer(200, "notes", kind="text/plain")
        elif path == "/p/1" and self.headers.get("If-None-Match") == '"1"':
            self.answer(304, "")
        elif path in pages:
            self.answer(200, pages[path], etag='"1"' if path == "/p/1" else "")
        else:
            self.answer(404, "<title>no</title>")

    def answer(self, status, body, *, kind="text/html; charset=utf-8", **headers):
        raw = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True

    def log_message(self, *arguments):
        pass


@contextmanager
def serving():
    kind = type("Pages", (_Pages,), {"asked": Counter(), "agents": set()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with config.override(egress_allow=f"127.0.0.1:{server.server_port}"):
            yield f"http://127.0.0.1:{server.server_port}", kind
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def shop(db):
    with serving() as found:
        yield found


def read(base, *, now=NOW, **more):
    site = Site(is_enabled=True, start_urls=[f"{base}/"], **more)
    api_fetching.configure_site(site=site, by="kit")
    api_fetching.ask_crawl(by="kit", now=now)
    waits = []
    api_fetching.read_site(now=now, wait=waits.append)
    return api_fetching.list_crawls()[0], waits


def test_a_site_is_read(shop):
    base, server = shop
    crawl, waits = read(base)
    assert (crawl.state, crawl.note, crawl.waiting) == ("finished", "", 0)
    found = {page.url.removeprefix(base): page for page in api_fetching.list_site_pages().items}
    assert set(found) == {"/", "/shoes", "/p/1", "/new", "/listed", "/big"}
    product = found["/p/1"]
    assert (product.title, product.kind, product.product_id) == ("Swift runner", "product", "SR-1")
    assert product.topics == {"running shoes": 1.0, "swift": 1.0}
    assert product.facts["schema"][0]["price"] == "99.5"
    assert product.headings == ["Swift runner", "Size"]
    assert found["/shoes"].topics == {"shoes": 0.5}
    # what robots.txt, noindex and nofollow keep from machines was left alone
    for path in ("/private/x", "/behind", "/never"):
        assert server.asked[path] == 0, path
    assert max(server.asked.values()) == 1
    assert all(agent.startswith("AmityBot/") for agent in server.agents)
    # a second between any two requests
    assert len(waits) == sum(server.asked.values()) - 1
    assert min(waits) > 0.5
    # a redirect out of the site, and what robots.txt forbids
    assert crawl.refused == 2
    assert api_fetching.count_site_pages() == {"": 5, "product": 1}
    assert [one.url for one in api_fetching.list_site_pages(search="sr-1").items] == [f"{base}/p/1"]
    assert [one.url for one in api_fetching.list_site_pages(search="running shoes").items] == [
        f"{base}/p/1"
    ]


def test_what_did_not_change_is_not_read_again_and_what_is_gone_is_marked(shop):
    base, server = shop
    read(base)
    again, _ = read(base, now=NOW + timedelta(days=8))
    assert again.unchanged == 1
    assert server.asked["/p/1"] == 2
    assert api_fetching.get_site_page(url=f"{base}/p/1").product_id == "SR-1"


def test_limits_and_a_stop_hold(shop):
    base, server = shop
    crawl, _ = read(base, max_pages=2)
    assert crawl.fetched == 2
    assert "limit of 2 pages" in crawl.note
    crawl_id = api_fetching.ask_crawl(by="kit", now=NOW)
    asked = sum(server.asked.values())
    site = api_fetching.get_site()
    api_fetching.configure_site(site=Site(is_enabled=True, start_urls=site.start_urls), by="kit")

    def stop(seconds):
        api_fetching.stop_crawl(now=NOW)

    api_fetching.read_site(now=NOW, wait=stop)
    crawl = api_fetching.list_crawls()[0]
    assert (crawl.crawl_id, crawl.state) == (crawl_id, "stopped")
    assert sum(server.asked.values()) - asked < 6


def test_reading_is_off_and_only_due_when_it_is_on(shop):
    base, _ = shop
    assert api_fetching.read_site(now=NOW) == 0
    with pytest.raises(Conflict):
        api_fetching.ask_crawl(by="kit", now=NOW)
    api_fetching.configure_site(
        site=Site(is_enabled=True, start_urls=[base], max_depth=0), by="kit"
    )
    assert api_fetching.read_site(now=NOW, wait=lambda seconds: None) > 0
    assert api_fetching.read_site(now=NOW + timedelta(days=6), wait=lambda seconds: None) == 0
    assert api_fetching.read_site(now=NOW + timedelta(days=8), wait=lambda seconds: None) > 0


def test_hosts_that_may_not_be_called_are_refused_when_the_site_is_named(db):
    for url in ("http://127.0.0.1/", "https://10.0.0.1/", "http://169.254.169.254/"):
        with pytest.raises(Denied):
            api_fetching.configure_site(site=Site(start_urls=[url]), by="kit")
    for site in (Site(start_urls=["ftp://x/"]), Site(is_enabled=True), Site(max_pages=0)):
        with pytest.raises(AmityError) as refusal:
            api_fetching.configure_site(site=site, by="kit")
        assert isinstance(refusal.value, Invalid)


def test_a_server_that_is_ill_allows_nothing():
    assert not Robots(503, b"").allows("https://x.example/")
    assert not Robots(403, b"").allows("https://x.example/")
    assert Robots(404, b"").allows("https://x.example/")
    rules = Robots(200, b"User-agent: AmityBot\nDisallow: /a\nCrawl-delay: 7\n\nUser-agent: *\n")
    assert not rules.allows("https://x.example/a/b")
    assert rules.delay_seconds == 7.0


def test_hostile_pages_and_sitemaps_do_no_harm():
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><loc>&b;</loc></urlset>'
    assert read_sitemap(bomb) == ([], [])
    assert read_sitemap(b"\x1f\x8bnot gzip") == ([], [])
    deep = '<script type="application/ld+json">' + "[" * 5000 + "]" * 5000 + "</script>"
    for html in (deep, "", "\0", "<title>a\0b\ud800</title>", "<" * 50_000):
        profile = profile_page("https://x.example/", html.encode("utf-8", "surrogatepass"))
        assert "\0" not in profile.title
    microdata = (
        '<div itemscope itemtype="https://schema.org/Product"><b itemprop="sku">7</b>'
        '<i itemprop="category">Hats &gt; Caps</i></div>'
    )
    profile = profile_page("https://x.example/", microdata.encode())
    assert (profile.kind, profile.product_id) == ("product", "7")
    assert profile.topics == {"caps": 1.0, "hats": 0.5}
