"""The plug point of what brings records in: a connector says what the columns of a file can be
and turns its rows into events.

One connector is one file in `store/connectors/`. It is pure: no database, no clock, so the same
row always gives the same event with the same message id, and importing a file again adds nothing.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Final

import msgspec

from amity.kernel.errors import NotFound
from amity.kernel.registry import Registry


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """Something a column can be: its name, and the headings it is known by."""

    name: str
    label: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    help: str = ""


WHO: Final = (
    Field(name="user_id", label="Customer id", aliases=("userid", "customer", "customer no")),
    Field(name="email", label="E-mail", aliases=("email address", "mail")),
    Field(name="phone", label="Phone", aliases=("phone number", "mobile")),
)
"""Who a row is about, where it says it by one of these."""


class Row(msgspec.Struct, frozen=True):
    """One row of a file: its number (the first data row is 1) and its filled cells by field."""

    number: int
    cells: dict[str, str]

    def find(self, *fields: str) -> str:
        """Return the first filled cell among ``fields``, or the empty text."""
        return next((self.cells[field] for field in fields if field in self.cells), "")


class BadRow(Exception):
    """A row that cannot become an event, with the reason in words for whoever made the file."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"row {number}: {reason}")
        self.number = number
        self.reason = reason


class Connector(ABC):
    """What turns rows into events.

    ``one_of`` lists groups of fields of which at least one must be mapped. ``group_by`` names
    the field whose equal values make one event together (the lines of one order); rows reach
    `make_events` in such groups, in the order of the file.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = ()
    extras: ClassVar[str] = "property"
    group_by: ClassVar[str | None] = None
    sample: ClassVar[str]
    """A small file in this shape, for the documentation and the conformance kit."""

    def __init__(self, *, currency: str) -> None:
        self.currency = currency

    @abstractmethod
    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the events of one row, or of one group; raise BadRow when they cannot be made."""

    def identify(self, event: dict[str, Any]) -> str:
        """Return what makes this event the same as one imported before: all it says."""
        return msgspec.json.encode(event, order="deterministic").decode()

    def make_messages(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the events with their message ids, the same each time for the same content."""
        events = self.make_events(rows)
        for event in events:
            if "messageId" not in event:
                event["messageId"] = f"import-{self.name}-{digest(self.identify(event))}"
            event["context"] = event.get("context", {}) | {"library": _LIBRARY}
        return events


_LIBRARY: Final = {"name": "amity-import", "version": "1"}

CONNECTORS: Final[Registry[Connector]] = Registry(
    Connector,  # type: ignore[type-abstract]  # the registry holds its subclasses
    group="amity.connectors",
)


@cache
def connectors() -> Registry[Connector]:
    """Return all connectors, found on first use."""
    from amity.store import connectors as package  # noqa: PLC0415  # they import this module

    CONNECTORS.discover(package)
    return CONNECTORS


def find_connector(name: str) -> type[Connector]:
    """Return a connector by its name; raise NotFound with the names there are."""
    if name not in connectors():
        known = ", ".join(sorted(connectors().names()))
        raise NotFound(f"there is no connector {name!r}; there are: {known}")
    return connectors()[name]


def digest(text: str) -> str:
    """Return a short hash of ``text``: 32 hexadecimal digits, enough to never meet by chance."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
