"""Telling machines from people (pure): by the user agent, by signs of automation, by timing.

One strong sign is enough: a crawler's name, an automated browser, more pages in a moment than
anybody reads. What people show too (no language told, an address of a data centre, as behind a
VPN) counts only when two of them come together.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any, Final

import msgspec
from crawleruseragents import is_crawler

_AUTOMATED: Final = re.compile(
    r"HeadlessChrome|PhantomJS|SlimerJS|Electron/.*Nightmare|puppeteer|playwright|selenium|"
    r"webdriver|cypress|jsdom|HtmlUnit|splash",
    re.IGNORECASE,
)
_LIBRARIES: Final = re.compile(
    r"^(okhttp|cfnetwork|dart|dalvik|[\w .%-]+/[\d.]+ cfnetwork)", re.IGNORECASE
)
_BROWSERS: Final = ("Mozilla/", "Opera/")
_SHORTEST_AGENT: Final = 20
_BURST_PAGES: Final = 10
_BURST: Final = timedelta(seconds=4)
_REGULAR_PAGES: Final = 30
_REGULAR_SPREAD: Final = 0.08
_REGULAR_SPAN: Final = timedelta(minutes=20)
_TIRELESS_PAGES: Final = 600
_TIRELESS_SPAN: Final = timedelta(hours=8)
_HOSTING: Final = frozenset({"hosting", "datacenter", "data_center", "data center", "dch"})


class Signs(msgspec.Struct, frozen=True, gc=False):
    """What one event shows of who sent it."""

    agent: str = ""
    is_app: bool = False
    is_driven: bool = False
    """The browser says that a program drives it."""
    weak: int = 0
    """How many signs it shows that people show too."""


def read_signs(context: dict[str, Any], *, is_app: bool) -> Signs:
    """Return the signs in the context of an event."""
    agent = context.get("userAgent")
    agent = agent.strip()[:1000] if isinstance(agent, str) else ""
    is_page = isinstance(context.get("page"), dict) and bool(agent)
    weak = int(is_page and not _has_language(context)) + int(_is_hosted(context))
    return Signs(agent, is_app, _is_driven(context), weak + int(_has_no_screen(context)))


def _is_driven(context: dict[str, Any]) -> bool:
    places = (context, context.get("browser"), context.get("navigator"), context.get("device"))
    return any(isinstance(place, dict) and place.get("webdriver") is True for place in places)


def _has_language(context: dict[str, Any]) -> bool:
    said = (context.get(key) for key in ("locale", "language", "languages"))
    return any(value for value in said)


def _is_hosted(context: dict[str, Any]) -> bool:
    network = context.get("network")
    if not isinstance(network, dict):
        return False
    kind = network.get("type")
    return network.get("datacenter") is True or (
        isinstance(kind, str) and kind.strip().lower() in _HOSTING
    )


def _has_no_screen(context: dict[str, Any]) -> bool:
    screen = context.get("screen")
    return isinstance(screen, dict) and screen.get("width") == 0 and screen.get("height") == 0


def judge_signs(signs: Signs) -> str:
    """Return why one event is a machine's, as far as it shows; "" when it does not."""
    if signs.is_driven:
        return "driven by a program"
    verdict = _judge_agent(signs.agent, signs.is_app) if signs.agent else ""
    return verdict or ("several signs together" if signs.weak > 1 else "")


@lru_cache(maxsize=16384)
def _judge_agent(agent: str, is_app: bool) -> str:  # noqa: FBT001  # a key of the cache
    if _AUTOMATED.search(agent):
        return "an automated browser"
    if is_app and _LIBRARIES.search(agent):
        return ""  # how the libraries of apps call themselves
    if is_crawler(agent, case_sensitive=False):
        return "a known crawler"
    if not is_app and not (agent.startswith(_BROWSERS) and len(agent) > _SHORTEST_AGENT):
        return "no browser's name"
    return ""


def judge_timing(times: Sequence[tuple[timedelta, str]]) -> str:
    """Return why pages at these times, in order, are a machine's; "" when they are not.

    A page that an open tab loads again and again is one page, however regular it is.
    """
    views = [(at, url) for n, (at, url) in enumerate(times) if n == 0 or url != times[n - 1][1]]
    if len(views) < _BURST_PAGES:
        return ""
    for first, last in zip(views, views[_BURST_PAGES - 1 :], strict=False):
        if last[0] - first[0] < _BURST:
            return "faster than anybody reads"
    span = views[-1][0] - views[0][0]
    if len(views) >= _TIRELESS_PAGES and span >= _TIRELESS_SPAN:
        return "without a pause for hours"
    if len(views) < _REGULAR_PAGES or span < _REGULAR_SPAN:
        return ""
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in pairwise(views)]
    mean = fmean(gaps)
    return "regular as a clock" if pstdev(gaps) < _REGULAR_SPREAD * mean else ""
