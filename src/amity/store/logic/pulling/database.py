"""Reading somebody else's database, whichever it is: what it holds, and pages in order.

Nothing but SELECT is ever said there, in sessions that can only read. Names come from the
database's own catalogue and are quoted; values are parameters.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec

from amity.kernel.errors import Invalid
from amity.store.contracts_pulling import ColumnKind, PullColumn, PullTable

_TIME: Final = re.compile(r"time|date")
_NUMBER: Final = re.compile(r"int|serial|numeric|decimal|number|double|float|real|bigint")
_TEXT: Final = re.compile(r"char|text|uuid|clob")
LISTED: Final = 2_000


class PullFailed(Exception):
    """The other database could not be read: its own words, or ours."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a table: which columns, after which values of cursor and key, how many."""

    table: PullTable
    columns: Sequence[str]
    order: Sequence[str]
    """The cursor, then the key."""
    after: Sequence[Any] = ()
    """Values of all of ``order``, or of the cursor alone, which is then read again."""
    until: Any = None
    limit: int


class Database(ABC):
    """One open, read-only session with somebody's database."""

    quote: ClassVar[str]
    mark: ClassVar[str]

    @abstractmethod
    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a SELECT; raise PullFailed with the database's words."""

    @abstractmethod
    def list_tables(self) -> list[PullTable]:
        """Return the tables and views that can be read, by name."""

    @abstractmethod
    def list_columns(self, table: PullTable) -> list[PullColumn]:
        """Return the columns of a table in their order."""

    @abstractmethod
    def close(self) -> None:
        """End the session."""

    def name(self, text: str) -> str:
        """Return a name as the database takes it for nothing but a name."""
        if "\0" in text:
            raise Invalid("a name with a zero byte is none", code="bad_name")
        # Drivers that fill in values take a percent sign for the beginning of one.
        body = text.replace(self.quote, self.quote * 2)
        if self.mark == "%s":
            body = body.replace("%", "%%")
        return f"{self.quote}{body}{self.quote}"

    def place(self, table: PullTable) -> str:
        """Return a table's full name, quoted."""
        return ".".join(self.name(part) for part in (table.schema, table.name) if part)

    def read_page(self, asked: Asked) -> list[tuple[Any, ...]]:
        """Return the columns and then the cursor and the key of the next rows, in that order."""
        names = ", ".join(self.name(column) for column in (*asked.columns, *asked.order))
        cursor = self.name(asked.order[0])
        where, values = [f"{cursor} IS NOT NULL"], list[Any]()
        if asked.until is not None:
            where.append(f"{cursor} <= {self.mark}")
            values.append(asked.until)
        if asked.after:
            condition, more = self._after(asked.order, asked.after)
            where.append(condition)
            values.extend(more)
        order = ", ".join(self.name(column) for column in asked.order)
        text = f"SELECT {names} FROM {self.place(asked.table)} WHERE {' AND '.join(where)}"  # noqa: S608  # names are quoted
        return self.query(f"{text} ORDER BY {order} LIMIT {int(asked.limit)}", values)

    def _after(self, order: Sequence[str], after: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return what holds for rows after those values: (a, b) > (1, 2), written out.

        Written out, since not every planner finds an index for the short form.
        """
        first = self.name(order[0])
        if len(after) < len(order):
            return f"{first} >= {self.mark}", [after[0]]
        condition, values = f"{self.name(order[-1])} > {self.mark}", [after[-1]]
        for column, value in zip(reversed(order[:-1]), reversed(after[:-1]), strict=True):
            quoted = self.name(column)
            condition = f"{quoted} >= {self.mark} AND ({quoted} > {self.mark} OR ({condition}))"
            values = [value, value, *values]
        return condition, values

    def read_groups(
        self, table: PullTable, columns: Sequence[str], key: str, keys: Sequence[Any]
    ) -> list[tuple[Any, ...]]:
        """Return the columns of all rows whose ``key`` is one of some values."""
        names = ", ".join(self.name(column) for column in columns)
        marks = ", ".join([self.mark] * len(keys))
        text = f"SELECT {names} FROM {self.place(table)} WHERE {self.name(key)} IN ({marks})"  # noqa: S608
        return self.query(text, list(keys))


def kind_of(type_name: str) -> ColumnKind:
    """Return what the values of a column are like, by the name of its type."""
    lower = type_name.lower()
    if "interval" in lower or lower == "time":
        return "other"
    for pattern, kind in ((_TIME, "time"), (_NUMBER, "number"), (_TEXT, "text")):
        if pattern.search(lower):
            return kind  # type: ignore[return-value]
    return "other"
