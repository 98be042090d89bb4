"""A test of one property of an event, and the union of all operators there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Union

import msgspec
from msgspec import Meta

from amity.rules import operators as _package
from amity.rules.operator import Operator, operators

operators.discover(_package)

if TYPE_CHECKING:
    AnyOperator = Operator
else:
    AnyOperator = Union[tuple(operators)]  # noqa: UP007  # the registry decides what is in it

Name = Annotated[str, Meta(min_length=1, max_length=255)]


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test of one property of an event."""

    property: Name
    is_: AnyOperator = msgspec.field(name="is")

    def matches(self, properties: Mapping[str, Any], now: datetime) -> bool:
        """Say whether an event with these properties passes."""
        actual = properties.get(self.property)
        return self.is_.matches_missing if actual is None else self.is_.matches(actual, now)
