"""The cells of the loyalty matrix in several windows, and the moves between them.

Windows are as long as the one asked for and follow one another; number 0 is the oldest, the last
is the one asked for. The report and the nightly score are made of the same expressions, so a row of
the one and the segment of the other hold the same customers.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from amity.analysis.logic.behaviour.answers import whole_answer
from amity.analysis.logic.behaviour.opinions import RANGES
from amity.analysis.logic.reporting import frames, serving
from amity.analysis.report import Asked

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

CELLS: Final[dict[str, str]] = {
    "true": "True loyalty",
    "latent": "Latent loyalty",
    "spurious": "Spurious loyalty",
    "none": "No loyalty",
}
ABSENT: Final = "not a customer"
OFTEN: Final = 3
SIGNS: Final = 3
DAYS: Final = 180
SCORE: Final = "loyalty_cell"
BETWEEN: Final[dict[str, str]] = {
    "refunded": "An order was refunded",
    "called": "Called, chatted or wrote to service",
    "written": "Was sent a message",
    "reduced": "Bought at a reduced price",
    "looked": "Viewed a page or a product",
}
_ENGAGED: Final = (
    "Email Opened",
    "Email Link Clicked",
    "Product Reviewed",
    "Product Shared",
    "Product Added to Wishlist",
    "Referral Sent",
    "Signed In",
)
_CALLS: Final = (*serving.CALLS, "Email Received")
_SURVEY: Final = "Survey Answered"
_GOOD_FROM: Final[dict[str, int]] = {"nps": 9, "csat": 4, "ces": 5}


def express_standing(
    tables: Mapping[str, "ibis.Table"], asked: Asked, *, windows: int
) -> "ibis.Table":
    """Return each customer's cell in each window.

    Columns: customer_id, period, cell, orders, signs, is_good. Placed is who ordered until the
    window's end, or showed a sign or answered in it; ``is_good`` is what the latest answer says,
    NULL without one. What is counted of orders and signs is the window's.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    first = asked.from_at - timedelta(days=asked.days * (windows - 1))
    placed = frames.orders(tables, asked)
    placed = placed.select("customer_id", period=_period(placed.placed_at, asked, windows))
    bought = placed.group_by(["customer_id", "period"]).aggregate(orders=placed.count())
    begun = placed.group_by("customer_id").aggregate(begun=placed.period.min())
    seen = frames.events(tables, asked, names=(*_ENGAGED, _SURVEY), since=first)
    seen = seen.mutate(period=_period(seen.occurred_at, asked, windows))
    signs = seen.filter(seen["name"] != _SURVEY)
    signs = signs.group_by(["customer_id", "period"]).aggregate(signs=signs.count())
    answers = _answers(seen.filter(seen["name"] == _SURVEY))
    # Who only answered what cannot be read has neither answered nor shown a sign.
    known = signs.select("customer_id", "period").union(answers.select("customer_id", "period"))
    for period in range(windows):
        since = begun.filter(begun.begun <= period)
        known = known.union(since.select("customer_id", period=ibis.literal(period, "int64")))
    known = known.distinct()
    for part in (bought, signs, answers):
        known = _beside(known, part)
    orders, shown = known.orders.fill_null(0), known.signs.fill_null(0)
    often = orders >= int(asked.choices["often"])
    well = ibis.ifelse(
        known.is_good.notnull(),
        known.is_good.fill_null(ibis.literal(value=False)),
        shown >= int(asked.choices["signs"]),
    )
    cell = ibis.cases((often & well, "true"), (well, "latent"), (often, "spurious"), else_="none")
    return known.select("customer_id", "period", "is_good", cell=cell, orders=orders, signs=shown)


