"""A small shop made up on the spot, for when the demo's data cannot be fetched.

It has the shape of the fetched data and none of their truth; every page says so.
"""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from amity.cli.demo.shop import (
    Basket,
    Click,
    Household,
    Line,
    Mailing,
    Record,
    Redemption,
    number_of,
    wall_clock,
)

SEED: Final = 20_260_401
_FIRST: Final = wall_clock(date(2017, 1, 1))
_DAYS: Final = 365
_CARDS: Final = 60
_VISITORS: Final = 60
_CAMPAIGNS: Final = 4
_NAMES: Final = (
    "ada",
    "bela",
    "cleo",
    "dana",
    "emil",
    "fritz",
    "gala",
    "hugo",
    "ines",
    "jonas",
    "kira",
    "lena",
    "milo",
    "nora",
    "omar",
)
_SURNAMES: Final = (
    "archer",
    "baker",
    "carter",
    "dyer",
    "fisher",
    "glover",
    "hunter",
    "mason",
    "potter",
    "sawyer",
    "tailor",
)
_SUBURBS: Final = ("northgate", "millbrook", "eastfield", "harbour view")
_ASSORTMENT: Final = (
    ("MILK", "DAIRY", 1.99),
    ("BUTTER", "DAIRY", 3.49),
    ("WHITE BREAD", "BAKERY", 2.29),
    ("ROLLS", "BAKERY", 1.49),
    ("APPLES", "FRUIT", 3.99),
    ("BANANAS", "FRUIT", 1.29),
    ("COFFEE", "HOT DRINKS", 8.99),
    ("TEA", "HOT DRINKS", 4.49),
    ("PASTA", "PANTRY", 1.19),
    ("RICE", "PANTRY", 2.59),
    ("CHICKEN", "MEAT", 7.99),
    ("SOAP", "HOUSEHOLD", 2.99),
)
_PATHS: Final = (
    ("home", "catalog", "product_view"),
    ("search", "product_view", "product_view", "wishlist_add"),
    ("home", "search", "product_view", "add_to_cart", "cart"),
    ("catalog", "product_view", "add_to_cart", "cart", "shipping_details", "payment_details",
     "purchase"),
    ("home", "account_page", "support_chat"),
)  # fmt: skip


