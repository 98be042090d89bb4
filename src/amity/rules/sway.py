"""Which way one more event moves an answer: what lets an event be settled without a history."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from amity.rules.subject import Subject
from amity.rules.where import Where

Sway = Literal[-1, 0, 1]
"""1: from no to yes or not at all, at whatever time the rule is asked; -1: from yes to no or not
at all; 0: either way."""
Swayed = tuple[str, tuple[Where, ...], Sway]
"""An event by its name, what it must be like, and which way it moves the answer."""
AGAINST: dict[Sway, Sway] = {1: -1, 0: 0, -1: 1}
"""What moves the answer one way moves its contrary the other."""
Foresight = Callable[[Subject, datetime], bool | None]
"""Says what an answer will be whatever else is true, or None."""

Timing = Callable[[Subject, datetime], datetime | None]
"""Says when an answer may differ by itself, or None."""


def decided(sway: Sway, *, holds: bool) -> bool | None:
    """Return an answer that more of the same cannot move; None for one that it can."""
    return holds if holds is (sway == 1) else None
