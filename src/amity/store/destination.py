"""The plug point of where a segment can be exported to: a destination takes rows of customers.

One destination is one file in `store/connectors/`. Until `finish` nobody sees any of it: a file has
another name until then, a database its transaction. So an export that dies is done again from the
beginning, and none is ever there in half.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import msgspec

from amity.infra.config import settings
from amity.kernel.errors import Invalid, NotFound
from amity.kernel.registry import Registry
from amity.store.contracts_outbound import DestinationField, DestinationKind

Cell = str | int | float | bool | datetime | None
ColumnType = Literal["integer", "text", "moment"]

COLUMNS: Final[dict[str, ColumnType]] = {
    "profile_id": "integer",
    "user_id": "text",
    "name": "text",
    "email": "text",
    "phone": "text",
    "first_seen_at": "moment",
    "last_seen_at": "moment",
    "event_count": "integer",
    "order_count": "integer",
    "revenue_minor": "integer",
    "first_order_at": "moment",
    "last_order_at": "moment",
    "entered_at": "moment",
}
"""What can be told of a customer; `trait.NAME` is told too, as text."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination is told about one run."""

    settings: Mapping[str, str]
    secret: str
    columns: tuple[str, ...]
    stem: str
    """The name of a file without its ending, unlike that of any other run."""


class Destination(ABC):
    """Where the rows of one run go. The first column is always `profile_id`, which is the key."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    fields: ClassVar[tuple[DestinationField, ...]] = ()

    def __init__(self, job: Job) -> None:
        self.job = job

    @classmethod  # noqa: B027  # most have nothing to check
    def check(cls, job: Job) -> None:
        """Raise Invalid or Denied for settings that cannot work; nothing is written."""

    def reach(self) -> None:  # noqa: B027  # most are a file of our own
        """See that it can be reached and lets us in; nothing is written. Raises as `begin`."""

    @abstractmethod
    def begin(self) -> None:
        """Make ready for rows."""

    @abstractmethod
    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Take some rows, in the order of the columns."""

    @abstractmethod
    def finish(self) -> str:
        """Let everybody see what was written; return the name of the file, "" when it is none."""

    @abstractmethod
    def abandon(self) -> None:
        """Leave nothing of what was written."""


class FileDestination(Destination):
    """A file in the installation's folder of exports, with another name until it is whole."""

    ending: ClassVar[str]

    @property
    def file_name(self) -> str:
        """The name of the whole file."""
        return f"{self.job.stem}.{self.ending}"

    @property
    def draft(self) -> Path:
        """Where it is written meanwhile."""
        return exports_folder() / f".{self.file_name}.part"

    def open_draft(self) -> int:
        """Make the file anew, for nobody but this user; return its descriptor."""
        self.draft.unlink(missing_ok=True)
        return os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def publish(self) -> str:
        """Give the file its name once all of it is on the disk."""
        descriptor = os.open(self.draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.draft.rename(exports_folder() / self.file_name)
        return self.file_name

    def abandon(self) -> None:
        self.draft.unlink(missing_ok=True)


DESTINATIONS: Final[Registry[Destination]] = Registry(
    Destination,  # type: ignore[type-abstract]  # the registry holds its subclasses
    group="amity.destinations",
)


@cache
def destinations() -> Registry[Destination]:
    """Return all destinations, found on first use."""
    from amity.store import connectors as package  # noqa: PLC0415  # they import this module

    DESTINATIONS.discover(package)
    return DESTINATIONS


def find_destination(name: str) -> type[Destination]:
    """Return a destination by its name; raise NotFound with the names there are."""
    if name not in destinations():
        known = ", ".join(sorted(destinations().names()))
        raise NotFound(f"there is no destination {name!r}; there are: {known}")
    return destinations()[name]


def list_destinations() -> list[DestinationKind]:
    """Return the kinds of places a segment can be exported to, by name."""
    return [
        DestinationKind(
            name=name,
            title=destinations()[name].title,
            description=destinations()[name].description,
            fields=list(destinations()[name].fields),
        )
        for name in sorted(destinations().names())
    ]


def exports_folder() -> Path:
    """Return the folder of exported files, made when it is not there yet."""
    folder = settings().data / "exports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def type_of(column: str) -> ColumnType:
    """Return what a column holds; raise Invalid for one there is not."""
    if column in COLUMNS:
        return COLUMNS[column]
    if column.startswith("trait.") and 6 < len(column) <= 60 and column.isprintable():
        if "%" in column:
            raise Invalid("a column with % in its name cannot be exported")
        return "text"
    known = ", ".join(COLUMNS)
    raise Invalid(f"there is no column {column!r}; there are: {known}, trait.NAME")


def plain_text(value: Any) -> str | None:
    """Write the value of a trait as text: text as it is, all else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
