"""``gt``: more than a number."""

from __future__ import annotations

import operator
from typing import ClassVar

from amity.rules.comparison import Comparison
from amity.rules.operator import Span, operators


@operators.register("gt")
class IsMore(Comparison, frozen=True, tag="gt"):
    """Strictly more than a number; a text or a truth never is."""

    label: ClassVar[str] = "is more than"
    sign: ClassVar[str] = ">"
    compare = operator.gt

    def shape(self) -> Span:
        return Span(low=self.value, low_open=True)
