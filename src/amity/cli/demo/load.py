"""Loading the demo shop through the front doors of a running Amity, once."""

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import IO, Final

import msgspec

from amity.cli.demo.about import About, demo_folder, describe, read_about, write_json
from amity.cli.demo.journey import Journey
from amity.cli.demo.packages import NoPackages, fetch_packages
from amity.cli.demo.people import (
    Holder,
    Registration,
    assign_people,
    iter_consent_events,
    iter_registration_events,
    list_registrations,
    write_customers,
)
from amity.cli.demo.reach import create_reach, refresh_recommenders
from amity.cli.demo.sending import Progress, Sender, Stream
from amity.cli.demo.shop import Calendar, Shop
from amity.cli.demo.stand_in import StandIn
from amity.cli.demo.till import Tally, iter_mailings, iter_orders, iter_redemptions
from amity.cli.demo.understand import (
    SEGMENTS,
    create_segments,
    refresh_scores,
)
from amity.cli.demo.waiting import POLL_SECONDS, wait_for_the_fold, wait_for_the_segments
from amity.cli.demo.web_shop import choose_sign_ins, iter_web_events
from amity.infra.process import hold_lock
from amity.kernel.errors import AmityError, Conflict, Unavailable
from amity.store import api
from amity.store.contracts import Import, Source, SourceKind

