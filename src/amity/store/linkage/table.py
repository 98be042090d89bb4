"""Records made ready: in an order of their own, each column as numbers of its distinct values."""

from collections.abc import Sequence

import msgspec
import numpy as np

from amity.store.linkage.model import Field, KeyPart, Records, Rows
from amity.store.matcher import Matcher, find_matcher


class Column(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One field of all records: ``codes`` point into ``values``; 0 is the empty text, missing."""

    field: Field
    matcher: Matcher
    codes: Rows
    values: list[str]
    counts: Rows
    _keyed: dict[str, Rows] = msgspec.field(default_factory=dict)
    """What `key_codes` made, by way: keys are asked for when they are chosen and when used."""

    @property
    def filled_rate(self) -> float:
        """Return the share of records that have a value."""
        return float(1 - self.counts[0] / max(1, len(self.codes)))

    def key_codes(self, way: str) -> Rows:
        """Return each record's blocking key as a number; 0 where it has none."""
        place = self.matcher.ways.index(way)
        if way == "whole":
            return self.codes
        if way not in self._keyed:
            keys = [self.matcher.keys(value)[place] for value in self.values[1:]]
            self._keyed[way] = _number(["", *keys])[0][self.codes]
        return self._keyed[way]


class Table(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The records in order of side and id, so that nothing depends on how they came."""

    order: Rows
    """Where each of its rows stood in the records that were given."""
    columns: tuple[Column, ...]
    side: Rows | None

    def __len__(self) -> int:
        return len(self.order)

    @property
    def all_pairs(self) -> int:
        """Return how many pairs there are that could be one person."""
        if self.side is None:
            return len(self) * (len(self) - 1) // 2
        second = int(self.side.sum())
        return second * (len(self) - second)

    def column(self, name: str) -> Column:
        """Return the column of a field."""
        return next(column for column in self.columns if column.field.name == name)

    def part_codes(self, part: KeyPart) -> Rows:
        """Return the blocking key of one part, record by record."""
        return self.column(part.field).key_codes(part.way)


def make_table(records: Records, fields: Sequence[Field]) -> Table:
    """Return the records ready to be compared by these fields.

    A field that does not say yet how its values are written learns it from them.
    """
    order = _sort(records)
    side = None if records.side is None else records.side[order].astype(np.int64)
    columns = tuple(_encode(field, records.columns[field.name], order) for field in fields)
    return Table(order=order, columns=columns, side=side)


def _sort(records: Records) -> Rows:
    ids = records.ids
    order = np.asarray(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
    if records.side is not None:
        order = order[np.argsort(records.side[order], kind="stable")]
    return order


def _encode(field: Field, raw: list[str], order: Rows) -> Column:
    if not np.array_equal(order, np.arange(len(order))):
        raw = [raw[place] for place in order.tolist()]
    of_row, written = _number(raw)
    kind = find_matcher(field.matcher)
    field = msgspec.structs.replace(field, layout=field.layout or kind.learn(written))
    matcher = kind(field.layout)
    of_form, values = _number(["", *matcher.normalise_all(written)])
    codes = of_form[1:][of_row]
    counts = np.bincount(codes, minlength=len(values))
    return Column(field=field, matcher=matcher, codes=codes, values=values, counts=counts)


def _number(texts: Sequence[str]) -> tuple[Rows, list[str]]:
    """Return the number of each text, and the texts by number, as they first appear."""
    # Loads slowly. Its table holds the letters themselves, one after another, where Python's
    # holds where each text lies: with a million texts that is three times quicker.
    import pyarrow as pa  # noqa: PLC0415

    try:
        found = pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # half a character, which no file or database holds
        found = pa.array([text.encode(errors="replace").decode() for text in texts])
    found = found.dictionary_encode()
    return found.indices.to_numpy().astype(np.int64), found.dictionary.to_pylist()
