"""Where every report begins: orders, events and messages, each with the customer it belongs to now.

A row came to a profile, and the profile belongs to a customer by `root_id`: a merge moves no row.
Orders are those that were placed and not cancelled, of the currency asked for and of the segment
asked for; what an order brought is `net_minor`, refunds taken off and never less than nothing, as
everywhere in Amity.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from amity.analysis.report import Asked, Granularity
from amity.kernel.money import exponent_of

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

_UNITS: Final[dict[Granularity, str]] = {"day": "D", "week": "W", "month": "M"}


def common(tables: Mapping[str, "ibis.Table"]) -> tuple["ibis.Table", ...]:
    """Return what many expressions of a report begin with, and is worth being computed once.

    Rows of tables that change are found by their latest version, which costs more than the rest.
    """
    return (customers(tables), _known_orders(tables))


def customers(tables: Mapping[str, "ibis.Table"]) -> "ibis.Table":
    """Return every profile with its customer: `profile_id`, `customer_id`."""
    profiles = tables["profiles"]
    return profiles.select(profile_id=profiles.profile_id, customer_id=profiles.root_id)


def orders(
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> "ibis.Table":
    """Return orders: customer_id, order_id, event_id, placed_at, placed_on, total_minor,
    refunded_minor, net_minor, items.

    From ``since`` (by default the very first) and before ``until`` (by default the window's end).
    """
    import ibis  # noqa: PLC0415  # loads slowly

    known = placed_orders(tables, since=since, until=until or asked.until_at)
    known = known.filter(known.currency == asked.currency)
    net = ibis.ifelse(
        known.is_refunded, 0, ibis.greatest(known.total_minor - known.refunded_minor, 0)
    )
    back = ibis.ifelse(
        known.is_refunded, known.total_minor, ibis.least(known.refunded_minor, known.total_minor)
    )
    chosen = known.select(
        "customer_id",
        "order_id",
        "event_id",
        "placed_at",
        "total_minor",
        "items",
        placed_on=known.placed_at.date(),
        net_minor=net,
        refunded_minor=ibis.greatest(back, 0),
    )
    return of_segment(tables, chosen, asked)


def placed_orders(
    tables: Mapping[str, "ibis.Table"], *, since: datetime | None, until: datetime
) -> "ibis.Table":
    """Return the orders of all currencies that were placed in a time and not cancelled."""
    import ibis  # noqa: PLC0415  # loads slowly

    known = _known_orders(tables)
    known = known.filter(known.placed_at < ibis.literal(until))
    if since is not None:
        known = known.filter(known.placed_at >= ibis.literal(since))
    return known.join(customers(tables), "profile_id")


def _known_orders(tables: Mapping[str, "ibis.Table"]) -> "ibis.Table":
    """Return the orders that were placed and not cancelled."""
    every = tables["orders"].drop("day")
    return every.filter(every.placed_at.notnull(), ~every.is_cancelled)


def other_currencies(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return how many orders of the window are left out for their currency: `orders`, one row."""
    known = placed_orders(tables, since=asked.from_at, until=asked.until_at)
    left = of_segment(tables, known.filter(known.currency != asked.currency), asked)
    return left.aggregate(orders=left.count())


def lines(tables: Mapping[str, "ibis.Table"], placed: "ibis.Table", asked: Asked) -> "ibis.Table":
    """Return the lines of orders (as `orders` gives them): their columns, and product_id,
    product_name, category, brand, quantity_milli, amount_minor and cost_minor.

    Amounts are as told, before refunds; NULL where a price or a cost was not told.
    """
    scale = 10 ** (6 - exponent_of(asked.currency))
    told = tables["order_lines"]
    told = told.select(
        "event_id",
        "line",
        "product_id",
        "category",
        "brand",
        "quantity_milli",
        product_name=told["name"],
        amount_minor=(told.amount_micro / scale).round().cast("int64"),
        cost_minor=(told.cost_micro / scale).round().cast("int64"),
    )
    return placed.join(told, "event_id")


def events(
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    *,
    names: tuple[str, ...] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> "ibis.Table":
    """Return events: customer_id, event_id, source_id, type, name, occurred_at, properties,
    context.

    Of the window, unless other bounds are said; of all names when none is.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    every = tables["events"]
    known = every.filter(
        every.occurred_at >= ibis.literal(since or asked.from_at),
        every.occurred_at < ibis.literal(until or asked.until_at),
    )
    if names:
        known = known.filter(known["name"].isin(names))
    joined = known.join(customers(tables), known.origin_id == customers(tables).profile_id)
    chosen = joined.select(
        "customer_id",
        "event_id",
        "source_id",
        "type",
        "name",
        "occurred_at",
        "properties",
        "context",
    )
    return of_segment(tables, chosen, asked)


def sends(
    tables: Mapping[str, "ibis.Table"],
    asked: Asked,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> "ibis.Table":
    """Return messages that went out: all columns of `sends`, and `customer_id`.

    By the time they went on the wire, of the window unless other bounds are said.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    every = tables["sends"].drop("day")
    known = every.filter(
        every.wire_at.notnull(),
        every.wire_at >= ibis.literal(since or asked.from_at),
        every.wire_at < ibis.literal(until or asked.until_at),
    )
    return of_segment(tables, known.join(customers(tables), "profile_id"), asked)


def of_segment(
    tables: Mapping[str, "ibis.Table"], table: "ibis.Table", asked: Asked
) -> "ibis.Table":
    """Keep the rows of customers who were in the segment asked for when the window ended.

    All rows when no segment is asked for.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    if asked.segment_id is None:
        return table
    end = ibis.literal(min(asked.until_at, asked.now))
    stays = tables["memberships"]
    stays = stays.filter(
        stays.segment_id == asked.segment_id,
        stays.entered_at <= end,
        stays.left_at.isnull() | (stays.left_at > end),
    )
    inside = stays.join(customers(tables), "profile_id").select("customer_id").distinct()
    return table.semi_join(inside, "customer_id")


def text(properties: "ir.Column", name: str) -> "ir.StringColumn":
    """Return a text among the properties or traits; NULL where it is missing or no text."""
    found: ir.StringColumn = properties.cast("json")[key_of(name)].str
    return found


def key_of(name: str) -> str:
    """Return a key of JSON as DuckDB's paths want it: a dot in a bare one would lead deeper."""
    return name if name.isidentifier() else '"' + name.replace('"', "") + '"'


def period(moment: "ir.Column", granularity: Granularity) -> "ir.DateColumn":
    """Return the first day (UTC) of the day, week (from Monday) or month of a moment."""
    begun: ir.DateColumn = moment.truncate(_UNITS[granularity]).date()
    return begun


def note_of_currencies(rows: list[dict[str, Any]], asked: Asked) -> tuple[str, ...]:
    """Say how many orders were left out for their currency, from `other_currencies`."""
    left = rows[0]["orders"] if rows else 0
    if not left:
        return ()
    orders_ = "1 order" if left == 1 else f"{left:,} orders"
    return (
        f"{orders_} of the window in other currencies than {asked.currency} "
        f"{'is' if left == 1 else 'are'} left out: amounts of different currencies are not added.",
    )
