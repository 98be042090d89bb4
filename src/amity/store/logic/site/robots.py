"""What a site allows and lists: robots.txt and sitemaps, as texts (pure)."""

import zlib
from typing import Final
from urllib.robotparser import RobotFileParser
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

AGENT: Final = "AmityBot"
"""How robots.txt can name us."""
_LONGEST_DELAY: Final = 30.0
_SHORTEST_DELAY: Final = 1.0
_LARGEST_MAP: Final = 20_000_000
_ENTRIES: Final = 50_000


class Robots:
    """The rules of one host."""

    def __init__(self, status: int, body: bytes) -> None:
        """Read an answer to the question for robots.txt.

        There is none: all is allowed. It is refused or the server is ill: nothing is (RFC 9309).
        """
        self._rules = RobotFileParser()
        lines = body.decode("utf-8", "replace").lstrip("\ufeff").splitlines()
        if status == 200:
            self._rules.parse(lines)
        elif status in (401, 403, 429) or status >= 500 or status == 0:
            self._rules.parse(["User-agent: *", "Disallow: /"])
        else:
            self._rules.parse([])

    def allows(self, url: str) -> bool:
        """Say whether we may ask for an address."""
        return self._rules.can_fetch(AGENT, url)

    @property
    def delay_seconds(self) -> float:
        """How long to wait between two requests: a second, or more if it is asked for."""
        try:
            said = float(self._rules.crawl_delay(AGENT) or 0)
        except ValueError:
            said = 0.0
        return min(max(said, _SHORTEST_DELAY), _LONGEST_DELAY)

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps it names."""
        return list(self._rules.site_maps() or [])


def read_sitemap(body: bytes) -> tuple[list[str], list[str]]:
    """Return the pages and the further sitemaps a sitemap lists; nothing when it is none.

    It may be packed with gzip. Entities and what else XML can do beyond data are refused.
    """
    if body[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(body, _LARGEST_MAP)
        except zlib.error:
            return [], []
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError):
        return [], []
    found = [
        (element.text or "").strip()
        for element in list(root.iter())[: 5 * _ENTRIES]
        if str(element.tag).rpartition("}")[2] == "loc"
    ][:_ENTRIES]
    is_index = str(root.tag).rpartition("}")[2] == "sitemapindex"
    return ([], found) if is_index else (found, [])
