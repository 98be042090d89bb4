"""The metrics Amity brings along, said in one place; a company may put its own in their stead."""

from typing import Final

from amity.analysis.contracts_metrics import (
    Counted,
    Difference,
    Direction,
    Expression,
    MetricDefinition,
    Ratio,
    Where,
)
from amity.analysis.contracts_reports import Unit


def _say(
    title: str, definition: str, expression: Expression, unit: Unit, direction: Direction = ""
) -> MetricDefinition:
    return MetricDefinition(
        title=title,
        definition=definition,
        expression=expression,
        unit=unit,
        direction=direction,
        owner="Amity",
    )


BUILT_IN: Final[dict[str, MetricDefinition]] = {
    "orders": _say(
        "Orders",
        "Orders placed in the window and not cancelled.",
        Counted(base="orders"),
        "orders",
        "up",
    ),
    "revenue": _say(
        "Revenue",
        "What orders of the window brought, refunds taken off.",
        Counted(base="orders", what="sum", column="net_minor"),
        "money",
        "up",
    ),
    "refunded": _say(
        "Refunded",
        "What was given back of the window's orders.",
        Counted(base="orders", what="sum", column="refunded_minor"),
        "money",
        "down",
    ),
    "goods_cost": _say(
        "Cost of goods",
        "What the goods of the window's orders cost, where their lines tell it; not known when "
        "none does.",
        Counted(base="order_lines", what="sum", column="cost_minor"),
        "money",
    ),
    "margin": _say(
        "Margin",
        "Revenue less the cost of goods; not known when no order line tells one.",
        Difference(of="revenue", less="goods_cost"),
        "money",
        "up",
    ),
    "average_order": _say(
        "Average order",
        "Revenue divided by orders.",
        Ratio(of="revenue", by="orders"),
        "money",
        "up",
    ),
    "active_customers": _say(
        "Active customers",
        "Customers with an order in the window.",
        Counted(base="orders", what="customers"),
        "customers",
        "up",
    ),
    "revenue_per_customer": _say(
        "Revenue a customer",
        "Revenue divided by active customers.",
        Ratio(of="revenue", by="active_customers"),
        "money",
        "up",
    ),
    "new_customers": _say(
        "New customers",
        "Customers whose first order ever, in the currency asked for, is in the window.",
        Counted(base="newcomers", what="customers"),
        "customers",
        "up",
    ),
    "earlier_customers": _say(
        "Customers before",
        "Customers with an order in as many days before the window.",
        Counted(base="earlier", what="customers"),
        "customers",
    ),
    "returning_customers": _say(
        "Customers who came again",
        "Customers before with an order in the window.",
        Counted(base="earlier", what="customers", where=(Where(column="again", value=1),)),
        "customers",
        "up",
    ),
    "repeat_rate": _say(
        "Came again",
        "Of the customers before, the share who came again.",
        Ratio(of="returning_customers", by="earlier_customers"),
        "share",
        "up",
    ),
    "churned_customers": _say(
        "Stayed away",
        "Customers before without an order in the window.",
        Difference(of="earlier_customers", less="returning_customers"),
        "customers",
        "down",
    ),
    "messages_sent": _say(
        "Messages sent",
        "Messages that went on the wire in the window.",
        Counted(base="sends"),
        "messages",
    ),
    "clicks": _say(
        "Mail links clicked",
        "Email Link Clicked events in the window.",
        Counted(base="events", where=(Where(column="name", value="Email Link Clicked"),)),
        "events",
        "up",
    ),
    "response_rate": _say(
        "Clicks a message",
        "Mail links clicked divided by messages sent.",
        Ratio(of="clicks", by="messages_sent"),
        "number",
        "up",
    ),
    "opt_outs": _say(
        "Opt-outs",
        "Customers with an Unsubscribed event in the window.",
        Counted(
            base="events",
            what="customers",
            where=(Where(column="name", value="Unsubscribed"),),
        ),
        "customers",
        "down",
    ),
    "complaints": _say(
        "Complaints about mail",
        "Email Complaint Received events in the window.",
        Counted(base="events", where=(Where(column="name", value="Email Complaint Received"),)),
        "events",
        "down",
    ),
}
"""By name; the order is that in which they are shown."""
