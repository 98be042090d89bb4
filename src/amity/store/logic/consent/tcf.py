"""IAB TCF consent strings, version 2.3, read into what they say (pure).

A TC string is dot-joined base64url segments: the core first, then in any order those that say
their type in their first three bits (1 disclosed vendors, 2 allowed vendors, 3 publisher). Bits are
read from the most significant on. Since 28 February 2026 a string must disclose its vendors: one
that was made or changed later without that segment consents to nothing.

Source: IAB Europe, Transparency and Consent Framework, "Consent string and vendor list format v2".
"""

import binascii
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from amity.kernel.errors import Invalid

VERSION: Final = 2
DISCLOSURE_REQUIRED_FROM: Final = datetime(2026, 2, 28, tzinfo=UTC)
_LONGEST: Final = 16_384
_MOST_SEGMENTS: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DISCLOSED, _ALLOWED, _PUBLISHER = 1, 2, 3
_PURPOSES: Final = 24
_FEATURES: Final = 12
_A: Final = ord("A")


class ConsentString(msgspec.Struct, frozen=True, kw_only=True):
    """What a TC string says. Purposes, features and vendors are numbers of the IAB's lists."""

    created_at: datetime
    updated_at: datetime
    cmp_id: int
    cmp_version: int
    consent_screen: int
    language: str
    vendor_list_version: int
    policy_version: int
    is_service_specific: bool
    uses_non_standard_texts: bool
    special_features: frozenset[int]
    purposes: frozenset[int]
    """Those consented to."""
    interests: frozenset[int]
    """Those whose legitimate interest was told and not objected to."""
    purpose_one_treatment: bool
    publisher_country: str
    vendors: frozenset[int]
    vendor_interests: frozenset[int]
    disclosed_vendors: frozenset[int] | None
    """None when the segment is missing."""

    @property
    def is_valid(self) -> bool:
        """Say whether it counts at all: the vendors were disclosed where they must be."""
        return self.disclosed_vendors is not None or self.updated_at < DISCLOSURE_REQUIRED_FROM

    def allows(self, purpose: int, vendor: int | None = None) -> bool:
        """Say whether there is consent for a purpose, and for us when we are on the list."""
        if not self.is_valid or purpose not in self.purposes:
            return False
        if vendor is None:
            return True
        is_told = self.disclosed_vendors is None or vendor in self.disclosed_vendors
        return is_told and vendor in self.vendors


class _Bits:
    """The bits of one segment, read from the front."""

    def __init__(self, segment: str) -> None:
        if not segment or not segment.isascii():
            raise _wrong("a segment is empty")
        # CMPs pad to whole letters, not to whole bytes.
        letters = segment + "A" * (-len(segment) % 4)
        try:
            raw = urlsafe_b64decode(letters)
        except (binascii.Error, ValueError) as error:
            raise _wrong("a segment is not base64url") from error
        if len(raw) * 4 != len(letters) * 3:
            raise _wrong("a segment is not base64url")
        self._number = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def take(self, count: int) -> int:
        """Read a whole number of so many bits."""
        if count > self._left:
            raise _wrong("it ends too early")
        self._left -= count
        return (self._number >> self._left) & ((1 << count) - 1)

    def take_moment(self) -> datetime:
        """Read an instant in tenths of a second."""
        return _EPOCH + timedelta(milliseconds=100 * self.take(36))

    def take_letters(self) -> str:
        """Read two letters."""
        return chr(_A + self.take(6)) + chr(_A + self.take(6))

    def take_set(self, size: int) -> frozenset[int]:
        """Read a field of bits; the first stands for 1."""
        bits = self.take(size)
        return frozenset(each for each in range(1, size + 1) if bits >> (size - each) & 1)

    def take_vendors(self) -> frozenset[int]:
        """Read vendors, as a field of bits or as ranges."""
        most = self.take(16)
        if not self.take(1):
            return self.take_set(most)
        found: set[int] = set()
        for _ in range(self.take(12)):
            is_range = self.take(1)
            first = self.take(16)
            last = self.take(16) if is_range else first
            if not 0 < first <= last <= most:
                raise _wrong("a range of vendors is wrong")
            found.update(range(first, last + 1))
        return frozenset(found)


def read_tc_string(text: str) -> ConsentString:
    """Read a TC string; raise Invalid for anything else.

    Restrictions of publishers are skipped: they narrow what other vendors may, not what we may do
    by consent.
    """
    segments = text.strip().split(".")
    if len(text) > _LONGEST or len(segments) > _MOST_SEGMENTS:
        raise _wrong("it is too long")
    core = _Bits(segments[0])
    if core.take(6) != VERSION:
        raise _wrong("it is not version 2")
    return _read_core(core, _find_disclosed(segments[1:]))


def _read_core(bits: _Bits, disclosed: frozenset[int] | None) -> ConsentString:
    # In the order of the bits: arguments are evaluated from the first to the last.
    return ConsentString(
        created_at=bits.take_moment(),
        updated_at=bits.take_moment(),
        cmp_id=bits.take(12),
        cmp_version=bits.take(12),
        consent_screen=bits.take(6),
        language=bits.take_letters(),
        vendor_list_version=bits.take(12),
        policy_version=bits.take(6),
        is_service_specific=bool(bits.take(1)),
        uses_non_standard_texts=bool(bits.take(1)),
        special_features=bits.take_set(_FEATURES),
        purposes=bits.take_set(_PURPOSES),
        interests=bits.take_set(_PURPOSES),
        purpose_one_treatment=bool(bits.take(1)),
        publisher_country=bits.take_letters(),
        vendors=bits.take_vendors(),
        vendor_interests=bits.take_vendors(),
        disclosed_vendors=disclosed,
    )


def _find_disclosed(segments: list[str]) -> frozenset[int] | None:
    disclosed = None
    for segment in segments:
        bits = _Bits(segment)
        kind = bits.take(3)
        if kind == _DISCLOSED:
            disclosed = bits.take_vendors()
        elif kind not in {_ALLOWED, _PUBLISHER}:
            raise _wrong("a segment is of no known kind")
    return disclosed


def _wrong(why: str) -> Invalid:
    return Invalid(f"this is no TCF consent string: {why}", code="bad_tc_string")
