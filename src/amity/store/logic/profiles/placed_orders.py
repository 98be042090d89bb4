"""Orders as they stand: what was placed and not cancelled, refunds taken off; for rules."""

from collections.abc import Collection, Mapping
from typing import LiteralString

from amity.infra.database import Connection
from amity.rules import PlacedOrder


def placed_orders_sql(orders: LiteralString) -> LiteralString:
    """Return the query of the orders that count, of a query with the columns of `store_order`.

    Its columns are `profile_id` and those of `rules.PlacedOrder`.
    """
    return (  # literals only, as the type says
        "SELECT t.profile_id, t.placed_at, t.currency, t.items, t.total_minor, "  # noqa: S608
        "CASE WHEN t.is_refunded THEN t.total_minor "
        "ELSE least(t.refunded_minor, t.total_minor) END AS refunded_minor, "
        "CASE WHEN t.is_refunded THEN 0 "
        "ELSE greatest(t.total_minor - t.refunded_minor, 0) END AS net_minor "
        f"FROM ({orders}) AS t WHERE t.placed_at IS NOT NULL AND NOT t.is_cancelled"
    )


def load_placed_orders(
    *, connection: Connection, profile_ids: Collection[int]
) -> Mapping[int, list[PlacedOrder]]:
    """Return the orders of these profiles that count; those without any are left out."""
    wanted = "SELECT o.* FROM store_order AS o WHERE o.profile_id = ANY (%s::bigint[])"
    query = (
        "SELECT c.profile_id, c.placed_at, c.currency, c.total_minor, "  # noqa: S608  # as above
        f"c.refunded_minor, c.net_minor, c.items FROM ({placed_orders_sql(wanted)}) AS c"
    )
    found: dict[int, list[PlacedOrder]] = {}
    for profile_id, *told in connection.execute(query.encode(), [sorted(profile_ids)]):
        found.setdefault(profile_id, []).append(PlacedOrder(*told))
    return found
