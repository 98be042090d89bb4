"""Instants as Amity reads and writes them: aware, in UTC, to the microsecond."""

import re
from datetime import UTC, datetime
from typing import Final

# The narrow gate is on purpose: the database's `amity_instant` accepts exactly these texts, so
# that a date means the same in memory and in SQL.  Years, hours and offsets are bounded to what
# both can represent after conversion to UTC.
INSTANT_PATTERN: Final = (
    r"^[1-9]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?)?$"
)
_INSTANT = re.compile(INSTANT_PATTERN, re.ASCII)


def parse_instant(text: str) -> datetime | None:
    """Read an ISO 8601 date or date and time; None when it is neither.

    A date alone means its midnight, and a time without an offset is taken as UTC.
    """
    if not _INSTANT.match(text) or text.endswith("\n"):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def format_instant(moment: datetime) -> str:
    """Write an instant in UTC with a `Z`, with microseconds only when there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
