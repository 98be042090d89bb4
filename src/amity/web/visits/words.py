"""Words and figures of visits and pages, for the screens."""

from collections.abc import Mapping
from typing import Any, Final

from amity.store.contracts_visits import Visit

KINDS: Final = {
    "campaign": "campaign",
    "search": "search engine",
    "social": "social network",
    "email": "e-mail",
    "own": "own site",
    "referral": "another site",
    "direct": "direct",
}
PAGE_KINDS: Final = {"product": "products", "list": "lists", "article": "articles", "": ""}
STATES: Final = {
    "waiting": ("waiting to begin", "info"),
    "running": ("being read", "info"),
    "finished": ("read", "good"),
    "stopped": ("stopped", "warn"),
    "failed": ("failed", "bad"),
}
_SHOWN: Final = 8


def top_topics(topics: Mapping[str, float]) -> list[str]:
    """Return the heaviest topics, a few."""
    return sorted(topics, key=lambda topic: (-topics[topic], topic))[:4]


def interests_of(topics: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the heaviest topics with their weights, the heaviest first."""
    return sorted(topics.items(), key=lambda each: (-each[1], each[0]))[:_SHOWN]


def lasted(seconds: float) -> str:
    """Say how long a visit lasted."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def path_of(url: str) -> str:
    """Return the part of an address behind its host."""
    rest = url.partition("://")[2]
    return f"/{rest.partition('/')[2]}" if rest else url


def show_visit(visit: Visit) -> dict[str, Any]:
    """Return one visit as the customer's page shows it."""
    return {
        "is": visit,
        "from": "" if visit.is_direct else visit.source,
        "kind": "campaign" if visit.campaign.name or visit.campaign.source else "",
        "lasted": lasted(visit.seconds),
        "landing": path_of(visit.landing_page),
        "pages": [
            {"title": page.title or path_of(page.url), "url": page.url, "at": lasted(page.second)}
            for page in visit.pages
        ],
        "more": max(0, visit.page_views - len(visit.pages)),
    }
