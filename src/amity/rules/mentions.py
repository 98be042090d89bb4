"""What a rule looks at: its answer can only change when one of these does, or with time."""

from collections.abc import Iterable, Mapping

import msgspec


class Look(msgspec.Struct, frozen=True):
    """What rules need of one event's history: which properties, and how far back (None: ever)."""

    properties: frozenset[str] = frozenset()
    within_days: float | None = 0.0
    timed_days: float | None = 0.0
    """For how many days after such an event time alone may change the answer (None: for ever)."""

    def join(self, other: "Look") -> "Look":
        """Return a look that serves both."""
        return Look(
            self.properties | other.properties,
            longer(self.within_days, other.within_days),
            longer(self.timed_days, other.timed_days),
        )


def longer(one: float | None, other: float | None) -> float | None:
    """Return the longer of two times, where None has no end."""
    return None if one is None or other is None else max(one, other)


def join_looks(all_looks: Iterable[Mapping[str, Look]]) -> dict[str, Look]:
    """Return, by event, a look that serves all."""
    joined: dict[str, Look] = {}
    for looks in all_looks:
        for event, look in looks.items():
            joined[event] = joined.get(event, Look()).join(look)
    return joined


class Mentions(msgspec.Struct, frozen=True, kw_only=True):
    """What a condition, or a whole rule, looks at."""

    traits: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    looks: Mapping[str, Look] = {}
    """By event, what is needed of its history."""
    purposes: frozenset[str] = frozenset()
    segments: frozenset[int] = frozenset()
    scores: frozenset[str] = frozenset()
    draws: frozenset[str] = frozenset()
    """The salts of random draws."""
    together: frozenset[tuple[str, int | None]] = frozenset()
    """Of whom else it asks: each kind by itself, and with the segment the others are to be in."""
    orders: bool = False
    """Whether it looks at the orders as they stand, refunds taken off."""
    metrics: frozenset[str] = frozenset()
    """The metrics of the catalogue it names."""
    is_timed: bool = False
    """Whether the answer can change by the passing of time."""

    @property
    def events(self) -> frozenset[str]:
        """The events whose history the rule looks at."""
        return frozenset(self.looks)

    @property
    def needs_profile(self) -> bool:
        """Whether the rule looks at more of a person than the history."""
        return any(
            (
                *(self.traits, self.fields, self.purposes, self.segments),
                *(self.scores, self.draws, self.together, self.orders),
            )
        )


def join_mentions(all_mentions: Iterable[Mentions]) -> Mentions:
    """Return what several look at together."""
    found = list(all_mentions)
    return Mentions(
        traits=frozenset().union(*(each.traits for each in found)),
        fields=frozenset().union(*(each.fields for each in found)),
        looks=join_looks(each.looks for each in found),
        purposes=frozenset().union(*(each.purposes for each in found)),
        segments=frozenset().union(*(each.segments for each in found)),
        scores=frozenset().union(*(each.scores for each in found)),
        draws=frozenset().union(*(each.draws for each in found)),
        together=frozenset().union(*(each.together for each in found)),
        orders=any(each.orders for each in found),
        metrics=frozenset().union(*(each.metrics for each in found)),
        is_timed=any(each.is_timed for each in found),
    )
