"""Forgetting rows of a table, or files of a folder, by their age."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from amity.infra import queries
from amity.infra.config import settings
from amity.infra.database import transaction
from amity.store.contracts_consent import LawfulBasis
from amity.store.contracts_retention import Removal, RetentionRule, RetentionSlice
from amity.store.sweep import Sweep

_SQL: Final = queries.load("amity.store")
_AT_ONCE: Final = 5_000
_MOST_COUNTED: Final = 500_000


def fill(name: str, **parts: str) -> bytes:
    """Return a named query with our own names of tables and columns put in."""
    text = _SQL[name]
    for place, word in parts.items():
        text = text.replace(f"{{{place}}}".encode(), word.encode())
    return text


class RowSweep(Sweep):
    """Deletes rows of one table whose moment is too long ago."""

    def __init__(
        self,
        kind: str,
        *tables: tuple[str, str],
        words: tuple[str, str, str],
        where: str = "true",
        **held: Any,
    ) -> None:
        """Take tables with their moments, the rule's title, what happens, and why it is kept."""
        self.kind = kind
        self.title, self.does, self.reason = words
        self.tables = tuple(table for table, _ in tables)
        self._moments = dict(tables)
        self._where = where
        _hold(self, held)

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count what is too old, up to a limit a table."""
        total, is_capped = Removal(), False
        for table, at in self._moments.items():
            found = self._ask("retention_table_count", table, at, before, _MOST_COUNTED)
            total = total.join(found)
            is_capped |= found.rows >= _MOST_COUNTED
        return total, is_capped

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Delete a slice of the first table that still has something."""
        total = Removal()
        for table, at in self._moments.items():
            gone = self._ask("retention_table_slice", table, at, before, _AT_ONCE)
            total = total.join(gone)
            if gone.rows == _AT_ONCE:
                return RetentionSlice(removed=total, is_last=False)
        return RetentionSlice(removed=total, is_last=True)

    def _ask(self, query: str, table: str, at: str, before: datetime, limit: int) -> Removal:
        text = fill(query, table=table, at=at, where=self._where)
        with transaction() as connection:
            row = connection.execute(text, {"before": before, "limit": limit}).fetchone()
        assert row is not None
        tables = {table: row[0]} if row[0] else {}
        return Removal(
            rows=row[0], size_bytes=row[1], tables=tables, oldest_at=row[2], newest_at=row[3]
        )


class FileSweep(Sweep):
    """Deletes files of the data folder that were not written for too long."""

    def __init__(
        self, kind: str, held: str, pattern: str, *, words: tuple[str, str, str], **more: Any
    ) -> None:
        """Take what the data map calls them, and which of them it is, below the data folder."""
        self.kind = kind
        self.tables = (held,)
        self.title, self.does, self.reason = words
        self._pattern = pattern
        _hold(self, more)

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count what is too old."""
        return self._sum(self._old(before)), False

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Delete them all: they are few."""
        old = self._old(before)
        removed = self._sum(old)
        for path, _, _ in old:
            path.unlink(missing_ok=True)
        return RetentionSlice(removed=removed, is_last=True)

    def _old(self, before: datetime) -> list[tuple[Path, int, datetime]]:
        found = []
        for path in sorted(settings().data.glob(self._pattern)):
            try:
                told = path.stat()
            except FileNotFoundError:
                continue
            at = datetime.fromtimestamp(told.st_mtime, UTC)
            if path.is_file() and at < before:
                found.append((path, told.st_size, at))
        return found

    def _sum(self, old: list[tuple[Path, int, datetime]]) -> Removal:
        moments = [at for _, _, at in old]
        return Removal(
            files=len(old),
            size_bytes=sum(size for _, size, _ in old),
            oldest_at=min(moments, default=None),
            newest_at=max(moments, default=None),
        )


def _hold(sweep: Sweep, told: dict[str, Any]) -> None:
    """Set what a sweep says of itself beyond the usual."""
    days: int | None = told.get("days")
    basis: LawfulBasis = told.get("basis", "legitimate_interest")
    sweep.days, sweep.basis = days, basis
    sweep.least_days = told.get("least_days", 1)
    sweep.every_hours = told.get("every_hours", 24)
    sweep.is_enabled = told.get("is_enabled", True)
