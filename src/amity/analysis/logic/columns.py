"""Whole columns of whole numbers out of PostgreSQL, at the speed of copying bytes."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from amity.analysis.estimator import IntArray
from amity.infra.database import Connection

_FIELD: Final = (("length", ">i4"), ("value", ">i8"))
_HEADER: Final = 19
"""Bytes of the signature, the flags and the length of the (empty) extension of binary COPY."""


def fetch_columns(
    connection: Connection, query: bytes, parameters: Sequence[Any], *, width: int
) -> list[IntArray]:
    """Run ``query`` and return its ``width`` columns, each of bigints that are never NULL."""
    parts: list[bytes] = []
    with connection.cursor() as cursor:
        copying = cursor.copy(b"COPY (" + query + b") TO STDOUT (FORMAT binary)", parameters)
        with copying as copy:
            parts.extend(bytes(part) for part in copy)
    raw = b"".join(parts)
    # A row is its number of fields, then for each a length and eight bytes; the end is a -1.
    fields = [(f"{kind}{place}", size) for place in range(width) for kind, size in _FIELD]
    row = np.dtype([("fields", ">i2"), *fields])
    table = np.frombuffer(raw, row, count=(len(raw) - _HEADER - 2) // row.itemsize, offset=_HEADER)
    if len(table) and not all((table[f"length{place}"] == 8).all() for place in range(width)):
        raise ValueError("every column must be a bigint and not NULL")
    return [table[f"value{place}"].astype(np.int64) for place in range(width)]
