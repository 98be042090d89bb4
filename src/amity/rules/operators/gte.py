"""``gte``: at least a number."""

from __future__ import annotations

import operator
from typing import ClassVar

from amity.rules.comparison import Comparison
from amity.rules.operator import Span, operators


@operators.register("gte")
class IsAtLeast(Comparison, frozen=True, tag="gte"):
    """A number or more; a text or a truth never is."""

    label: ClassVar[str] = "is at least"
    sign: ClassVar[str] = ">="
    compare = operator.ge

    def shape(self) -> Span:
        return Span(low=self.value)
