"""What each customer brings after what he or she costs, from the warehouse: one row a customer.

The contribution of a customer is the revenue of the window (refunds taken off) less what the goods
cost, where the lines of orders tell it, less the cost to serve: what the company says one order,
item, refund, message, visit or call costs, times how many there were. What no cost was entered for
costs nothing, and the answer says so.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked

if TYPE_CHECKING:
    import ibis

CALLS: Final = (
    "Live Chat Conversation Started",
    "Call Started",
    "Ticket Created",
    "Ticket Opened",
)
"""What begins a call; that one is answered or ends makes no second one of it."""
_CHANNELS: Final = ("email", "sms", "push")


def customers_served(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return each customer who bought or cost something in the window: what there was of each.

    Columns: customer_id, net (minor), goods (minor), and how many orders, items, refunds, email,
    sms, push, other_messages, visits, calls.
    """
    placed = frames.orders(tables, asked, since=asked.from_at)
    bought = placed.group_by("customer_id").aggregate(
        net=placed.net_minor.sum().cast("int64"),
        orders=placed.count(),
        items=placed["items"].sum().cast("int64"),
        refunds=(placed.refunded_minor > 0).sum().cast("int64"),
    )
    parts = [_goods(tables, placed, asked), _messages(tables, asked), *_contacts(tables, asked)]
    known = bought.select("customer_id")
    for part in parts:
        known = known.union(part.select("customer_id"))
    known = known.distinct()
    for part in (bought, *parts):
        joined = known.left_join(part, "customer_id")
        known = joined.drop("customer_id_right")
    counts = {name: known[name].fill_null(0) for name in known.columns if name != "customer_id"}
    return known.select("customer_id", **counts)


def contributions(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return what each customer brings and costs: customer_id, orders, net, goods, cost, margin."""
    import ibis  # noqa: PLC0415  # loads slowly

    served = customers_served(tables, asked)
    cost: ibis.expr.types.IntegerValue = ibis.literal(0, "int64")
    for name, each in sorted(unit_costs(asked).items()):
        cost = cost + served[name] * each
    margin = served.net - served.goods - cost
    return served.select("customer_id", "orders", "net", "goods", cost=cost, margin=margin)


def lines_told(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return one row: of what order lines sold, ``told``, the part whose cost is told, ``priced``.

    Both in minor units.
    """
    lines = frames.lines(tables, frames.orders(tables, asked, since=asked.from_at), asked)
    return lines.aggregate(
        priced=lines.amount_minor.sum(where=lines.cost_minor.notnull()).fill_null(0).cast("int64"),
        told=lines.amount_minor.sum().fill_null(0).cast("int64"),
    )


def _goods(tables: Mapping[str, "ibis.Table"], placed: "ibis.Table", asked: Asked) -> "ibis.Table":
    lines = frames.lines(tables, placed, asked)
    return lines.group_by("customer_id").aggregate(
        goods=lines.cost_minor.sum().fill_null(0).cast("int64")
    )


def _messages(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    sent = frames.sends(tables, asked)
    counts = {name: (sent.channel == name).sum().cast("int64") for name in _CHANNELS}
    other = (~sent.channel.isin(_CHANNELS)).sum().cast("int64")
    return sent.group_by("customer_id").aggregate(**counts, other_messages=other)


def _contacts(tables: Mapping[str, "ibis.Table"], asked: Asked) -> list["ibis.Table"]:
    """Return days with a visit to the pages, and calls and chats."""
    seen = frames.events(tables, asked)
    paged = seen.filter(seen["type"] == "page")
    visits = paged.group_by("customer_id").aggregate(
        visits=paged.occurred_at.date().nunique().cast("int64")
    )
    called = seen.filter(seen["name"].isin(CALLS))
    calls = called.group_by("customer_id").aggregate(calls=called.count().cast("int64"))
    return [visits, calls]


UNITS: Final[dict[str, str]] = {
    "order": "orders",
    "item": "items",
    "refund": "refunds",
    "email": "email",
    "sms": "sms",
    "push": "push",
    "other_message": "other_messages",
    "visit": "visits",
    "call": "calls",
}
"""What a cost can be entered for, and the column that counts it."""


def unit_costs(asked: Asked) -> dict[str, int]:
    """Return what one of each costs, by column, in minor units of the currency asked for.

    The latest entered holds; costs in other currencies are left out.
    """
    costs: dict[str, int] = {}
    for fact in asked.facts.get("unit_costs", []):
        if fact["currency"] == asked.currency:
            costs[UNITS[fact["unit"]]] = fact["amount_minor"]
    return costs


def notes_of_costs(asked: Asked, costs: Mapping[str, int], *, priced: int, told: int) -> list[str]:
    """Say what the contribution leaves out, for it would look like profit otherwise."""
    notes = []
    missing = [unit.replace("_", " ") for unit, name in UNITS.items() if name not in costs]
    if missing:
        notes.append(
            f"No cost is entered for one {', '.join(missing)}: they count as costing nothing. "
            "Enter them under Costs and targets."
        )
    if any(fact["currency"] != asked.currency for fact in asked.facts.get("unit_costs", [])):
        notes.append(
            f"Costs entered in other currencies than {asked.currency} are left out: "
            "amounts of different currencies are not added."
        )
    if not priced:
        notes.append(
            "No order line tells what the goods cost, so revenue stands for the margin before "
            "service. Send `cost` with each product of Order Completed."
        )
    elif told > priced > 0:
        notes.append(
            f"The cost of goods is told for {priced / told * 100:.0f} % of what order lines sold; "
            "the rest counts as costing nothing."
        )
    return notes
