"""The funnel in one pass over events that lie by customer and time (Numba: import it late).

For each step the pass keeps the latest moment at which a chain could have begun that has come so
far. A later beginning is never worse, so nothing else need be remembered, and an event costs the
steps it can be.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from amity.analysis.estimator import IntArray

PlaceArray = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def walk(
    bounds: IntArray, at: IntArray, steps: NDArray[np.uint16], limits: tuple[int, int, bool]
) -> tuple[PlaceArray, PlaceArray, PlaceArray]:
    """Return where each customer first reached each step, and the chain that led there.

    ``bounds`` are the places at which customers' events begin, and their end; ``steps`` has a bit
    for each step an event can be; ``limits`` are the number of steps, the window in the unit of
    ``at``, and whether no other event of the funnel may come between. The three tables have a row
    a customer and a column a step, and hold places of events, -1 where a step was not reached:
    the event that reached it, the one its chain began with, and the one of the step before (of the
    first step itself).
    """
    count, window, strict = limits
    customers = len(bounds) - 1
    reaching = np.full((customers, count), -1, np.int32)
    beginning = np.full((customers, count), -1, np.int32)
    preceding = np.full((customers, count), -1, np.int32)
    start = np.empty(count, np.int32)
    last = np.empty(count, np.int32)
    for customer in range(customers):
        start[:] = -1
        reached = 0
        for here in range(bounds[customer], bounds[customer + 1]):
            mask = steps[here]
            # From the last step down, so that one event is not two steps of one chain.
            for step in range(min(reached, count - 1), 0, -1):
                begun = start[step - 1]
                if (mask >> step) & 1 and begun >= 0 and at[here] - at[begun] <= window:
                    start[step] = begun
                    if step == reached:
                        reached += 1
                        reaching[customer, step] = here
                        beginning[customer, step] = begun
                        preceding[customer, step] = last[step - 1]
                    last[step] = here
                elif strict:
                    start[step] = -1
            if mask & 1:
                start[0] = last[0] = here
                if reached == 0:
                    reached = 1
                    reaching[customer, 0] = beginning[customer, 0] = here
                    preceding[customer, 0] = here
            elif strict:
                start[0] = -1
    return reaching, beginning, preceding
