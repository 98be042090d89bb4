"""What a demo shop is made of, whether its data are fetched or made up.

Times are the shop's wall clock, without a zone, as the data have them; `Calendar` moves them.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

import msgspec


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a till receipt. ``value`` is what the shop took, after its own discounts."""

    product_id: int
    quantity: int
    value: float
    shop_discount: float
    coupon_discount: float
    matched_discount: float
    kind: str | None
    category: str | None
    brand: str | None
    size: str | None


class Basket(msgspec.Struct, frozen=True):
    """One purchase at a till by the holder of a loyalty card."""

    basket_id: int
    household_id: int
    store_id: int
    at: datetime
    lines: list[Line]


class Redemption(msgspec.Struct, frozen=True):
    """A coupon handed in; ``basket_id`` when exactly one basket of the day can be meant."""

    household_id: int
    coupon_id: int
    campaign_id: int
    number: int
    at: datetime
    basket_id: int | None


class Mailing(msgspec.Struct, frozen=True):
    """A campaign's coupons, sent to one household."""

    household_id: int
    campaign_id: int
    kind: str
    starts: datetime
    ends: datetime
    coupons: int


class Household(msgspec.Struct, frozen=True):
    """A loyalty card, with what the household told about itself."""

    household_id: int
    first_at: datetime
    traits: dict[str, str]


class Record(msgspec.Struct, frozen=True):
    """One record of a person: the original, or one of several others with mistakes in it."""

    person: int
    copy: int | None
    fields: dict[str, str]


class Click(msgspec.Struct, frozen=True, gc=False):
    """One step of a visitor of the web shop."""

    number: int
    visitor: str
    session: str
    action: str
    at: datetime
    device: str
    channel: str
    cohort: str


class Shop(Protocol):
    """A shop's year. Every method gives the same in the same order each time."""

    is_stand_in: bool
    cards: int
    """Loyalty cards are numbered from 1 to this; not all of them ever bought."""
    last_day: date
    """The last day of the orders."""
    last_click_day: date

    def households(self) -> list[Household]: ...
    def records(self) -> list[Record]: ...
    def count_baskets(self) -> tuple[int, int]:
        """Return how many baskets and lines `iter_baskets` gives."""
        ...

    def iter_baskets(self) -> Iterator[Basket]: ...
    def mailings(self) -> list[Mailing]: ...
    def redemptions(self) -> list[Redemption]: ...
    def clicks(self) -> list[Click]: ...


class Calendar(msgspec.Struct, frozen=True):
    """Moves the data's times by whole days, so that their last day is the day of ``began_at``.

    The wall clock is kept and read as UTC. What would only happen later than ``began_at`` has
    not happened yet: for that, `move` returns None.
    """

    began_at: datetime
    days: int

    @classmethod
    def ending_today(cls, began_at: datetime, last_day: date) -> "Calendar":
        """Return the calendar on which ``last_day`` is the day of ``began_at`` (UTC)."""
        return cls(began_at, (began_at.astimezone(UTC).date() - last_day).days)

    def move(self, at: datetime) -> str | None:
        """Return a time of the data as the log writes it; None when it is still to come."""
        moved = (at + timedelta(days=self.days)).replace(tzinfo=UTC)
        return None if moved > self.began_at else moved.strftime("%Y-%m-%dT%H:%M:%SZ")

    def move_day(self, at: datetime) -> str:
        """Return a day of the data, past or to come, as text."""
        return (at + timedelta(days=self.days)).date().isoformat()


def wall_clock(day: date, hour: int = 0) -> datetime:
    """Return an hour of a day on the shop's wall clock."""
    return datetime.combine(day, time(hour))


def chance(*key: object) -> float:
    """Return a number in [0, 1) that is always the same for the same key: the demo's dice."""
    return number_of(*key) / 2**64


def number_of(*key: object) -> int:
    """Return a whole number of 64 bits that is always the same for the same key."""
    text = "\x1f".join(map(str, ("journey-market", *key)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def card_of(household_id: int) -> str:
    """Return the number of a household's loyalty card: its customer id everywhere."""
    return f"card-{household_id}"


Event = dict[str, Any]
