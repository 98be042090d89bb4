"""What crosses the store's door about visits, interests and the company's own site."""

from datetime import datetime
from typing import Any, Literal

import msgspec

VisitKind = Literal["site", "app", "elsewhere"]
ReferrerKind = Literal["search", "social", "email", "own", "referral", "direct"]
Device = Literal["desktop", "phone", "tablet", "other"]
CrawlState = Literal["waiting", "running", "finished", "stopped", "failed"]

INTERESTS_TRAIT = "interests"
"""The trait rules and decisions see: {topic: points}."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an address says of the campaign it was part of (`utm_*` and click ids)."""

    source: str = ""
    medium: str = ""
    name: str = ""
    term: str = ""
    content: str = ""
    click_id: str = ""
    """Whose click id came along, such as `gclid`; not the id itself."""


class VisitPage(msgspec.Struct, frozen=True, array_like=True):
    """One page of a visit."""

    second: int
    """Since the visit began."""
    url: str
    title: str = ""


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Events without a long pause: one visit to the site or the app."""

    visit_id: int
    """The id of its first event."""
    kind: VisitKind
    started_at: datetime
    ended_at: datetime
    run_started_at: datetime
    run_ended_at: datetime
    """The chain of events without a long pause it was cut from."""
    page_views: int
    event_count: int
    landing_page: str
    exit_page: str
    pages: list[VisitPage]
    """The first fifty."""
    referrer: str
    """The host it came from; "" when there is none."""
    referrer_kind: ReferrerKind
    campaign: Campaign
    device: Device
    order_count: int
    revenue_minor: int
    machine: str
    """Why it is taken for a machine's; "" for a person's."""
    topics: dict[str, float]
    """What it says about interests, as of its end."""

    @property
    def is_bounce(self) -> bool:
        """Whether it was one page and nothing else."""
        return self.event_count == 1

    @property
    def seconds(self) -> float:
        """How long it lasted, from the first event to the last."""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def source(self) -> str:
        """Where it came from: the campaign's word, or the host, or "direct"."""
        return self.campaign.source or self.campaign.click_id or self.referrer or "direct"

    @property
    def medium(self) -> str:
        """By what way: the campaign's word, or the kind of referrer."""
        if self.campaign.medium:
            return self.campaign.medium
        if self.campaign.click_id:
            return "cpc"
        return "none" if self.is_direct else self.referrer_kind

    @property
    def is_direct(self) -> bool:
        """Whether nothing says where it came from; from the own site is nothing either."""
        return self.campaign == Campaign() and self.referrer_kind in ("direct", "own")


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """Where one visit came from."""

    at: datetime
    source: str
    medium: str
    campaign: str
    landing_page: str


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """What brought a customer: first of all, and last; None while she never visited."""

    first: Touch | None
    last: Touch | None
    """The last visit that was not direct; if all were, the last."""
    visit_count: int
    machine_count: int
    """Visits taken for a machine's; they count for nothing else here."""


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """How much somebody is interested in a topic now; a product viewed just now weighs 1."""

    topic: str
    weight: float


class VisitShare(msgspec.Struct, frozen=True, kw_only=True):
    """Visits by where they came from."""

    referrer_kind: str
    source: str
    people: int
    machines: int
    bounces: int
    orders: int
    revenue_minor: int


class SitePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the company's own site, and what it is about."""

    url: str
    status: int
    title: str
    description: str
    kind: str
    """`product`, `article`, `list` or "" when it does not say."""
    product_id: str
    headings: list[str]
    facts: dict[str, Any]
    """`schema`: what it says in schema.org's words; `open_graph`: in Open Graph's."""
    topics: dict[str, float]
    fetched_at: datetime
    changed_at: datetime


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Which site is the company's own, and how it is read."""

    is_enabled: bool = False
    start_urls: list[str] = []
    max_pages: int = 2000
    max_depth: int = 6
    every_days: int = 7


class Crawl(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the own site."""

    crawl_id: int
    state: CrawlState
    is_stop_wanted: bool
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    fetched: int
    unchanged: int
    failed: int
    refused: int
    """Not asked for: robots.txt says no, or they lead away from the site."""
    bytes: int
    waiting: int
    """Found and not read yet."""
    note: str
