"""Funnels: how many come from step to step in time, how long it takes them, and who stays behind.

The rules, which the pass, the plain expression and the tests share:

- A customer has come to step k when events of the steps 1 to k happened in this order, the last
  within the window (its end included) of the first. Each event is one step of a chain at most.
- Loose: anything may happen between. Strict: no other event of the funnel may.
- Events of the same instant are taken in the order of the first step they can be, then of their
  ids; so a step and the next at one instant count.
- Of the chains that can bring a customer to a step first, the one that began latest counts.
"""

from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import FloatArray, IntArray
from amity.analysis.logic.overview_statistics import NOTHING, Measure, share
from amity.kernel.errors import Invalid

MOST_STEPS: Final = 16
Order = Literal["loose", "strict"]


class StepEvents(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The events that are a step of a funnel, by customer, time, first step and id.

    ``at`` is in microseconds; ``steps`` has bit 0 set for what can be the first step, bit 1 for
    the second. ``group`` is one number an event, of whatever the funnel is split by.
    """

    customer_id: IntArray
    at: IntArray
    steps: NDArray[np.uint16]
    group: IntArray | None = None


class Walk(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How far each customer came: a row a customer, a column a step.

    ``reached_at`` is the instant of the first event that reached the step, ``since_start`` and
    ``since_before`` the microseconds since the first step and the step before in its chain; all
    three hold where ``furthest`` is greater than the step, counted from zero.
    """

    customer_id: IntArray
    furthest: IntArray
    reached_at: IntArray
    since_start: IntArray
    since_before: IntArray
    group: IntArray | None = None
    """Of the event with which the chain began that came furthest."""


class FunnelStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: who came so far, of all and of those a step before, and how long it took them."""

    customers: int
    of_all: Measure
    of_before: Measure
    median_seconds: float | None
    """From the step before; None for the first, or when nobody came so far."""
    median_from_start_seconds: float | None


def walk_funnel(
    events: StepEvents, *, steps: int, window_seconds: int, order: Order = "loose"
) -> Walk:
    """Return how far each customer with an event came.

    Raises Invalid for fewer than two or more than sixteen steps, a window that is not positive,
    or events that do not lie by customer and time.
    """
    from amity.analysis.logic.behaviour.funnel_kernel import walk  # noqa: PLC0415  # Numba

    if not 2 <= steps <= MOST_STEPS:
        raise Invalid(f"a funnel has 2 to {MOST_STEPS} steps", code="bad_steps")
    if window_seconds <= 0:
        raise Invalid("the window of a funnel is longer than nothing", code="bad_window")
    bounds = find_bounds(events.customer_id)
    if len(bounds) > 1 and not np.all(np.diff(events.customer_id[bounds[:-1]]) > 0):
        raise Invalid("the events do not lie by customer", code="unsorted_events")
    limits = (steps, window_seconds * 1_000_000, order == "strict")
    reaching, beginning, preceding = walk(bounds, events.at, events.steps, limits)
    furthest = (reaching >= 0).sum(axis=1).astype(np.int64)
    rows = np.arange(len(furthest))
    began = beginning[rows, np.maximum(furthest - 1, 0)]
    reached_at = _look_up(events.at, reaching)
    return Walk(
        customer_id=events.customer_id[bounds[:-1]],
        furthest=furthest,
        reached_at=reached_at,
        since_start=reached_at - _look_up(events.at, beginning),
        since_before=reached_at - _look_up(events.at, preceding),
        group=None if events.group is None else np.where(furthest > 0, events.group[began], -1),
    )


def find_bounds(customer_id: IntArray) -> IntArray:
    """Return the places at which customers begin in a column that lies by customer, and its end."""
    if not len(customer_id):
        return np.zeros(1, np.int64)
    changes = np.flatnonzero(customer_id[1:] != customer_id[:-1]) + 1
    return np.concatenate(([0], changes, [len(customer_id)])).astype(np.int64)


def _look_up(at: IntArray, places: NDArray[np.int32]) -> IntArray:
    """Return the instants at some places, 0 where there is none."""
    if not len(at):
        return np.zeros(places.shape, np.int64)
    found: IntArray = np.where(places >= 0, at[np.maximum(places, 0)], 0)
    return found


def count_steps(walk: Walk, *, steps: int, group: int | None = None) -> list[FunnelStep]:
    """Return the steps of a funnel, of everyone or of one group."""
    inside = np.ones(len(walk.furthest), np.bool_)
    if group is not None and walk.group is not None:
        inside = walk.group == group
    furthest = walk.furthest[inside]
    counts = [int((furthest > step).sum()) for step in range(steps)]
    found = []
    for step, customers in enumerate(counts):
        came = inside & (walk.furthest > step)
        before = counts[step - 1] if step else customers
        found.append(
            FunnelStep(
                customers=customers,
                # That all who began have begun is so by definition, and no estimate.
                of_all=share(customers, counts[0]) if step else _all_of(customers),
                of_before=share(customers, before) if step else _all_of(customers),
                median_seconds=_median(walk.since_before[came, step]) if step else None,
                median_from_start_seconds=_median(walk.since_start[came, step]) if step else None,
            )
        )
    return found


def _all_of(customers: int) -> Measure:
    return Measure(value=1.0) if customers else NOTHING


def list_stopped(walk: Walk, *, step: int) -> IntArray:
    """Return the customers who came to a step (the first is 1) and no further, by id."""
    stopped: IntArray = walk.customer_id[walk.furthest == step]
    return stopped


def _median(microseconds: IntArray | FloatArray) -> float | None:
    return float(np.median(microseconds)) / 1e6 if len(microseconds) else None
