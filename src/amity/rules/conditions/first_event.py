"""``first_event``: the first time something happened, and what it was like."""

from __future__ import annotations

from typing import ClassVar

from amity.rules.condition import conditions
from amity.rules.picked import Picked


@conditions.register("first_event")
class FirstEvent(Picked, frozen=True, tag="first_event"):
    """The first of some events: `when` tests its moment, `has` its properties.

    `where` and the windows of `did` say which events there are to choose from; of several at the
    very same moment, one that passes is enough.  Who has none does not pass, whatever is asked.
    """

    word: ClassVar[str] = "first"
    is_last: ClassVar[bool] = False
