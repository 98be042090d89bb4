"""Reports counted again from the raw rows of a town, in plain Python loops.

Nothing here reads what reports are made of: no Ibis, no SQL, no frames. It follows the words of the
documentation, row by row, and is slow; use it to check that a report means what it says. `crowd`
makes the towns: visits, merges in chains, ties, refunds, currencies, orders of all hours.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from amity.testing.reports_kit import FROM, UNTIL
from amity.testing.reports_town import NOW, Row, Town

_AMITY: Final = 1
"""The source under which Amity records its own doing."""
_THEIR_OWN: Final = frozenset(
    ("Email Opened", "Email Link Clicked", "Unsubscribed", "Consent Requested")
)
_DONE_TO_THEM: Final = frozenset(("Trait Asserted", "Campaign Received", "Survey Asked"))
_MINUTE: Final = 60
Window = tuple[datetime, datetime]


class Placed(NamedTuple):
    """An order that was placed and not cancelled."""

    customer: int
    at: datetime
    order_id: str
    event_id: int
    currency: str
    net: int
    items: int


class Act(NamedTuple):
    """Something that happened to a customer."""

    customer: int
    at: datetime
    event_id: int
    name: str
    label: str
    is_theirs: bool


def at_midnight(day: date) -> datetime:
    """Return the first moment of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


WINDOW: Final[Window] = (at_midnight(FROM), at_midnight(UNTIL))


def crowd(seed: int, *, customers: int = 60, zone: str = "UTC") -> Town:
    """Return a town of visits and orders, many of them at the edges of days and of the window."""
    rng = random.Random(seed)  # noqa: S311  # a test's dice
    town = Town()
    clock = ZoneInfo(zone)
    for customer in range(1, customers + 1):
        # Merges in chains: 3 into 2 into 1, so a root is not always the first step.
        into = customer - 1 if customer % 7 in {2, 3} and customer > 1 else None
        root = customer if into is None else customer - (customer % 7) + 1
        town.customer(customer, root_id=root, merged_into=into)
        for _ in range(rng.randrange(5)):
            _visit(town, rng, customer)
        for _ in range(rng.choice((0, 1, 1, 2, 3, 9))):
            _buy(town, rng, customer, _moment(rng, clock))
        _stay(town, rng, customer)
        _meet(town, rng, customer)
    return town


def _moment(rng: random.Random, clock: ZoneInfo) -> datetime:
    """Return a moment of the last year and a half, often at a midnight here or there."""
    day = date(2024, 11, 20) + timedelta(days=rng.randrange(530))
    there = UTC if rng.random() < 0.5 else clock
    midnight = datetime(day.year, day.month, day.day, tzinfo=there)
    if rng.random() < 0.5:
        odd = timedelta(microseconds=rng.choice((-1, 0, 1, 3_600_000_000, -3_600_000_000)))
        return min(midnight.astimezone(UTC) + odd, NOW)
    return min(midnight.astimezone(UTC) + timedelta(seconds=rng.randrange(86_400)), NOW)


def _visit(town: Town, rng: random.Random, customer: int) -> None:
    at = WINDOW[0] + timedelta(minutes=rng.randrange(-600, 90 * 1440))
    for _ in range(rng.randrange(1, 9)):
        name = rng.choice(("Product Viewed", "Product Added", "Home", "Search", "Segment Entered"))
        more: Row = {"type": "page"} if name == "Home" else {}
        if name == "Segment Entered":
            more = {"source_id": _AMITY}
        properties = {"name": rng.choice(("Start", "", "Über uns"))} if name == "Home" else {}
        town.event(customer, name, at, properties, **more)
        # Exactly at the pause, just beyond it, and at the same instant.
        at += timedelta(seconds=rng.choice((0, 1, 60, 600, 1800, 1801, 4000)))


def _buy(town: Town, rng: random.Random, customer: int, at: datetime) -> None:
    categories = ("Bakery", "Wine", "", None, "Käse")
    products = tuple(
        {
            "product_id": f"p{rng.randrange(9)}",
            "category": rng.choice(categories),
            "quantity": rng.choice((1, 2, 0.5)),
            "price": rng.choice((1.99, 0.005, 12, 7.25)),
            "cost": rng.choice((0.5, 1)),
        }
        for _ in range(rng.randrange(4))
    )
    total = rng.choice((0, 999, 12_345, 4_000, 700))
    town.order(
        customer,
        at,
        total,
        products=products,
        currency=rng.choice(("EUR",) * 7 + ("USD",)),
        refunded_minor=rng.choice((0, 0, 0, 300, 99_999)),
        is_refunded=rng.random() < 0.05,
        is_cancelled=rng.random() < 0.1,
    )


