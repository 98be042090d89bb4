"""``last_event``: the last time something happened, and what it was like."""

from __future__ import annotations

from typing import ClassVar

from amity.rules.condition import conditions
from amity.rules.picked import Picked


@conditions.register("last_event")
class LastEvent(Picked, frozen=True, tag="last_event"):
    """The last of some events up to now: `when` tests its moment, `has` its properties.

    `where` and the windows of `did` say which events there are to choose from; of several at the
    very same moment, one that passes is enough.  Who has none does not pass, whatever is asked:
    "more than 60 days ago" is who did it once and not since; for who never did, see `did`.
    """

    word: ClassVar[str] = "last"
    is_last: ClassVar[bool] = True
