"""``lte``: at most a number."""

from __future__ import annotations

import operator
from typing import ClassVar

from amity.rules.comparison import Comparison
from amity.rules.operator import Span, operators


@operators.register("lte")
class IsAtMost(Comparison, frozen=True, tag="lte"):
    """A number or less; a text or a truth never is."""

    label: ClassVar[str] = "is at most"
    sign: ClassVar[str] = "<="
    compare = operator.le

    def shape(self) -> Span:
        return Span(high=self.value)
