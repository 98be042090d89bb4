"""``active_days``: on how many different days an event happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from amity.rules.bounds import AtLeast, AtMost, Bounds
from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import (
    EventFilter,
    Wheres,
    WindowDays,
    answer_of,
    check_window,
    describe_wheres,
)
from amity.rules.fragment import Fragment, sql
from amity.rules.mentions import Mentions
from amity.rules.period import Period, Zone, check_zone, zone_of
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.sway import Sway
from amity.rules.where import Name, Where


@conditions.register("active_days")
class ActiveDays(Condition, frozen=True, tag="active_days"):
    """On how many different days an event happened: ten visits on one day are one.

    Bounds and windows are as in `did`.  A day is one of the time zone `zone` (UTC unless said).
    """

    event: Name
    where: Wheres = ()
    at_least: AtLeast | None = None
    at_most: AtMost | None = None
    within_days: WindowDays | None = None
    during: Period | None = None
    zone: Zone = "UTC"

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        check_zone(self.zone)
        self.bounds.check()

    @property
    def bounds(self) -> Bounds:
        """On how many days it must have happened."""
        return Bounds.make(self.at_least, self.at_most)

    @property
    def events(self) -> EventFilter:
        """The events whose days are counted."""
        return EventFilter(self.event, self.where, self.within_days, self.during)

    def matches(self, subject: Subject, now: datetime) -> bool:
        zone = zone_of(self.zone)
        found = self.events.list_found(subject, now)
        return self.bounds.holds(len({at.astimezone(zone).date() for at, _ in found}))

    def to_sql(self, selection: Selection) -> Fragment:
        occurred_at = selection.catalogue.activity.occurred_at
        days = sql("count(DISTINCT ({} AT TIME ZONE {}::text)::date)", occurred_at, self.zone)
        found = self.events.join_having(selection, self.bounds.having(days))
        return answer_of(found, is_absent=self.bounds.takes_none)

    def describe(self, names: Names = NO_NAMES) -> str:
        days = self.bounds.describe("one day", "days") or "at least one day"
        zone = "" if self.zone == "UTC" else f" ({self.zone})"
        window = self.events.describe_window()
        return f"did “{self.event}” on {days}{zone}{window}{describe_wheres(self.where)}"

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self.events.next_change(subject, now)

    def mentions(self) -> Mentions:
        return Mentions(looks={self.event: self.events.look()}, is_timed=self.events.is_timed)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return ((self.event, self.where),)

    @property
    def own_sway(self) -> Sway:
        return self.bounds.sway

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("Page Viewed", at_least=3, within_days=30, zone="Europe/Paris"),
            cls("Page Viewed", at_most=1),
            cls("Page Viewed", at_least=1, at_most=2, during=Period("week", "last")),
        ]
