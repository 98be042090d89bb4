"""Which pairs are looked at: those that share a key, in blocks that are not too large."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import msgspec
import numpy as np

from amity.store.linkage.model import KeyPart, KeyUse, Rows
from amity.store.linkage.table import Column, Table

Key = tuple[KeyPart, ...]

MAX_KEYS: Final = 8
_LARGE_BLOCK: Final = 60
_CHANCE_PAIRS: Final = 100_000
_LEAST_FILLED: Final = 0.05


class Candidates(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The pairs to look at, each once, the lower row on the left; ``keys`` has a bit for each
    blocking key that brought the pair."""

    left: Rows
    right: Rows
    keys: Rows
    uses: tuple[KeyUse, ...]


def default_max_block(records: int) -> int:
    """Return up to how many records a block is looked into: more where there are few in all."""
    return int(min(500, max(_LARGE_BLOCK, 20_000_000 // max(1, records))))


def choose_keys(table: Table) -> tuple[Key, ...]:
    """Choose blocking keys: short, bringing few pairs by chance, resting on different fields.

    A slip in one field costs a pair the keys with that field, so each key takes fields that the
    ones before used least. How many pairs a key brings by chance is worked out from how often its
    values stand in the table, as if fields were independent, parts of a place less so.
    """
    collide = {
        column.field.name: _collision(column)
        for column in table.columns
        if column.matcher.can_block and column.filled_rate >= _LEAST_FILLED
    }
    most = max(_CHANCE_PAIRS, len(table) // 2) / max(1, table.all_pairs)
    found = _short_enough(table, collide, most)
    used = dict.fromkeys(collide, 0)
    chosen: list[tuple[str, ...]] = []
    while found and len(chosen) < MAX_KEYS:
        best = min(
            found,
            key=lambda key: (max(used[f] for f in key), sum(used[f] for f in key), found[key], key),
        )
        del found[best]
        chosen.append(best)
        for name in best:
            used[name] += 1
    return tuple(
        tuple(KeyPart(name, table.column(name).matcher.ways[0]) for name in key) for key in chosen
    )


def _collision(column: Column) -> float:
    """Return how likely two records share the first key of a column."""
    codes = column.key_codes(column.matcher.ways[0])
    counts = np.bincount(codes)[1:].astype(np.float64)
    return float((counts * np.maximum(counts - 1, 0)).sum() / max(1, len(codes)) ** 2)


def _short_enough(
    table: Table, collide: dict[str, float], most: float
) -> dict[tuple[str, ...], float]:
    """Return the shortest keys that bring few enough pairs, and the share of pairs they bring."""
    place = {c.field.name: c.matcher.refines > 0 for c in table.columns}
    found: dict[tuple[str, ...], float] = {}
    for length in (1, 2, 3):
        for names in combinations(sorted(collide), length):
            if any(set(shorter) <= set(names) for shorter in found):
                continue
            share, places = 1.0, 0
            for name in sorted(names, key=collide.__getitem__):
                places += place[name]
                share *= collide[name] ** (0.5 if place[name] and places > 1 else 1.0)
            if 0 < share <= most:
                found[names] = share
    return found


def find_candidates(
    table: Table, keys: Sequence[Key], *, max_block: int, newer: Rows | None = None
) -> Candidates:
    """Return all pairs that share a key. With ``newer`` (1 for a new record), not two old ones."""
    codes: dict[KeyPart, Rows] = {
        part: table.part_codes(part) for part in sorted({p for k in keys for p in k}, key=str)
    }
    brought, uses = [], []
    for key in keys:
        parts = [codes[part] for part in key]
        pairs, use = _pairs_of(table, parts, key=key, max_block=max_block)
        if newer is not None:
            pairs = pairs[(newer[pairs // len(table)] | newer[pairs % len(table)]) > 0]
        brought.append(pairs)
        uses.append(msgspec.structs.replace(use, pairs=len(pairs)))
    return _merge(brought, len(table), tuple(uses))


def _merge(brought: Sequence[Rows], size: int, uses: tuple[KeyUse, ...]) -> Candidates:
    # A pair and the key that brought it as one number: numbers alone sort several times quicker.
    width = len(brought).bit_length()
    together = np.sort(
        np.concatenate(
            [pairs << width | which for which, pairs in enumerate(brought)]
            + [np.empty(0, np.int64)]
        )
    )
    flags = np.left_shift(1, together & ((1 << width) - 1))
    together >>= width
    first = np.flatnonzero(np.diff(together, prepend=-1))
    bits = np.bitwise_or.reduceat(flags, first) if len(first) else flags
    pairs = together[first]
    return Candidates(left=pairs // max(1, size), right=pairs % max(1, size), keys=bits, uses=uses)


def _combine(parts: Sequence[Rows], most: int) -> Rows:
    """Return a number up to ``most`` for each combination of the parts; 0 where one is missing."""
    result = parts[0]
    for part in parts[1:]:
        width = int(part.max(initial=0)) + 1
        if int(result.max(initial=0)) > most // width - 1:
            result = np.unique(result, return_inverse=True)[1] + (result.min() > 0)
        result = np.where((result > 0) & (part > 0), result * width + part, 0)
    return result


def _pairs_of(
    table: Table, parts: Sequence[Rows], *, key: Key, max_block: int
) -> tuple[Rows, KeyUse]:
    # A value and its row as one number, again because numbers alone sort quicker.
    width = len(table).bit_length()
    codes = _combine(parts, (1 << (62 - width)) - 1)
    rows = np.flatnonzero(codes)
    together = np.sort(codes[rows] << width | rows)
    rows = together & ((1 << width) - 1)
    codes = together >> width
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    sizes = np.diff(np.append(first, len(rows)))
    of_row = np.repeat(sizes, sizes)
    kept = (of_row > 1) & (of_row <= max_block)
    use = KeyUse(
        parts=key,
        pairs=0,
        largest_block=int(sizes.max(initial=0)),
        passed_over=int((of_row > max_block).sum()),
    )
    left, right = pairs_in_runs(rows[kept], codes[kept])
    if table.side is not None:
        across = table.side[left] != table.side[right]
        left, right = left[across], right[across]
    return left * len(table) + right, use


def pairs_in_runs(rows: Rows, codes: Rows) -> tuple[Rows, Rows]:
    """Pair each row with the next, the one after that and so on, as long as the code is equal."""
    one, other = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    at = np.arange(len(rows))
    step = 0
    while len(at):
        step += 1
        at = at[: np.searchsorted(at, len(rows) - step)]
        at = at[codes[at] == codes[at + step]]
        one.append(rows[at])
        other.append(rows[at + step])
    return np.concatenate(one), np.concatenate(other)