class StandIn:
    """The made-up shop: the same every time, since its dice are seeded."""

    is_stand_in = True
    cards = _CARDS * 10
    last_day: date = (_FIRST + timedelta(days=_DAYS - 1)).date()
    last_click_day: date = last_day

    def __init__(self) -> None:
        rng = random.Random(SEED)  # noqa: S311  # a made-up shop, not a secret
        self._baskets: list[Basket] = []
        for card in range(10, self.cards + 1, 10):
            self._baskets.extend(_shop_for_a_year(card, rng))
        self._baskets.sort(key=lambda basket: (basket.at, basket.basket_id))

    def households(self) -> list[Household]:
        """Return all cards that ever bought, by number."""
        first: dict[int, datetime] = {}
        for basket in self._baskets:
            first.setdefault(basket.household_id, basket.at)
        return [Household(card, at, _tell(card)) for card, at in sorted(first.items())]

    def records(self) -> list[Record]:
        """Return people for four of five cards, half of them with a second, misspelt record."""
        made = []
        for person in range(self.cards * 4 // 5):
            fields = _person(person)
            made.append(Record(person, None, fields))
            if person % 2:
                wrong = fields | {"surname": fields["surname"][1:], "postcode": "9999"}
                made.append(Record(person, 0, wrong))
        return made

    def count_baskets(self) -> tuple[int, int]:
        """Return how many baskets and lines there are."""
        return len(self._baskets), sum(len(basket.lines) for basket in self._baskets)

    def iter_baskets(self) -> Iterator[Basket]:
        """Give the baskets in the order of time."""
        yield from self._baskets

    def mailings(self) -> list[Mailing]:
        """Return four campaigns, each sent to every second card."""
        return [
            Mailing(card, campaign, "Type A", at, at + timedelta(days=30), 12)
            for campaign in range(1, _CAMPAIGNS + 1)
            for at in [_FIRST + timedelta(days=80 * campaign)]
            for card in range(10, self.cards + 1, 10)
            if number_of("mailed", campaign, card) % 2
        ]

    def redemptions(self) -> list[Redemption]:
        """Return one coupon handed in for every sixth basket of who was sent one."""
        mailed = {(m.household_id, m.campaign_id): m for m in self.mailings()}
        found: list[Redemption] = []
        for basket in self._baskets:
            for campaign in range(1, _CAMPAIGNS + 1):
                mailing = mailed.get((basket.household_id, campaign))
                is_due = mailing and mailing.starts <= basket.at < mailing.ends
                if is_due and number_of("redeems", basket.basket_id) % 3 == 0:
                    coupon = 5_000 + campaign
                    found.append(_redeem(basket, coupon, campaign, len(found)))
        return found

    def clicks(self) -> list[Click]:
        """Return a year of visits in the order of time."""
        rng = random.Random(SEED + 1)  # noqa: S311  # a made-up shop, not a secret
        steps: list[tuple[datetime, str, str, str, str]] = []
        for visitor in range(_VISITORS):
            device = rng.choice(("desktop", "mobile", "tablet"))
            for visit in range(rng.randint(1, 6)):
                at = _FIRST + timedelta(
                    days=rng.randrange(_DAYS), hours=rng.randint(8, 20), minutes=rng.randrange(60)
                )
                for action in rng.choice(_PATHS):
                    at += timedelta(seconds=rng.randint(5, 120))
                    steps.append((at, f"visitor-{visitor}", f"s-{visitor}-{visit}", action, device))
        steps.sort()
        return [
            Click(number, visitor, session, action, at, device, "direct", "made-up")
            for number, (at, visitor, session, action, device) in enumerate(steps)
        ]


def _shop_for_a_year(card: int, rng: random.Random) -> Iterator[Basket]:
    """Buy now and then; some stop half way through the year."""
    pause = rng.uniform(3, 30)
    stops_after = _DAYS if rng.random() < 0.7 else rng.randint(60, 300)
    day = rng.uniform(0, 40)
    while day < stops_after:
        at = _FIRST + timedelta(days=int(day), hours=rng.randint(7, 20), minutes=rng.randrange(60))
        number = card * 1_000 + int(day)
        yield Basket(number, card, 300 + card % 7, at, _fill(rng))
        day += max(1.0, rng.expovariate(1 / pause))


def _fill(rng: random.Random) -> list[Line]:
    chosen = rng.sample(range(len(_ASSORTMENT)), rng.randint(1, 8))
    lines = []
    for place in chosen:
        kind, category, price = _ASSORTMENT[place]
        quantity = rng.choice((1, 1, 1, 2, 3))
        discount = round(price * quantity * 0.1, 2) if rng.random() < 0.3 else 0.0
        value = round(price * quantity - discount, 2)
        lines.append(
            Line(1_000 + place, quantity, value, discount, 0.0, 0.0, kind, category, None, None)
        )
    return lines


def _redeem(basket: Basket, coupon: int, campaign: int, number: int) -> Redemption:
    return Redemption(basket.household_id, coupon, campaign, number, basket.at, basket.basket_id)


def _tell(card: int) -> dict[str, str]:
    if card % 30 == 0:
        return {}
    number = number_of("told", card)
    return {
        "age_group": ("25-34", "35-44", "45-54", "65+")[number % 4],
        "home": ("Homeowner", "Renter")[number // 4 % 2],
        "household_size": str(1 + number // 8 % 4),
        "children": ("0", "1", "2", "3+")[number // 32 % 4],
    }


def _person(person: int) -> dict[str, str]:
    number = number_of("made-up-person", person)
    born = date(1940, 1, 1) + timedelta(days=number % 22_000)
    return {
        "given_name": _NAMES[number % len(_NAMES)],
        "surname": _SURNAMES[number // 100 % len(_SURNAMES)],
        "street_number": str(1 + number // 10_000 % 90),
        "address_1": "market street",
        "suburb": _SUBURBS[number // 1_000_000 % len(_SUBURBS)],
        "postcode": str(1_000 + number // 100_000_000 % 8_000),
        "date_of_birth": born.strftime("%Y%m%d"),
    }
