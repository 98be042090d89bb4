"""``wait_for``: something happens, or time is up."""

from datetime import timedelta
from typing import Annotated, ClassVar, Self

from msgspec import Meta

from amity.broadcast.node import (
    NODES,
    Context,
    Event,
    EventName,
    Names,
    Node,
    Outcome,
    Stay,
    Take,
    Target,
    quote_event,
    quote_seconds,
    span_problems,
)
from amity.rules import Where


@NODES.register("wait_for")
class WaitFor(Node, frozen=True, tag="wait_for"):
    """Stays until an event, and not longer than some time.

    What counts is when the event happened, not when it was heard of: one that happened before
    the person came is not waited for, and one that happened after the time was up is too late.
    """

    event: EventName
    where: Annotated[tuple[Where, ...], Meta(max_length=50)] = ()
    seconds: float = 0
    days: float = 0
    happened: Target = ""
    timed_out: Target = ""

    title: ClassVar[str] = "Wait for an event"
    about: ClassVar[str] = "Goes on when something happens, or when it has not for some time."
    setting_words: ClassVar[dict[str, str]] = {
        "event": "the event waited for",
        "where": "tests of its properties",
        "seconds": "how long at most, in seconds",
        "days": "how long at most, in days; both are added",
    }
    edge_names: ClassVar[tuple[str, ...]] = ("happened", "timed_out")
    waits: ClassVar[bool] = True

    def enter(self, context: Context) -> Outcome:
        return Stay(context.arrived_at + timedelta(days=self.days, seconds=self.seconds))

    def resume(self, context: Context, event: Event | None) -> Outcome:
        if event is None:
            return Take("timed_out")
        if not self._is_awaited(context, event):
            return Stay(context.due_at, context.memory)
        is_late = context.due_at is not None and event.occurred_at > context.due_at
        return Take("timed_out" if is_late else "happened")

    def _is_awaited(self, context: Context, event: Event) -> bool:
        return (
            event.name == self.event
            and event.position != context.entry.position
            and event.occurred_at >= context.arrived_at
            and all(test.matches(event.properties, context.now) for test in self.where)
        )

    def listens(self) -> frozenset[str]:
        return frozenset({self.event})

    def describe(self, names: Names) -> str:
        span = quote_seconds(self.seconds + self.days * 86400)
        return f"waits up to {span} for {quote_event(self.event, self.where)}"

    def problems(self, names: Names) -> list[str]:
        return span_problems(self.seconds, self.days, "waits")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(event="Email Link Clicked", days=2, happened="thanks", timed_out="remind"),
            cls(event="Order Completed", seconds=60),
        ]