def express_moves(
    tables: Mapping[str, "ibis.Table"], asked: Asked, *, windows: int
) -> "ibis.Table":
    """Return each customer's cell in each window with the cell before, and what was in the window.

    Columns: customer_id, period, before, now, answered, each of `BETWEEN`, and ``least``, the
    oldest window of which everything is known; older ones are left out. The last two are always
    there.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    every = express_standing(tables, asked, windows=windows)
    stays = every.cross_join(_least_window(tables, asked, windows))
    stays = stays.filter(stays.period >= stays.least)
    earlier = stays.select("customer_id", period=stays.period + 1, before="cell")
    moved = _beside(stays, earlier)
    moved = moved.mutate(before=moved.before.fill_null(ABSENT), now=moved["cell"])
    for name, part in zip(BETWEEN, _happened(tables, asked, windows), strict=True):
        had = part.select("customer_id", "period").distinct().mutate(had=True)
        moved = _beside(moved, had)
        moved = moved.mutate(**{name: moved.had.fill_null(ibis.literal(value=False))}).drop("had")
    answered = moved.is_good.notnull()
    return moved.select(
        "customer_id", "period", "before", "now", "least", *BETWEEN, answered=answered
    )


def _beside(table: "ibis.Table", part: "ibis.Table") -> "ibis.Table":
    """Join what is known of a customer in a window; who has none of it stays."""
    joined = table.left_join(part, ["customer_id", "period"])
    return joined.drop("customer_id_right", "period_right")


def _period(moment: "ir.Column", asked: Asked, windows: int) -> "ir.IntegerValue":
    """Return the number of the window a moment lies in; −1 of all that was earlier."""
    import ibis  # noqa: PLC0415  # loads slowly

    first = asked.from_at - timedelta(days=asked.days * (windows - 1))
    # Half a second more would be the next second, and at midnight the next window.
    seconds = moment.truncate("s").epoch_seconds().cast("int64") - int(first.timestamp())
    number = (seconds // (asked.days * 86_400)).cast("int64")
    return ibis.greatest(number, ibis.literal(-1, "int64"))


def _least_window(tables: Mapping[str, "ibis.Table"], asked: Asked, windows: int) -> "ibis.Table":
    """Return one row: the oldest window that began when data did, or later; at most the one before.

    An earlier one would be half empty, and who bought often look as if they did not.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    events, orders = tables["events"], tables["orders"]
    begun = events.aggregate(at=events.occurred_at.min()).union(
        orders.aggregate(at=orders.placed_at.min())
    )
    first = asked.from_at - timedelta(days=asked.days * (windows - 1))
    # A moment before midnight still has the day in it.
    seconds = begun["at"].epoch_seconds().cast("int64") - int(first.timestamp()) - 86_400
    known = begun.aggregate(ends=seconds.min())
    least = (known.ends.fill_null(0) // (asked.days * 86_400)).cast("int64") + 1
    bounded = ibis.least(ibis.greatest(least, 0), max(windows - 2, 0))
    return known.select(least=bounded.cast("int64"))


def _happened(
    tables: Mapping[str, "ibis.Table"], asked: Asked, windows: int
) -> tuple["ibis.Table", ...]:
    """Return customer and window of each of `BETWEEN`, in its order."""
    first = asked.from_at - timedelta(days=asked.days * (windows - 1))
    placed = frames.orders(tables, asked, since=first)
    placed = placed.mutate(period=_period(placed.placed_at, asked, windows))
    lines = tables["order_lines"].select("event_id", "discount_micro")
    sent = frames.sends(tables, asked, since=first)
    sent = sent.mutate(period=_period(sent.wire_at, asked, windows))
    seen = frames.events(tables, asked, since=first)
    seen = seen.mutate(period=_period(seen.occurred_at, asked, windows))
    return (
        placed.filter(placed.refunded_minor > 0),
        seen.filter(seen["name"].isin(_CALLS)),
        sent,
        placed.join(lines.filter(lines.discount_micro > 0), "event_id"),
        seen.filter((seen["type"] == "page") | (seen["name"] == "Product Viewed")),
    )


def _answers(told: "ibis.Table") -> "ibis.Table":
    """Return what each customer's latest answer of a window says: customer_id, period, is_good."""
    import ibis  # noqa: PLC0415  # loads slowly

    kind = frames.text(told.properties, "kind").lower()
    value = whole_answer(told.properties)
    least = ibis.cases(*((kind == name, limit) for name, limit in _GOOD_FROM.items()), else_=None)
    in_range = ibis.or_(*((kind == name) & value.between(*ends) for name, ends in RANGES.items()))
    read = told.mutate(is_good=ibis.ifelse(in_range, value >= least, None))
    read = read.filter(read.is_good.notnull())
    latest = ibis.window(
        group_by=["customer_id", "period"],
        order_by=[read.occurred_at.desc(), read.event_id.desc()],
    )
    read = read.mutate(place=ibis.row_number().over(latest))
    return read.filter(read.place == 0).select("customer_id", "period", "is_good")


def express_crossings(moves: "ibis.Table") -> "ibis.Table":
    """Count customers by how often they crossed and stayed, and how often something was with it.

    Columns: ``side`` (`lost` of who was truly loyal, `gained` of who was placed and was not),
    ``sign`` (one of `BETWEEN`), ``crossed``, ``stayed``, ``crossed_had``, ``stayed_had``, and how
    many customers have these numbers. Over all the moves of a customer together: they are alike.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    was, is_ = moves.before == "true", moves["now"] == "true"
    told = moves.filter(moves.before != ABSENT)
    told = told.mutate(side=ibis.ifelse(was, "lost", "gained"), crossing=(was != is_).cast("int64"))
    counts = {
        "crossed": told.crossing.sum(),
        "stayed": (1 - told.crossing).sum(),
        **{f"crossed_{sign}": (told.crossing * told[sign].cast("int64")).sum() for sign in BETWEEN},
        **{
            f"stayed_{sign}": ((1 - told.crossing) * told[sign].cast("int64")).sum()
            for sign in BETWEEN
        },
    }
    each = told.group_by(["side", "customer_id"]).aggregate(**counts)
    parts = [
        each.select(
            "side",
            "crossed",
            "stayed",
            sign=ibis.literal(sign),
            crossed_had=each[f"crossed_{sign}"],
            stayed_had=each[f"stayed_{sign}"],
        )
        for sign in BETWEEN
    ]
    every = parts[0].union(*parts[1:])
    return every.group_by(list(every.columns)).aggregate(customers=every.count())
