"""``wait``: some time passes."""

from datetime import timedelta
from typing import ClassVar, Self

from amity.broadcast.node import (
    NODES,
    Context,
    Event,
    Names,
    Node,
    Outcome,
    Stay,
    Take,
    Target,
    quote_seconds,
    span_problems,
)


@NODES.register("wait")
class Wait(Node, frozen=True, tag="wait"):
    """Stays for a while, counted from when the person came."""

    seconds: float = 0
    days: float = 0
    next: Target = ""

    title: ClassVar[str] = "Wait"
    about: ClassVar[str] = "Lets some time pass."
    setting_words: ClassVar[dict[str, str]] = {
        "seconds": "how long, in seconds",
        "days": "how long, in days; both are added",
    }
    waits: ClassVar[bool] = True

    def enter(self, context: Context) -> Outcome:
        return Stay(context.arrived_at + timedelta(days=self.days, seconds=self.seconds))

    def resume(self, context: Context, event: Event | None) -> Outcome:
        return Take("next")

    def describe(self, names: Names) -> str:
        return f"waits {quote_seconds(self.seconds + self.days * 86400)}"

    def problems(self, names: Names) -> list[str]:
        return span_problems(self.seconds, self.days, "waits")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(seconds=3600, next="then"), cls(days=2), cls(seconds=30, days=1)]
