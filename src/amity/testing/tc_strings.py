"""Writes TCF consent strings bit by bit, for tests: what the reader must find again."""

import base64
from collections.abc import Collection
from datetime import UTC, datetime


class Writer:
    """Bits written down one field after the other."""

    def __init__(self) -> None:
        self.bits = ""

    def put(self, *fields: tuple[int, int]) -> "Writer":
        """Write numbers, each with its count of bits."""
        for value, size in fields:
            assert value < 1 << size
            self.bits += f"{value:0{size}b}"
        return self

    def members(self, found: Collection[int], size: int) -> "Writer":
        """Write a field of bits."""
        return self.put(*((int(number in found), 1) for number in range(1, size + 1)))

    def vendors(self, found: Collection[int]) -> "Writer":
        """Write vendors as a field of bits."""
        most = max(found, default=0)
        return self.put((most, 16), (0, 1)).members(found, most)

    def ranges(self, most: int, *pairs: tuple[int, int]) -> "Writer":
        """Write vendors as ranges."""
        self.put((most, 16), (1, 1), (len(pairs), 12))
        for first, last in pairs:
            self.put((int(first != last), 1), (first, 16))
            if first != last:
                self.put((last, 16))
        return self

    def text(self) -> str:
        """Return what was written as base64url."""
        padded = self.bits + "0" * (-len(self.bits) % 8)
        raw = int(padded, 2).to_bytes(len(padded) // 8, "big")
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def letters(text: str) -> list[tuple[int, int]]:
    """Return letters as fields of six bits."""
    return [(ord(each) - ord("A"), 6) for each in text]


def core(
    *,
    at: datetime,
    purposes: Collection[int] = (),
    vendors: Collection[int] = (),
    interests: Collection[int] = (),
    ranges: tuple[int, tuple[tuple[int, int], ...]] | None = None,
) -> str:
    """Return a core segment; ``ranges`` (the highest vendor, pairs) stand in for ``vendors``."""
    tenths = round(at.timestamp() * 10)
    writer = Writer().put((2, 6), (tenths, 36), (tenths, 36), (27, 12), (3, 12), (1, 6))
    writer.put(*letters("EN"), (150, 12), (5, 6), (1, 1), (0, 1))
    writer.members({1}, 12).members(purposes, 24).members(interests, 24)
    writer.put((1, 1), *letters("DE"))
    if ranges:
        writer.ranges(ranges[0], *ranges[1])
    else:
        writer.vendors(vendors)
    writer.vendors({9}).put((0, 12))
    return writer.text()


def disclosed(vendors: Collection[int]) -> str:
    """Return a segment that discloses vendors."""
    return Writer().put((1, 3)).vendors(vendors).text()


BEFORE = datetime(2025, 6, 1, 12, tzinfo=UTC)
AFTER = datetime(2026, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)
