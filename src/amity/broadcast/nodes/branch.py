"""``branch``: yes or no, by a rule or by what was done since the journey began."""

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import Meta

from amity.broadcast.node import (
    NODES,
    Context,
    EventName,
    Names,
    Node,
    Outcome,
    Take,
    Target,
    quote_event,
)
from amity.kernel.errors import Invalid
from amity.rules import (
    Look,
    Matcher,
    Where,
    compile_rule,
    decode_rule,
    mentions,
)


@NODES.register("branch")
class Branch(Node, frozen=True, tag="branch", dict=True):
    """Takes `yes` when the rule holds, or when the event was done since the journey began."""

    rule: dict[str, Any] | None = None
    did: EventName | None = None
    where: Annotated[tuple[Where, ...], Meta(max_length=50)] = ()
    since: Literal["entry"] = "entry"
    yes: Target = ""
    no: Target = ""

    title: ClassVar[str] = "Branch"
    about: ClassVar[str] = "Parts those of whom something is true from those of whom it is not."
    setting_words: ClassVar[dict[str, str]] = {
        "rule": "a rule, as of a segment; either this or `did`",
        "did": "an event: yes when it was done since the journey began",
        "where": "tests of the properties of `did`",
        "since": "`entry`, the only one there is",
    }
    edge_names: ClassVar[tuple[str, ...]] = ("yes", "no")
    asks: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if (self.rule is None) == (self.did is None):
            raise ValueError("a branch has either a `rule` or a `did`")
        try:
            _ = self._matcher
        except Invalid as error:
            raise ValueError(error.message) from error

    @cached_property
    def _matcher(self) -> Matcher | None:
        if self.rule is None:
            return None
        rule = decode_rule(self.rule)
        if mentions(rule).orders or mentions(rule).metrics:
            raise Invalid(
                "metrics and orders as they stand are asked for in a segment: name that here",
                code="no_orders",
            )
        return compile_rule(rule)

    def enter(self, context: Context) -> Outcome:
        return Take("yes" if self._holds(context) else "no")

    def _holds(self, context: Context) -> bool:
        if context.subject is None:
            return False
        if self._matcher is not None:
            return self._matcher.matches(context.subject, context.now)
        assert self.did is not None
        # What began the journey is not done since.
        entry = context.entry if context.entry.name == self.did else None
        return any(
            context.entry.occurred_at <= at <= context.now
            and not (entry and at == entry.occurred_at)
            and all(test.matches(properties, context.now) for test in self.where)
            for at, properties in context.subject.history.get(self.did, ())
        )

    def looks(self, age_days: float) -> dict[str, Look]:
        if self._matcher is not None:
            return dict(mentions(self._matcher.rule).looks)
        assert self.did is not None
        return {self.did: Look(frozenset(test.property for test in self.where), age_days)}

    def needs_profile(self) -> bool:
        if self._matcher is None:
            return False
        found = mentions(self._matcher.rule)
        return found.needs_profile

    def asks_together(self) -> frozenset[tuple[str, int | None]]:
        return frozenset() if self._matcher is None else mentions(self._matcher.rule).together

    def describe(self, names: Names) -> str:
        if self._matcher is not None:
            return f"asks: {self._matcher.rule.describe(names.segments)}?"
        assert self.did is not None
        return f"asks: did {quote_event(self.did, self.where)} since the journey began?"

    def problems(self, names: Names) -> list[str]:
        if self._matcher is None:
            return []
        gone = mentions(self._matcher.rule).segments - set(names.segments)
        return [f"asks for the segment no. {segment_id}, which is gone" for segment_id in gone]

    @classmethod
    def examples(cls) -> list[Self]:
        rule = {"node": "check", "field": "trait.country", "is": {"op": "eq", "value": "FR"}}
        return [
            cls(did="Order Completed", yes="thanks", no="remind"),
            cls(rule=rule, yes="french"),
            cls(rule={"node": "did", "event": "Order Completed", "within_days": 30}),
        ]
