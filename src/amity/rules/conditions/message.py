"""``message``: what became of the messages of a campaign or a journey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

from amity.rules.bounds import AtLeast, AtMost, Bounds
from amity.rules.condition import NO_NAMES, Condition, Names, conditions, describe_run
from amity.rules.event_filter import EventFilter, WindowDays, answer_of, check_window, where_sql
from amity.rules.fragment import Fragment, join, sql
from amity.rules.mentions import Look, Mentions
from amity.rules.operator import json_value, operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.sway import Sway
from amity.rules.where import Where
from amity.rules.writer import Writer

What = Literal["sent", "opened", "clicked", "bounced", "held_out"]
_EVENTS: Final[Mapping[What, str]] = {
    "sent": "Email Sent",
    "opened": "Email Opened",
    "clicked": "Email Link Clicked",
    "bounced": "Email Bounced",
    "held_out": "Campaign Held Out",
}
_WORDS: Final[Mapping[What, str]] = {
    "sent": "was sent a message",
    "opened": "opened a message",
    "clicked": "clicked in a message",
    "bounced": "had a message returned",
    "held_out": "was held out",
}
_SENT: Final = _EVENTS["sent"]
_BY_SEND: Final = frozenset({"opened", "clicked"})
"""These name the message they are about, and not its campaign."""
_NEEDED: Final = ("campaign_id", "journey_id", "send_id", "is_machine")


@conditions.register("message")
class Messaged(Condition, frozen=True, tag="message"):
    """How often a message was sent, opened, clicked, returned, or withheld to measure by it.

    Of one campaign or journey, or with neither of any. What a scanner or proxy opened or clicked
    does not count, and opens and clicks are recorded only with consent. Who was held out got
    nothing, so that the campaign's effect can be told. Bounds and windows are those of `did`.
    """

    what: What
    campaign_id: int | None = None
    journey_id: int | None = None
    at_least: AtLeast | None = None
    at_most: AtMost | None = None
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)
        self._bounds.check()
        if self.campaign_id is not None and self.journey_id is not None:
            raise ValueError("give `campaign_id` or `journey_id`, not both")
        if self.what == "held_out" and self.journey_id is not None:
            raise ValueError("journeys hold nobody out: name a `campaign_id`")

    @property
    def _bounds(self) -> Bounds:
        return Bounds.make(self.at_least, self.at_most)

    @property
    def _events(self) -> EventFilter:
        return EventFilter(_EVENTS[self.what], (), self.within_days, self.during)

    @property
    def _run(self) -> Where | None:
        """The test that an event is of the campaign or journey."""
        for name, run_id in (("campaign_id", self.campaign_id), ("journey_id", self.journey_id)):
            if run_id is not None:
                return Where(name, operators["eq"](run_id))
        return None

    @property
    def _asks_sends(self) -> bool:
        return self.what in _BY_SEND and self._run is not None

    def matches(self, subject: Subject, now: datetime) -> bool:
        sends = self._list_sends(subject, now)
        found = [
            properties
            for _, properties in self._events.list_found(subject, now)
            if self._is_of_run(properties, sends, now)
            and (self.what not in _BY_SEND or properties.get("is_machine") is not True)
        ]
        return self._bounds.holds(len(found))

    def _list_sends(self, subject: Subject, now: datetime) -> set[str]:
        run = self._run
        if run is None or not self._asks_sends:
            return set()
        sends = EventFilter(_SENT, (run,)).list_found(subject, now)
        ids = (properties.get("send_id") for _, properties in sends)
        return {send_id for send_id in ids if isinstance(send_id, str)}

    def _is_of_run(self, properties: Mapping[str, Any], sends: set[str], now: datetime) -> bool:
        run = self._run
        if run is None or run.matches(properties, now):
            return True
        send_id = properties.get("send_id")
        return isinstance(send_id, str) and send_id in sends

    def source(self, writer: Writer) -> str:
        return writer.ask(self.matches)

    def to_sql(self, selection: Selection) -> Fragment:
        activity, now = selection.catalogue.activity, selection.now
        tests = [self._events.to_sql(selection)]
        if self.what in _BY_SEND:
            machine = sql("({} -> 'is_machine')", activity.properties)
            tests.append(sql("coalesce({} <> 'true'::jsonb, true)", machine))
        if self._run is not None:
            of_run = where_sql(self._run, activity, now)
            if self._asks_sends:
                of_run = sql("({} OR {})", of_run, self._of_sends(selection, self._run))
            tests.append(of_run)
        found = selection.join(
            sql(
                "SELECT {} AS profile_id FROM {} WHERE {} GROUP BY 1 HAVING {}",
                activity.profile_id,
                activity.relation,
                join(" AND ", tests),
                self._bounds.having(sql("count(*)")),
            )
        )
        return answer_of(found, is_absent=self._bounds.takes_none)

    def _of_sends(self, selection: Selection, run: Where) -> Fragment:
        activity = selection.catalogue.activity
        send_id = json_value(sql("({} -> 'send_id')", activity.properties)).text
        return sql(
            "coalesce(({}, {}) IN (SELECT {}, {} FROM {} WHERE {} AND {} IS NOT NULL), false)",
            activity.profile_id,
            send_id,
            activity.profile_id,
            send_id,
            activity.relation,
            EventFilter(_SENT, (run,)).to_sql(selection),
            send_id,
        )

    def describe(self, names: Names = NO_NAMES) -> str:
        bounds = self._bounds
        words = f"{_WORDS[self.what]}{self._describe_run(names)}"
        times = bounds.describe("once", "times")
        words = f"never {words}" if bounds.high == 0 else f"{words} {times}".rstrip()
        return words + self._events.describe_window()

    def _describe_run(self, names: Names) -> str:
        if self.campaign_id is not None:
            return f" of {describe_run(names, 'campaign', self.campaign_id)}"
        if self.journey_id is not None:
            return f" of {describe_run(names, 'journey', self.journey_id)}"
        return " of any campaign" if self.what == "held_out" else ""

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        changes = [self._events.next_change(subject, now)]
        if self._asks_sends:
            changes.append(EventFilter(_SENT).next_change(subject, now))
        return min((at for at in changes if at is not None), default=None)

    def mentions(self) -> Mentions:
        events = self._events
        looks = {events.event: events.look(_NEEDED)}
        if self._asks_sends:
            # Answered lately, sent whenever.
            looks[_SENT] = Look(frozenset(_NEEDED), None, 0.0)
        return Mentions(looks=looks, is_timed=events.is_timed)

    def counts(self) -> Iterable[tuple[str, tuple[Where, ...]]]:
        return [(event, ()) for event in self.mentions().looks]

    @property
    def own_sway(self) -> Sway:
        return self._bounds.sway

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("clicked", campaign_id=3, within_days=30),
            cls("opened", journey_id=2, at_most=0),
            cls("sent", at_least=2, during=Period("month")),
            cls("held_out", campaign_id=3),
            cls("opened", at_least=2, at_most=3),
        ]
