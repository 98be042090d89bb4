"""What the orders of a day are made of, by what may have moved it; and which part did move.

The parts: the source that told the order, the goods in it, whether the customer is new, the channel
the customer was won by, the channel and the campaign of the address by which he or she came last in
the day before, and our own campaigns that had written in the two days before.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from amity.analysis.logic.behaviour.touches import channel_of, may_say_channel
from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked

if TYPE_CHECKING:
    import ibis

PARTS: Final = "parts_"
"""What the names of their questions begin with."""
WEEKS: Final = 8
"""How many of the same weekday before a day say what is usual for it."""
_UNKNOWN: Final = "no channel known"
_CAME_DAYS: Final = 1
_WRITTEN_DAYS: Final = 2
_TRAIT: Final = "acquisition_channel"
_WORDS: Final[dict[str, str]] = {
    "source": "told by {}",
    "goods": "goods of {}",
    "customers": "{} customers",
    "won": "won by {}",
    "channel": "came by {}",
    "address": "came by the campaign {}",
    "campaign": "written to by our campaign {}",
}
_WHOLE: Final = frozenset(("source", "customers", "channel"))
"""Kinds whose parts make up all orders, so that a part has a share of the change."""
_STRAYS: Final = 2.0
"""How many times what chance moves a part it must have moved, beyond the day, to be named."""

_EXPECTED_GONE: Final = 3.0
"""Where so many orders are expected, chance leaves none at all once in twenty days."""

Values = Mapping[str, Any]
Parts = dict[tuple[str, str], dict[date, Values]]
"""By kind and part: of each day the four figures."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of an odd day, and what is usual for it."""

    figure: str
    day: date
    was: float
    usual: float
    orders: float
    """How many orders are usual."""
    begun: date
    """The first day of which anything is known."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A part that moved with the day."""

    words: str
    was: float
    usual: float
    share: float | None
    """Of the whole change; None where the parts of the kind overlap."""


def express_parts(
    tables: Mapping[str, "ibis.Table"], recent: "ibis.Table", asked: Asked, since: datetime
) -> dict[str, "ibis.Table"]:
    """Return, by kind, part and placed_on with orders, net, newcomers and refunds.

    Each is a question of its own: together they need more memory than one may have.
    ``recent`` are orders from ``since`` on, with `first_on`, the customer's first day of all.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    told = tables["events"]
    told = told.filter(told.occurred_at >= ibis.literal(since), told["name"] == "Order Completed")
    goods = frames.lines(tables, recent, asked)
    is_new = recent.first_on == recent.placed_on
    came = _came(tables, recent, asked, since)
    cuts = {
        "source": told.select("event_id", part=told.source_id.cast("string")),
        "goods": goods.select("event_id", part=goods.category),
        "customers": recent.select("event_id", part=ibis.ifelse(is_new, "new", "known")),
        "won": _won(tables, recent),
        "channel": came.select("event_id", part=came.channel.fill_null(_UNKNOWN)),
        "address": came.select("event_id", part="campaign"),
        "campaign": _written(tables, recent, asked, since),
    }
    return {f"{PARTS}{kind}": _add_up(recent, cut, kind) for kind, cut in cuts.items()}


def _add_up(recent: "ibis.Table", cut: "ibis.Table", kind: str) -> "ibis.Table":
    import ibis  # noqa: PLC0415  # loads slowly

    told = cut.filter(cut.part.notnull(), cut.part != "").distinct()
    both = recent.join(told, "event_id")
    return both.group_by("placed_on", "part").aggregate(
        kind=ibis.literal(kind),
        orders=both.count(),
        net=both.net_minor.sum(),
        newcomers=both.customer_id.nunique(where=both.first_on == both.placed_on),
        refunds=(both.refunded_minor > 0).sum(),
    )


def _won(tables: Mapping[str, "ibis.Table"], recent: "ibis.Table") -> "ibis.Table":
    """Return the orders with the channel their customer was won by."""
    profiles = tables["profiles"]
    roots = profiles.filter(profiles.profile_id == profiles.root_id)
    told = roots.select(customer_id=roots.root_id, part=frames.text(roots.traits, _TRAIT))
    return recent.join(told, "customer_id").select("event_id", "part")


def _came(
    tables: Mapping[str, "ibis.Table"], recent: "ibis.Table", asked: Asked, since: datetime
) -> "ibis.Table":
    """Return each order with channel and campaign of the customer's last touch in the day before.

    Both are NULL where none is known.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    reach = timedelta(days=_CAME_DAYS)
    events = may_say_channel(frames.events(tables, asked, since=since - reach))
    known = events.select(
        "customer_id",
        "occurred_at",
        touch_id=events.event_id,
        channel=channel_of(events),
        campaign=events.context.cast("json")["campaign"]["name"].str,
    )
    known = known.filter(known.channel.notnull())
    both = recent.select("customer_id", "event_id", "placed_at").join(known, "customer_id")
    both = both.filter(
        both.occurred_at <= both.placed_at,
        both.occurred_at > both.placed_at - ibis.interval(seconds=round(reach.total_seconds())),
    )
    latest = ibis.window(
        group_by="event_id", order_by=[both.occurred_at.desc(), both.touch_id.desc()]
    )
    both = both.mutate(place=ibis.row_number().over(latest))
    last = both.filter(both.place == 0).select("event_id", "channel", "campaign")
    joined = recent.select("event_id").left_join(last, "event_id")
    return joined.select("event_id", "channel", "campaign")


