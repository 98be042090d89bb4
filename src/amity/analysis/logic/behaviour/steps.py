"""Steps as people write them: `Product Viewed [category = Bakery] > Order Completed`."""

import re
from typing import TYPE_CHECKING, Final

import msgspec

from amity.analysis.logic.reporting import frames
from amity.kernel.errors import Invalid

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

_STEP: Final = re.compile(r"^([^\[\]=]+?)\s*(?:\[\s*([^\[\]=]+?)\s*=\s*([^\[\]]*?)\s*\])?$")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An event, and if said a property it must have, as text."""

    event: str
    key: str = ""
    value: str = ""

    @property
    def label(self) -> str:
        """Return it as people write it."""
        return f"{self.event} [{self.key} = {self.value}]" if self.key else self.event

    def matches(self, events: "ibis.Table") -> "ir.BooleanValue":
        """Return whether an event is this step; a property that is no text is none."""
        import ibis  # noqa: PLC0415  # loads slowly

        named: ir.BooleanValue = events["name"] == self.event
        if not self.key:
            return named
        held = frames.text(events.properties, self.key) == self.value
        matched: ir.BooleanValue = named & ibis.coalesce(held, False)  # a value
        return matched


def read_steps(text: str, *, least: int = 1, most: int) -> list[Step]:
    """Return the steps between the `>`; raise Invalid with what is wrong."""
    found = []
    for part in text.split(">"):
        match = _STEP.match(part.strip())
        if match is None:
            raise Invalid(
                f"“{part.strip()}” is not a step: write an event, or an event and one property, "
                "as in “Product Viewed [category = Bakery]”",
                code="bad_step",
            )
        event, name, value = match.groups(default="")
        found.append(Step(event=event.strip(), key=name, value=value))
    if not least <= len(found) <= most:
        raise Invalid(f"there must be {least} to {most} steps, between “>”", code="bad_steps")
    return found


def read_names(text: str, *, most: int = 50) -> list[str]:
    """Return names of events between commas; raise Invalid when there are too many."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > most:
        raise Invalid(f"at most {most} events can be named", code="too_many_events")
    return names
