"""What the linkage is told and what it has learnt: frozen, and written to JSON as it is."""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Codes = NDArray[np.int64]
Grades = NDArray[np.int8]
Bits = NDArray[np.float64]
Kind = Literal["people", "companies"]

MISSING = -1
EXCHANGED = "exchanged with the other column"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A column that is compared: its name, how (a matcher), and how its values are written."""

    name: str
    matcher: str
    layout: str = ""


class KeyPart(msgspec.Struct, frozen=True):
    """One part of a blocking key: which field, and which of its matcher's keys."""

    field: str
    way: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one field: for each grade of agreement, worst first, how often pairs of one
    person have it (m) and how often pairs of strangers do (u).

    ``chance`` is how often any two records agree on it exactly. ``given`` holds, by finer part of
    a place, how often strangers agree on this one once they agree on that.
    """

    field: Field
    levels: tuple[str, ...]
    m: tuple[float, ...]
    u: tuple[float, ...]
    chance: float
    given: dict[str, float] = {}
    exchanged_with: str = ""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """All that scoring a pair needs.

    ``prior`` is the share of all pairs that are one person, ``household`` the share that are two
    who share what households (and companies) share.
    """

    kind: Kind
    comparisons: tuple[Comparison, ...]
    keys: tuple[tuple[KeyPart, ...], ...]
    prior: float
    household: float
    threshold: float
    max_block: int


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to link. ``keys`` empty means that they are chosen; ``max_block`` 0 that it is."""

    kind: Kind = "people"
    threshold: float = 0.9
    keys: tuple[tuple[KeyPart, ...], ...] = ()
    one_to_one: bool = False
    max_block: int = 0
    seed: int = 11


class Records(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Records in columns. ``side`` tells the files apart (0 or 1); None: one file, deduplicated.

    Ids are unique within a side.
    """

    ids: list[str]
    columns: dict[str, list[str]]
    side: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """What one blocking key came to."""

    parts: tuple[KeyPart, ...]
    pairs: int
    largest_block: int
    passed_over: int
    """Records in blocks that were too large to look into."""


class Linkage(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What came out, in the order the records were given.

    ``cluster`` numbers the clusters; ``probability`` is that of a record's strongest link inside
    its cluster, zero when it is alone. ``left``, ``right`` and ``bits`` are all pairs that were
    looked at (places in the records) and their weight, prior included: log2 of the odds.
    """

    model: Model
    cluster: Rows
    probability: Bits
    left: Rows
    right: Rows
    bits: Bits
    keys: tuple[KeyUse, ...]
    filled: dict[str, float]
    distinct: dict[str, int]
    split: int
    """Chains of links that were broken where the records at their ends contradict each other."""
    warnings: tuple[str, ...]


def probability_of(bits: Bits) -> Bits:
    """Return the probability that odds of so many bits stand for."""
    odds: Bits = np.exp2(-np.clip(bits, -500, 500))
    return 1 / (1 + odds)