def _written(
    tables: Mapping[str, "ibis.Table"], recent: "ibis.Table", asked: Asked, since: datetime
) -> "ibis.Table":
    """Return the orders with each of our campaigns that had written to the customer just before."""
    import ibis  # noqa: PLC0415  # loads slowly

    reach = timedelta(days=_WRITTEN_DAYS)
    sent = frames.sends(tables, asked, since=since - reach)
    sent = sent.filter(sent.run_kind == "campaign").select("customer_id", "wire_at", "run_id")
    both = recent.select("customer_id", "event_id", "placed_at").join(sent, "customer_id")
    both = both.filter(
        both.wire_at <= both.placed_at,
        both.wire_at > both.placed_at - ibis.interval(seconds=round(reach.total_seconds())),
    )
    return both.select("event_id", part=both.run_id.cast("string"))


def read_parts(rows: list[dict[str, Any]]) -> Parts:
    """Return the rows of `express_parts` by kind and part."""
    found: Parts = {}
    for row in rows:
        found.setdefault((row["kind"], row["part"]), {})[row["placed_on"]] = row
    return found


def find_moved(change: Change, parts: Parts, names: Mapping[tuple[str, str], str]) -> list[Moved]:
    """Return of each kind the part that moved most beyond what the whole day did.

    A part that rose or fell as the day did tells nothing. ``names`` says what people call a part;
    those that moved most come first.
    """
    whole = change.was - change.usual
    grown = change.was / change.usual if change.usual else 0.0
    # What one order adds to the figure: by chance alone orders stray by their root.
    each = change.usual / change.orders if change.figure == "net" and change.orders else 1.0
    best: dict[str, tuple[float, str, Moved]] = {}
    for (kind, part), days in sorted(parts.items()):
        was = _value(days, change.day, change.figure)
        usual = _usual(days, change, change.figure)
        orders = _usual(days, change, "orders") * max(grown, 1.0)
        beyond = was - usual * grown
        is_gone = not was and -beyond >= _EXPECTED_GONE * each
        is_far = abs(beyond) > _STRAYS * each * max(orders, 1.0) ** 0.5
        if beyond * whole <= 0 or not (is_far or is_gone):
            continue
        told = Moved(
            words=_WORDS[kind].format(names.get((kind, part), part)),
            was=was,
            usual=usual,
            share=(was - usual) / whole if kind in _WHOLE else None,
        )
        if kind not in best or abs(beyond) > best[kind][0]:
            best[kind] = (abs(beyond), kind, told)
    return [one[2] for one in sorted(best.values(), key=lambda one: (-one[0], one[1]))]


def _usual(days: Mapping[date, Values], change: Change, name: str) -> float:
    weeks = [change.day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    return float(np.median([_value(days, week, name) for week in weeks if week >= change.begun]))


def _value(days: Mapping[date, Values], day: date, name: str) -> float:
    return float(days[day][name] or 0) if day in days else 0.0
