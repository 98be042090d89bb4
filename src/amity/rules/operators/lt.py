"""``lt``: less than a number."""

from __future__ import annotations

import operator
from typing import ClassVar

from amity.rules.comparison import Comparison
from amity.rules.operator import Span, operators


@operators.register("lt")
class IsLess(Comparison, frozen=True, tag="lt"):
    """Strictly less than a number; a text or a truth never is."""

    label: ClassVar[str] = "is less than"
    sign: ClassVar[str] = "<"
    compare = operator.lt

    def shape(self) -> Span:
        return Span(high=self.value, high_open=True)