BY: Final = "demo"
_TITLE: Final = "Journey Market"
_STAND_IN_TITLE: Final = "Stand-in shop"
_TILLS: Final = "tills"
_WEB: Final = "web shop"
_DESK: Final = "loyalty desk"
_CALLS: Final = "call centre"
_POST: Final = "mailings"
_PREFERENCES: Final = "preference centre"
# The demo's sources, each named after the shop: `Journey Market tills`.
SOURCES: Final[dict[str, SourceKind]] = {
    _TILLS: "server",
    _WEB: "browser",
    _DESK: "server",
    _CALLS: "server",
    _POST: "server",
    _PREFERENCES: "server",
}
_CUSTOMERS: Final = "Customer file"


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a call of `load_demo` did."""

    about: About
    was_loaded: bool
    """Nothing was left to do."""
    seconds: float
    events_per_second: int
    orders_per_second: int
    lines_per_second: int
    fold_seconds: float
    """How long the fold took to catch up after the last event was in."""
    scores: str


def load_demo(*, full: bool, progress: Progress, offline: bool = False) -> Loaded:
    """Load the demo shop: every tenth household, or all of them with ``full``.

    What is loaded already is noticed; what was cut off goes on where it stopped. Without a
    package index in reach (or with ``offline``) a small generated shop stands in. Raises
    Conflict when another process is loading, and Unavailable when the collector or the worker
    do not answer.
    """
    with closing(_hold()):
        real = api.find_source(name=f"{_TITLE} {_TILLS}")
        made_up = api.find_source(name=f"{_STAND_IN_TITLE} {_TILLS}")
        before = _find_before(real or made_up)
        if before and before.loaded_at and (before.is_full or not full):
            return _nothing_to_do(before)
        if made_up:
            data: Shop = StandIn()
        else:
            data = _fetch(full=full, offline=offline, has_begun=real is not None, tell=progress)
        title = _STAND_IN_TITLE if data.is_stand_in else _TITLE
        sources = {place: _ensure_source(f"{title} {place}", SOURCES[place]) for place in SOURCES}
        return _Loading(data, sources, full=full, progress=progress).run()


def _find_before(tills: Source | None) -> About | None:
    """Return what was written about a load into this very installation."""
    about = read_about()
    is_ours = about and tills and about.database == tills.created_at.isoformat()
    return about if is_ours else None


def _hold() -> IO[str]:
    try:
        return hold_lock(demo_folder() / "load.lock")
    except Conflict as error:
        raise Conflict("another process is loading the demo", code="already_loading") from error


def _nothing_to_do(about: About) -> Loaded:
    return Loaded(
        about=about,
        was_loaded=True,
        seconds=0.0,
        events_per_second=0,
        orders_per_second=0,
        lines_per_second=0,
        fold_seconds=0.0,
        scores="",
    )


def _ensure_source(name: str, kind: SourceKind) -> Source:
    return api.find_source(name=name) or api.create_source(name=name, kind=kind)


def _fetch(*, full: bool, offline: bool, has_begun: bool, tell: Progress) -> Shop:
    """Return the fetched shop, or the stand-in; never the second where the first has begun."""
    try:
        if offline:
            raise NoPackages("asked to stay offline")
        tell("Fetching the data", 0, 0)
        return Journey(fetch_packages(demo_folder() / "packages"), full=full)
    except NoPackages as error:
        if has_begun:
            text = f"the rest of the demo's data cannot be fetched: {error}"
            raise Unavailable(text, code="no_packages") from error
        tell(f"No data to be had ({error}); a small generated shop stands in", 0, 0)
        return StandIn()


class _Loading:
    """One run: what is loaded where, and how far it has come."""

    def __init__(
        self, data: Shop, sources: dict[str, Source], *, full: bool, progress: Progress
    ) -> None:
        self.data = data
        self.sources = sources
        # What counts as "today" is decided once, so that a second load gives the same events.
        self.began_at = sources[_TILLS].created_at
        self.full = full
        self.progress = progress
        self.tally = Tally()
        scale = f"{self.began_at.isoformat()} {'full' if full else 'tenth'}"
        self.sender = Sender(sources, scale=scale, progress=progress)

    def run(self) -> Loaded:
        """Load everything, wait for the fold, add segments and scores, write the page."""
        started = time.monotonic()
        write_json("about.json", self._describe({}, None))
        calendar = Calendar.ending_today(self.began_at, self.data.last_day)
        holders = assign_people(self.data)
        registrations = list_registrations(self.data, holders)
        customers = self._import_customers(holders, calendar)
        for stream in self._streams(calendar, holders, registrations):
            self.sender.send(stream)
        fold_started = time.monotonic()
        wait_for_the_fold(self.progress)
        fold_seconds = time.monotonic() - fold_started
        self.progress("Computing scores", 0, 0)
        now = datetime.now(UTC)
        create_segments(by=BY, now=now)
        scores = refresh_scores(now=now)
        self.progress("Learning what goes together", 0, 0)
        learnt = refresh_recommenders(now=now)
        create_reach(by=BY, now=now)
        wait_for_the_segments(self.progress)
        wait_for_the_fold(self.progress)
        counts = self._count(holders, registrations, customers) | {
            "segments": len(SEGMENTS),
            "recommendations learnt": learnt,
        }
        about = self._describe(counts, datetime.now(UTC))
        write_json("about.json", about)
        return self._report(about, time.monotonic() - started, fold_seconds, scores)

    def _streams(
        self, calendar: Calendar, holders: list[Holder], registrations: list[Registration]
    ) -> Iterator[Stream]:
        data = self.data
        clicks = data.clicks()
        web_calendar = Calendar.ending_today(self.began_at, data.last_click_day)
        baskets, _ = data.count_baskets()
        mailings, redemptions = data.mailings(), data.redemptions()
        on_web = sum(registration.is_web for registration in registrations)
        yield Stream(
            "Consents", _PREFERENCES, iter_consent_events(holders, data, calendar), len(holders)
        )
        yield Stream(
            "Web forms",
            _WEB,
            iter_registration_events(registrations, calendar, is_web=True),
            on_web,
        )
        yield Stream(
            "Calls",
            _CALLS,
            iter_registration_events(registrations, calendar, is_web=False),
            len(registrations) - on_web,
        )
        yield Stream("Campaigns", _POST, iter_mailings(mailings, calendar), len(mailings))
        yield Stream(
            "Orders", _TILLS, iter_orders(data.iter_baskets(), calendar, self.tally), baskets
        )
        yield Stream("Coupons", _TILLS, iter_redemptions(redemptions, calendar), len(redemptions))
        yield Stream(
            "Clicks",
            _WEB,
            iter_web_events(clicks, choose_sign_ins(clicks, holders), web_calendar),
            len(clicks),
        )

    def _import_customers(self, holders: list[Holder], calendar: Calendar) -> Import:
        if import_id := self.sender.recall(_CUSTOMERS):
            made = api.get_import(import_id=import_id)
        else:
            made = api.create_import(
                content=write_customers(holders, calendar),
                file_name="journey-market-customers.csv",
                connector="customers",
                source_id=self.sources[_DESK].source_id,
                by=BY,
            )
            self.sender.remember(_CUSTOMERS, made.import_id)
        while made.state in {"waiting", "running"}:
            self.progress(_CUSTOMERS, made.rows_done, made.rows_total or 0)
            try:
                made = api.run_import(import_id=made.import_id)
            except Conflict:
                # The worker was quicker to take it.
                time.sleep(POLL_SECONDS)
                made = api.get_import(import_id=made.import_id)
        if made.state != "finished":
            raise AmityError(f"the customer file was not imported: {made.failure or made.state}")
        return made

    def _count(
        self, holders: list[Holder], registrations: list[Registration], customers: Import
    ) -> dict[str, int | float | str]:
        by_source = api.count_by_source()
        ours = [by_source.get(source.source_id) for source in self.sources.values()]
        found = [counts for counts in ours if counts]
        joined = sum(registration.is_joined for registration in registrations)
        stats = api.stats()
        return {
            "orders": self.tally.orders,
            "order lines": self.tally.lines,
            "cards": len(holders),
            "cards with a person": sum(holder.record is not None for holder in holders),
            "events stored": sum(counts.stored for counts in found),
            "duplicates": sum(counts.duplicate for counts in found),
            "events quarantined": sum(counts.quarantined for counts in found),
            "rows of the customer file": customers.rows_done,
            "rows rejected by the importer": customers.rejected,
            "further records joined to their card": joined,
            "further records kept apart": len(registrations) - joined,
            "customers": stats.profiles,
            "merges": stats.merges,
            "baskets with nothing in them, left out": self.tally.empty_baskets,
            "lines that only carry a coupon, left out": self.tally.coupon_only_lines,
            "lines of unknown products": self.tally.unknown_products,
            "lines of petrol, put into gallons": self.tally.fuel_lines,
            "baskets of later today, left out": self.tally.still_to_come,
        }

    def _describe(self, counts: dict[str, int | float | str], loaded_at: datetime | None) -> About:
        return describe(
            stand_in=self.data.is_stand_in,
            is_full=self.full or self.data.is_stand_in,
            sources=[source.name for source in self.sources.values()],
            counts=counts,
            loaded_at=loaded_at,
            database=self.began_at.isoformat(),
        )

    def _report(self, about: About, seconds: float, fold_seconds: float, scores: str) -> Loaded:
        sent_now, seconds_each = self.sender.sent_now, self.sender.seconds
        orders = sent_now.get("Orders", 0)
        lines = self.tally.lines * orders // max(self.tally.orders, 1)
        ordering = seconds_each.get("Orders", 0.0)
        return Loaded(
            about=about,
            was_loaded=False,
            seconds=round(seconds, 2),
            events_per_second=_rate(
                sum(self.sender.sent_now.values()), sum(self.sender.seconds.values())
            ),
            orders_per_second=_rate(orders, ordering),
            lines_per_second=_rate(lines, ordering),
            fold_seconds=round(fold_seconds, 2),
            scores=scores,
        )


def _rate(count: int, seconds: float) -> int:
    return round(count / seconds) if seconds else 0
