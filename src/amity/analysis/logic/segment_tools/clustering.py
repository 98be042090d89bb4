"""Groups of alike customers by k-means, with how many chosen by how well and surely they hold.

Pure. For each number of groups the mean silhouette is measured (Rousseeuw, J. Comput. Appl. Math.
20 (1987) 53-65), and how surely the groups are found again: customers are drawn anew with
replacement, grouped, everybody is put to the nearest centre, and the two groupings are compared by
the adjusted Rand index (Hubert and Arabie, J. Classification 2 (1985) 193-218; Hennig, Comput.
Stat. Data Anal. 52 (2007) 258-271). What holds no better than a cloud without groups is refused.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from amity.analysis.contracts_segments import ClusterTrait, ClusterTrial, FoundCluster
from amity.analysis.estimator import FloatArray, IntArray, Refused
from amity.analysis.logic.segment_tools.figures import NAMES

FEWEST: Final = 200
COUNTS: Final = range(2, 9)
LEAST_STABILITY: Final = 0.8
LEAST_SILHOUETTE: Final = 0.25
"""Kaufman and Rousseeuw (Finding Groups in Data, 1990) read up to 0.25 as no structure."""
_DRAWS: Final = 10
_STARTS: Final = 3
_JUDGED: Final = 2_000
_SMALLEST: Final = 0.01
"""The share of customers a group must have to be one."""
_WORDS: Final = {
    "orders": ("many orders", "few orders"),
    "revenue": ("high revenue", "low revenue"),
    "order_value": ("large orders", "small orders"),
    "events": ("very active", "little active"),
    "days_known": ("known for long", "new"),
    "days_unseen": ("not seen for long", "seen lately"),
    "days_since_order": ("last order long ago", "ordered lately"),
}
_MEANS: Final = {
    "orders": "orders",
    "revenue": "revenue",
    "order_value": "revenue per order",
    "events": "events",
    "days_known": "days known",
    "days_unseen": "days since last seen",
    "days_since_order": "days since the last order, or since known without one",
}


class Grouping(msgspec.Struct, frozen=True, eq=False):
    """The chosen grouping of scaled figures, and every one that was tried."""

    labels: IntArray
    centres: FloatArray
    means: FloatArray
    deviations: FloatArray
    chosen: ClusterTrial
    tried: list[ClusterTrial]


Tell = Callable[[int, int, str], None]
"""Told before each number of groups is tried: the first step was to read the customers."""


def group(scaled: FloatArray, rng: np.random.Generator, tell: Tell | None = None) -> Grouping:
    """Group customers; raise Refused for too few, or when no number of groups holds."""
    if len(scaled) < FEWEST:
        raise Refused(
            f"only {len(scaled):,} customers did anything yet; groups need at least {FEWEST}"
        )
    import sklearn.cluster  # noqa: F401, PLC0415  # loads slowly; its libraries must be there
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  # comes with scikit-learn

    # Threads would spin for each other in fits this small, the longer the busier the machine.
    with threadpool_limits(1):
        return _group(scaled, rng, tell or (lambda *_: None))


def _group(scaled: FloatArray, rng: np.random.Generator, tell: Tell) -> Grouping:
    means, deviations = scaled.mean(axis=0), scaled.std(axis=0)
    points = standardise(scaled, means, deviations)
    if not points.any():
        raise Refused("all customers are alike in every figure")
    tried: list[ClusterTrial] = []
    found: dict[int, tuple[IntArray, FloatArray]] = {}
    for step, clusters in enumerate(COUNTS, 1):
        tell(step, len(COUNTS) + 1, f"trying {clusters} groups")
        labels, centres = _fit(points, clusters, rng)
        if np.bincount(labels, minlength=clusters).min() < max(2, _SMALLEST * len(points)):
            continue  # a handful that stands out is no group
        found[clusters] = labels, centres
        tried.append(_try(points, labels, clusters, rng))
    chosen = _choose(tried)
    labels, centres = found[chosen.clusters]
    return Grouping(labels, centres, means, deviations, chosen, tried)


def standardise(scaled: FloatArray, means: FloatArray, deviations: FloatArray) -> FloatArray:
    """Return figures in standard deviations; one that is the same for all counts for nothing."""
    return (scaled - means) / np.where(deviations > 0, deviations, np.inf)


def assign(points: FloatArray, centres: FloatArray) -> IntArray:
    """Return the nearest centre of each."""
    far = (centres**2).sum(axis=1) - 2 * points @ centres.T
    return np.asarray(far.argmin(axis=1), np.int64)


def _fit(
    points: FloatArray, clusters: int, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    from sklearn.cluster import KMeans  # noqa: PLC0415  # loads slowly

    seed = int(rng.integers(2**31))
    fitted = KMeans(clusters, n_init=_STARTS, random_state=seed).fit(points)
    centres = np.asarray(fitted.cluster_centers_, np.float64)
    return assign(points, centres), centres


def _try(
    points: FloatArray, labels: IntArray, clusters: int, rng: np.random.Generator
) -> ClusterTrial:
    from sklearn.metrics import (  # noqa: PLC0415  # loads slowly
        adjusted_rand_score,
        silhouette_score,
    )

    again: list[float] = []
    for _ in range(_DRAWS):
        drawn = points[rng.integers(len(points), size=len(points))]
        other: Any = assign(points, _fit(drawn, clusters, rng)[1])
        again.append(float(adjusted_rand_score(labels, other)))
    judged = rng.permutation(len(points))[:_JUDGED]
    is_told = len(np.unique(labels[judged])) > 1
    return ClusterTrial(
        clusters=clusters,
        silhouette=float(silhouette_score(points[judged], labels[judged])) if is_told else -1.0,
        stability=float(np.mean(again)),
        stability_low=min(again),
    )


def _choose(tried: list[ClusterTrial]) -> ClusterTrial:
    """Return the best separated of those that are found again."""
    stable = [each for each in tried if each.stability >= LEAST_STABILITY]
    if not stable:
        best = max((each.stability for each in tried), default=0.0)
        raise Refused(
            "no number of groups is found again in resamples of the customers: agreement is at "
            f"best {best:.2f}, and {LEAST_STABILITY} is asked for"
        )
    best_parted = max(stable, key=lambda each: each.silhouette)
    if best_parted.silhouette < LEAST_SILHOUETTE:
        raise Refused(
            f"the customers form no groups: the silhouette is at best {best_parted.silhouette:.2f}"
            f", and up to {LEAST_SILHOUETTE} there is no structure to speak of"
        )
    return best_parted


def describe(plain: FloatArray, grouping: Grouping) -> list[FoundCluster]:
    """Return the groups, the largest first, each named by what it differs in most."""
    overall = np.median(plain, axis=0)
    sizes = np.bincount(grouping.labels, minlength=len(grouping.centres))
    found = []
    names: set[str] = set()
    for number, place in enumerate(np.argsort(-sizes, kind="stable").tolist(), 1):
        medians = np.median(plain[grouping.labels == place], axis=0)
        traits = _traits(grouping.centres[place], medians, overall)
        name = _name(traits, names)
        names.add(name)
        found.append(
            FoundCluster(
                number=number,
                name=name,
                customers=int(sizes[place]),
                rate=float(sizes[place] / len(plain)),
                traits=traits,
                centre=grouping.centres[place].tolist(),
            )
        )
    return found


def _traits(centre: FloatArray, medians: FloatArray, overall: FloatArray) -> list[ClusterTrait]:
    traits = [
        ClusterTrait(
            name=name,
            words=_MEANS[name],
            median=float(medians[n]),
            median_of_all=float(overall[n]),
            effect=float(centre[n]),
        )
        for n, name in enumerate(NAMES)
    ]
    return sorted(traits, key=lambda each: (-abs(each.effect), each.name))


def _name(traits: list[ClusterTrait], taken: set[str]) -> str:
    """Say the two or more figures a group differs in most, so that no two say the same."""
    words = [_WORDS[each.name][each.effect < 0] for each in traits]
    for count in range(2, len(words) + 1):
        name = ", ".join(words[:count])
        name = f"{name[:1].upper()}{name[1:]}"
        if name not in taken:
            return name
    return f"{name} ({len(taken) + 1})"
