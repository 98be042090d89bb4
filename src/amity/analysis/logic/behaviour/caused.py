"""What campaigns with customers held out caused, from the warehouse, to stand beside credits."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from amity.analysis.logic.reporting import frames
from amity.analysis.report import Asked
from amity.kernel.estimate import Estimate
from amity.kernel.lift import FEWEST_CUSTOMERS, Arm, is_suspect, rate_difference

if TYPE_CHECKING:
    import ibis


class Caused(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign: the two groups as they were drawn, and the difference in who ordered."""

    campaign_id: int
    written: int
    written_ordered: int
    held_out: int
    held_out_ordered: int
    difference: Estimate | None
    """None where a group is too small to say anything, or `mismatch` says why nothing can be."""
    mismatch: str
    """How the groups are not of the sizes they were drawn to; "" when they are."""
    is_open: bool
    """The time in which orders count is not over for everyone."""


def express_arms(tables: Mapping[str, "ibis.Table"], asked: Asked) -> "ibis.Table":
    """Return for each campaign that drew in the window its groups: customers, and who ordered.

    Everybody counts once, as who they are by now, in the group they were drawn into first,
    whatever became of their message.
    """
    import ibis  # noqa: PLC0415  # loads slowly

    drawn = tables["participants"].drop("day")
    drawn = drawn.filter(
        drawn.arm.isin(["treatment", "holdout"]),
        drawn.assigned_at >= ibis.literal(asked.from_at),
        drawn.assigned_at < ibis.literal(asked.until_at),
    ).join(frames.customers(tables), "profile_id")
    first = ibis.window(
        group_by=["campaign_id", "customer_id"], order_by=["assigned_at", "profile_id"]
    )
    drawn = drawn.mutate(place=ibis.row_number().over(first))
    drawn = drawn.filter(drawn.place == 0)
    drawn = frames.of_segment(
        tables,
        drawn.select(
            "campaign_id",
            "customer_id",
            "arm",
            "assigned_at",
            "held_rate_micro",
            until_at=drawn.assigned_at + drawn.window_seconds.as_interval("s"),
        ),
        asked,
    )
    placed = frames.placed_orders(tables, since=asked.from_at, until=asked.now)
    both = drawn.join(placed.select("customer_id", "placed_at"), "customer_id")
    both = both.filter(both.placed_at >= both.assigned_at, both.placed_at < both.until_at)
    ordered = both.select("campaign_id", "customer_id").distinct().mutate(ordered=1)
    known = drawn.left_join(ordered, ["campaign_id", "customer_id"])
    return known.group_by("campaign_id", "arm").aggregate(
        customers=known.count(),
        ordered=known.ordered.fill_null(0).sum(),
        until_at=known.until_at.max(),
        held_rate_micro=known.held_rate_micro.max(),
    )


def compare_arms(rows: Iterable[Mapping[str, Any]], *, now: datetime) -> list[Caused]:
    """Return the campaigns that held somebody out, by id."""
    arms: dict[int, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        arms.setdefault(row["campaign_id"], {})[row["arm"]] = row
    found = []
    for campaign_id, groups in sorted(arms.items()):
        if len(groups) < 2:
            continue
        written, held = groups["treatment"], groups["holdout"]
        sizes = written["customers"], held["customers"]
        mismatch = find_mismatch(*sizes, written["held_rate_micro"])
        is_sound = min(sizes) >= FEWEST_CUSTOMERS and not mismatch
        found.append(
            Caused(
                campaign_id=campaign_id,
                written=written["customers"],
                written_ordered=written["ordered"],
                held_out=held["customers"],
                held_out_ordered=held["ordered"],
                difference=rate_difference(_arm(written), _arm(held)) if is_sound else None,
                mismatch=mismatch,
                is_open=max(written["until_at"], held["until_at"]) > now,
            )
        )
    return found


def find_mismatch(written: int, held: int, held_rate_micro: int | None) -> str:
    """Say how two groups are not of the sizes they were drawn to; "" when they may well be.

    ``held_rate_micro`` is the share to be held out, in millionths; None is not known. Below one in
    a thousand by chi squared (`kernel.lift.is_suspect`) whoever is missing from a group is not
    missing by chance, and what is left cannot be compared.
    """
    held_rate = (held_rate_micro or 0) / 1_000_000
    if not held_rate or not written + held or not is_suspect(written, held, held_rate):
        return ""
    return (
        f"of {written + held:,} customers {held:,} were held out where {held_rate:.0%} were to be, "
        "which chance does less than once in a thousand"
    )


def _arm(row: Mapping[str, Any]) -> Arm:
    return Arm(customers=row["customers"], converted=row["ordered"], spent=[])