def _stay(town: Town, rng: random.Random, customer: int) -> None:
    """Let some be in segment 7, at times until just the end of the window, or just after it."""
    entered = WINDOW[0] - timedelta(days=rng.randrange(60))
    left = rng.choice((None, None, WINDOW[1], WINDOW[1] + timedelta(microseconds=1), WINDOW[0]))
    if rng.random() < 0.5:
        town.member(7, customer, entered, left)
    elif rng.random() < 0.2:
        town.member(7, customer, WINDOW[1] + timedelta(days=1))


def _meet(town: Town, rng: random.Random, customer: int) -> None:
    """Let a customer be written to, be drawn, be asked, complain, leave."""
    for number in range(rng.randrange(4)):
        at = WINDOW[0] + timedelta(hours=rng.randrange(-20 * 24, 88 * 24))
        town.send(customer, at, channel=rng.choice(("email", "sms")), run_id=1 + number % 2)
        for name in rng.sample(("Survey Asked", "Ticket Opened", "Call Started", "Login"), 2):
            town.event(customer, name, at + timedelta(hours=number), {"kind": "nps"})
        if rng.random() < 0.5:
            told = {"kind": "nps", "answer": rng.randrange(11), "post": rng.choice(("shop", "web"))}
            town.event(customer, "Survey Answered", at, told)
    if rng.random() < 0.2:
        reason = {"reason": rng.choice(("price", "moved"))}
        town.event(customer, "Account Closed", WINDOW[1] - timedelta(days=9), reason)
    for campaign in (1, 2):
        at = WINDOW[0] + timedelta(days=10 * campaign, seconds=rng.choice((0, 1, 86_399)))
        arm = "holdout" if rng.random() < 0.4 else "treatment"
        town.draw(campaign, customer, at, arm=arm, window_seconds=75 * 86_400)


def owners(town: Town) -> dict[int, int]:
    """Return to whom each profile belongs, by following who was merged into whom."""
    into = {row["profile_id"]: row["merged_into"] for row in town.rows["profiles"]}

    def follow(profile: int) -> int:
        found = into[profile]
        return profile if found is None else follow(int(found))

    return {profile: follow(profile) for profile in into}


def members(town: Town, segment_id: int, at: datetime) -> set[int]:
    """Return the customers who are in a segment at a moment, the moment of leaving not in it."""
    whose = owners(town)
    return {
        whose[stay["profile_id"]]
        for stay in town.rows["memberships"]
        if stay["segment_id"] == segment_id
        and stay["entered_at"] <= at
        and (stay["left_at"] is None or at < stay["left_at"])
    }


def only_members(town: Town, inside: Iterable[int]) -> Town:
    """Return the town as if no others had ever been there, and everybody in segments as they are.

    What a report says of a segment is what it says of this town.
    """
    whose, kept = owners(town), set(inside)
    smaller = Town()
    for name, rows in town.rows.items():
        smaller.rows[name] = [row for row in rows if _whose(row, whose) in {None} | kept]
    return smaller


def settle(town: Town) -> Town:
    """Return the town as if the merged had been one from the beginning: one profile each."""
    whose = owners(town)
    settled = Town()
    for name, rows in town.rows.items():
        settled.rows[name] = [_moved(row, whose) for row in rows]
    settled.rows["profiles"] = [row for row in town.rows["profiles"] if row["merged_into"] is None]
    return settled


def _moved(row: Row, whose: dict[int, int]) -> Row:
    return {
        name: whose.get(value, value) if name in {"profile_id", "origin_id"} else value
        for name, value in row.items()
    }


def _whose(row: Row, whose: dict[int, int]) -> int | None:
    """Return whose a row is; None for one of nobody."""
    for name in ("profile_id", "origin_id"):
        if row.get(name) is not None:
            return whose[row[name]]
    return None


def placed(
    town: Town, *, window: Window | None = None, currency: str = "", inside: set[int] | None = None
) -> list[Placed]:
    """Return the orders of a time and a currency, refunds taken off; all where none is said."""
    whose = owners(town)
    found = []
    for row in town.rows["orders"]:
        customer, at = whose[row["profile_id"]], row["placed_at"]
        if at is None or row["is_cancelled"] or (currency and row["currency"] != currency):
            continue
        if window and not window[0] <= at < window[1]:
            continue
        if inside is not None and customer not in inside:
            continue
        net = 0 if row["is_refunded"] else max(row["total_minor"] - row["refunded_minor"], 0)
        told = row["order_id"], row["event_id"], row["currency"], net, row["items"]
        found.append(Placed(customer, at, *told))
    return found


