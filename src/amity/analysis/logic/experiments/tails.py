"""When a few units make most of what an outcome varies, intervals of means promise too much."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from amity.analysis.estimator import FloatArray

_MOST_OF_ONE: Final = 0.25
"""Share of the squared distances from the mean that one unit may make."""


def warn_of_few(arms: Mapping[str, FloatArray]) -> list[str]:
    """Say of which arm one unit makes more than a quarter of the variance, the worst first.

    Chance then hardly ever draws an arm with as many such units as there should be, so the error
    told from the rows is too small as often as it is too large, and the interval is too low.
    """
    found = []
    for name, values in arms.items():
        apart = (values - values.mean()) ** 2 if len(values) else np.zeros(1)
        whole = float(apart.sum())
        if whole > 0 and float(apart.max()) > _MOST_OF_ONE * whole:
            found.append((float(apart.max()) / whole, name, float(values[int(np.argmax(apart))])))
    if not found:
        return []
    share, name, value = max(found)
    return [
        f"one unit of {name} ({value:,.6g}) makes {share:.0%} of what the outcome varies there: "
        "where so few weigh so much a 95 % interval holds the truth less often than it says, some "
        "87 times in a hundred, and mostly lies too low; look at the outcome with its largest "
        "values cut too, at a limit chosen beforehand"
    ]
