"""The floor of `bench/link.py`: the same six keys and strings, and nothing a product needs.

No normal forms, no frequencies of values, no report: codes, blocks, agreement levels, EM over the
patterns with both sides free, connected components.
"""

import numpy as np
from rapidfuzz.distance import JaroWinkler, Levenshtein
from rapidfuzz.process import cpdist
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LIKENESS = {"given_name", "surname", "street", "city", "email"}


def link(columns: dict[str, list[str]], keys: list[list[str]], *, threshold: float) -> np.ndarray:
    """Return the component each record is in."""
    size = len(next(iter(columns.values())))
    codes, values = {}, {}
    for name, column in columns.items():
        numbers = {"": 0}
        codes[name] = np.array([numbers.setdefault(v, len(numbers)) for v in column])
        values[name] = list(numbers)
    pairs = np.unique(np.concatenate([_block([codes[n] for n in key], size) for key in keys]))
    left, right = pairs // size, pairs % size
    grades = np.stack([_grade(n, codes[n], values[n], left, right) for n in columns])
    code = np.zeros(len(pairs), np.int64)
    for row in grades:
        code = code * 5 + row
    _, first, inverse, counts = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    linked = _believe(grades[:, first], counts)[inverse] >= threshold
    graph = coo_array((linked[linked], (left[linked], right[linked])), shape=(size, size))
    return connected_components(graph, directed=False)[1]


def _block(parts: list[np.ndarray], size: int) -> np.ndarray:
    key, filled = parts[0], parts[0] > 0
    for part in parts[1:]:
        key, filled = key * (part.max() + 1) + part, filled & (part > 0)
    rows = np.flatnonzero(filled)
    rows = rows[np.argsort(key[rows], kind="stable")]
    key = key[rows]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    sizes = np.diff(np.append(first, len(rows)))
    kept = np.repeat(sizes <= 60, sizes)
    rows, key = rows[kept], key[kept]
    found, at = [], np.arange(len(rows))
    for step in range(1, 60):
        at = at[at + step < len(rows)]
        at = at[key[at] == key[at + step]]
        found.append(rows[at] * size + rows[at + step])
    return np.concatenate(found)


def _grade(name, codes, values, left, right) -> np.ndarray:
    one, other = codes[left], codes[right]
    result = np.where((one == 0) | (other == 0), 0, 4)
    rest = np.flatnonzero((one != other) & (result > 0))
    low, high = np.minimum(one[rest], other[rest]), np.maximum(one[rest], other[rest])
    distinct, inverse = np.unique(low * len(values) + high, return_inverse=True)
    ones = [values[i] for i in (distinct // len(values)).tolist()]
    others = [values[i] for i in (distinct % len(values)).tolist()]
    if name in LIKENESS:
        like = cpdist(ones, others, scorer=JaroWinkler.similarity, dtype=np.float32)
        grade = 1 + (like >= 0.8) + (like >= 0.92)
    else:
        grade = np.where(
            cpdist(ones, others, scorer=Levenshtein.distance, dtype=np.int32) <= 1, 3, 1
        )
    result[rest] = grade[inverse]
    return result


def _believe(grades: np.ndarray, counts: np.ndarray) -> np.ndarray:
    m = np.tile([1, 0.05, 0.05, 0.1, 0.8], (len(grades), 1))
    u = np.tile([1, 0.9, 0.05, 0.03, 0.02], (len(grades), 1))
    share, rows = 0.5, np.arange(len(grades))[:, None]
    belief = np.zeros(grades.shape[1])
    for _ in range(60):
        odds = (np.log(m[rows, grades]) - np.log(u[rows, grades])).sum(0)
        belief = 1 / (1 + np.exp(-(odds + np.log(share / (1 - share)))))
        for table, weight in ((m, belief * counts), (u, (1 - belief) * counts)):
            for place, row in enumerate(grades):
                seen = np.bincount(row, weight, minlength=5)[1:] + 1e-6
                table[place, 1:] = seen / seen.sum()
        share = (belief * counts).sum() / counts.sum()
    return belief
