"""``offer``: what became of an offer that was shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, Self

from amity.rules.condition import NO_NAMES, Condition, Names, conditions
from amity.rules.event_filter import EventFilter, WindowDays, check_window
from amity.rules.fragment import Fragment
from amity.rules.operator import operators
from amity.rules.period import Period
from amity.rules.selection import Selection
from amity.rules.subject import Subject
from amity.rules.where import Name, Where
from amity.rules.writer import Writer

What = Literal["shown", "accepted"]
_EVENTS: Final[dict[What, tuple[str, ...]]] = {
    "shown": ("Promotion Viewed",),
    "accepted": ("Promotion Clicked", "Email Link Clicked"),
}
_OF_MAIL: Final = "Email Link Clicked"


@conditions.register("offer")
class HasSeenOffer(Condition, frozen=True, tag="offer"):
    """An offer was shown, or accepted: clicked, on a page or in a message.

    Of one offer by its key and of one placement by its key, or of any. What was decided but never
    seen is not shown. A click in a message counts when it names the offer; those name no placement.
    """

    what: What
    offer: Name | None = None
    placement: Name | None = None
    within_days: WindowDays | None = None
    during: Period | None = None

    def __post_init__(self) -> None:
        check_window(self.within_days, self.during)

    def parts(self) -> tuple[Condition, ...]:
        return (conditions["any"](tuple(self._did(event) for event in _EVENTS[self.what])),)

    def _did(self, event: str) -> Condition:
        tests = [
            Where(name, operators["eq"](key))
            for name, key in (("promotion_id", self.offer), ("placement", self.placement))
            if key is not None
        ]
        if event == _OF_MAIL:
            tests += [
                Where("is_machine", operators["is_false"]()),
                Where("promotion_id", operators["exists"]()),
            ]
        return conditions["did"](
            event, tuple(tests), within_days=self.within_days, during=self.during
        )

    def matches(self, subject: Subject, now: datetime) -> bool:
        return self.parts()[0].matches(subject, now)

    def source(self, writer: Writer) -> str:
        return self.parts()[0].source(writer)

    def to_sql(self, selection: Selection) -> Fragment:
        return self.parts()[0].to_sql(selection)

    def describe(self, names: Names = NO_NAMES) -> str:
        words = "was shown" if self.what == "shown" else "accepted"
        words += " an offer" if self.offer is None else f" the offer “{self.offer}”"
        if self.placement is not None:
            words += f" in the placement “{self.placement}”"
        return words + EventFilter("", (), self.within_days, self.during).describe_window()

    def next_change(self, subject: Subject, now: datetime) -> datetime | None:
        return self.parts()[0].next_change(subject, now)

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [
            cls("accepted", "spring-sale", within_days=30),
            cls("shown", "spring-sale", "home"),
            cls("shown", during=Period("week")),
            cls("accepted"),
        ]
