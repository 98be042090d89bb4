"""Linking the records of files: how it is asked for, and what comes back."""

from typing import Literal

import msgspec

LinkKind = Literal["people", "companies"]


class LinkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person may say instead of having it guessed or chosen.

    ``columns`` gives a column's heading the name of a matcher, or ``ignore``; ``id`` is the
    column that names records. ``keys`` are blocking keys, each a list of headings; a heading may
    be followed by a colon and one of its matcher's ways (``surname:whole``).
    """

    kind: LinkKind | None = None
    id: str | None = None
    columns: dict[str, str] = {}
    keys: list[list[str]] = []
    threshold: float = 0.9
    one_to_one: bool = False
    max_block: int = 0
    seed: int = 11


class LinkLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One grade of agreement: how often one person's records have it, how often strangers' do,
    and log2 of their ratio."""

    level: str
    m: float
    u: float
    bits: float


class LinkComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One column that was compared."""

    column: str
    matcher: str
    why: str
    filled_rate: float
    distinct_values: int
    levels: list[LinkLevel]


class LinkKey(msgspec.Struct, frozen=True, kw_only=True):
    """One blocking key: pairs that share it were looked at."""

    key: str
    pairs: int
    largest_block: int
    records_passed_over: int


class LinkFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was read: its rows, the rows that could not be, and the reasons of some."""

    name: str
    records: int
    rejected: int
    problems: list[str]
    id_column: str | None
    ignored_columns: list[str]


class LinkReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a linkage did. ``matched`` records share a cluster with another one."""

    kind: LinkKind
    files: list[LinkFile]
    records: int
    clusters: int
    matched: int
    largest_cluster: int
    pairs_compared: int
    links: int
    chains_broken: int
    threshold: float
    prior: float
    comparisons: list[LinkComparison]
    keys: list[LinkKey]
    warnings: list[str]
    out: str
