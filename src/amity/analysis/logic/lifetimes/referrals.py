"""What customers are worth by whom they brought: credit that decays along links of referral."""

import msgspec
import numpy as np

from amity.analysis.estimator import FloatArray, IntArray


class Credit(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What each customer is credited with, and what became of the links."""

    credit: FloatArray
    links: int
    dropped: int
    """Links that close a circle, which nobody can have brought about."""


def credit_referrers(values: FloatArray, referrer: IntArray, *, decay: float) -> Credit:
    """Return ``decay`` times the value of whom each brought, with what those are credited with.

    ``referrer`` is the place of who brought each, -1 for nobody. So the second generation counts
    with the square of ``decay``. A negative value is credited too: who brings a loss, brings one.
    """
    size = len(values)
    parent = np.where(referrer == np.arange(size), -1, referrer)
    waiting = np.bincount(parent[parent >= 0], minlength=size)
    credit = np.zeros(size)
    ready = np.flatnonzero(waiting == 0).tolist()
    done = 0
    # Children before their parents; who lies on a circle never gets ready.
    while ready:
        child = ready.pop()
        done += 1
        up = int(parent[child])
        if up < 0:
            continue
        credit[up] += decay * (values[child] + credit[child])
        waiting[up] -= 1
        if waiting[up] == 0:
            ready.append(up)
    return Credit(
        credit=credit,
        links=int(np.count_nonzero(referrer >= 0)),
        dropped=int(np.count_nonzero(referrer == np.arange(size))) + size - done,
    )