def acts(town: Town, *, window: Window = WINDOW, inside: set[int] | None = None) -> list[Act]:
    """Return the events of a time by customer, moment and number, with what they are called."""
    whose = owners(town)
    found = []
    for row in town.rows["events"]:
        customer, at, name = whose[row["origin_id"]], row["occurred_at"], row["name"]
        if not window[0] <= at < window[1] or (inside is not None and customer not in inside):
            continue
        page = json.loads(row["properties"]).get("name")
        is_named = row["type"] == "page" and isinstance(page, str) and page
        is_told = name in _DONE_TO_THEM
        is_theirs = not is_told and (row["source_id"] != _AMITY or name in _THEIR_OWN)
        label = f"Page: {page}" if is_named else name
        found.append(Act(customer, at, row["event_id"], name, label, is_theirs))
    return sorted(found, key=lambda act: (act.customer, act.at, act.event_id))


class Walk(NamedTuple):
    """Which part of each visit is looked at."""

    around: str = ""
    is_after: bool = True
    steps: int = 3
    pause_minutes: float = 30
    is_collapsed: bool = True


def visits(told: Iterable[Act], pause_minutes: float) -> list[list[Act]]:
    """Return runs of one customer's events without a longer pause between neighbours."""
    found: list[list[Act]] = []
    for act in told:
        last = found[-1][-1] if found else None
        goes_on = (
            last is not None
            and last.customer == act.customer
            and (act.at - last.at).total_seconds() <= pause_minutes * _MINUTE
        )
        if goes_on:
            found[-1].append(act)
        else:
            found.append([act])
    return found


def paths(told: Iterable[Act], walk: Walk) -> list[tuple[int, tuple[str, ...]]]:
    """Return for each visit whose it is and what is on its path, in the order it is walked."""
    found = []
    for visit in visits(told, walk.pause_minutes):
        labels = [act.label for act in visit]
        if walk.is_collapsed:
            labels = [
                one for place, one in enumerate(labels) if not place or one != labels[place - 1]
            ]
        if walk.around and walk.around not in labels:
            continue
        first = labels.index(walk.around) if walk.around else 0 if walk.is_after else -1
        way = labels[first:] if walk.is_after else labels[: first + 1 or None][::-1]
        found.append((visit[0].customer, tuple(way[: walk.steps + 1])))
    return found


def flows(ways: Iterable[tuple[str, ...]], *, steps: int) -> Counter[tuple[int, str, str | None]]:
    """Return how many visits went from a step to the next; None where the visit was over."""
    counts: Counter[tuple[int, str, str | None]] = Counter()
    for way in ways:
        for place, here in enumerate(way[:steps]):
            counts[place, here, way[place + 1] if place + 1 < len(way) else None] += 1
    return counts


def named(ways: Iterable[tuple[str, ...]], most: int) -> set[str]:
    """Return the labels seen most often on all paths, the first in the alphabet of equals."""
    seen = Counter(label for way in ways for label in way)
    return set(sorted(seen, key=lambda label: (-seen[label], label))[:most])


def cohorts(
    orders: Iterable[Placed], begin: Callable[[date], date], zone: str
) -> dict[date, dict[date, set[int]]]:
    """Return who was there in which period, by the period each began in: days by a place's clock.

    ``begin`` gives the first day of the period a day is in.
    """
    days: dict[int, set[date]] = defaultdict(set)
    for order in orders:
        days[order.customer].add(order.at.astimezone(ZoneInfo(zone)).date())
    found: dict[date, dict[date, set[int]]] = defaultdict(lambda: defaultdict(set))
    for customer, known in days.items():
        for day in known:
            found[begin(min(known))][begin(day)].add(customer)
    return found


def week_of(day: date) -> date:
    """Return the Monday of a day's week, by its ISO number."""
    year, week, _ = day.isocalendar()
    return date.fromisocalendar(year, week, 1)


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return date(day.year, day.month, 1)


def furthest(told: Iterable[Act], steps: list[str], hours: float) -> Counter[int]:
    """Return how many customers came how far, by trying each beginning (loose, by name).

    The earliest event that is the next step is never worse than a later one.
    """
    each: dict[int, list[Act]] = defaultdict(list)
    for act in told:
        each[act.customer].append(act)
    counts: Counter[int] = Counter()
    for known in each.values():
        best = 0
        for place, first in enumerate(known):
            if first.name == steps[0]:
                until = first.at + timedelta(hours=hours)
                best = max(best, _come(known, place, steps, until))
        counts[best] += 1
    return counts


def _come(known: list[Act], begun: int, steps: list[str], until: datetime) -> int:
    """Return how many steps one chain makes, taking what is of one instant in the steps' order."""
    at, used, step = known[begun].at, {begun}, 1
    while step < len(steps):
        following = [
            (act.at, place)
            for place, act in enumerate(known)
            if act.name == steps[step] and place not in used and at <= act.at <= until
        ]
        if not following:
            break
        at, place = min(following)
        used.add(place)
        step += 1
    return step


def table_of(answer: Any, name: str) -> list[Row]:
    """Return a table's rows by the names of its columns."""
    found = answer.table(name)
    return [found.row(number) for number in range(len(found.rows))]
