"""What each engine lacks of PostgreSQL's jsonb, as functions made of its own words.

JSON is text, as the warehouse keeps it and as PostgreSQL wrote it: no duplicate keys, no spaces
that matter. A number is compared as (whole part, float): whole numbers beyond 2**53 stay exact, and
any other number is a float, which is what it is in memory. Numbers are added to eighteen decimals,
and multiplied with nine.
"""

from collections.abc import Callable
from typing import Final

import msgspec

_INSTANT: Final = (
    "[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
    "(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?"
)
"""`kernel.clock.INSTANT_PATTERN` in the characters all engines' patterns have in common."""

_NO_SECONDS: Final = "^(.{10}.[0-9]{2}:[0-9]{2})(Z|[+-].*)?$"
_TYPE: Final = (
    "CASE substr(j, 1, 1) WHEN '\"' THEN 'string' WHEN '[' THEN 'array' WHEN '{' THEN 'object' "
    "WHEN 't' THEN 'boolean' WHEN 'f' THEN 'boolean' WHEN 'n' THEN 'null' "
    "ELSE CASE WHEN j IS NOT NULL THEN 'number' END END"
)
_AS_TEXT: Final = (
    "CASE amity_type(j) WHEN 'string' THEN amity_text(j) WHEN 'null' THEN NULL ELSE j END"
)


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One engine: its name for sqlglot, what must be run first, how a property is reached."""

    name: str
    prelude: tuple[str, ...]
    """Statements that make our functions, in order."""
    key: Callable[[str], str]
    """Gives the path `amity_get` takes, of a key of an object or a place in a list."""
    escapes_like: bool
    """Whether LIKE must be told that a backslash makes the next sign plain."""


def _pointer(key: str) -> str:
    """RFC 6901."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _duckdb() -> Engine:
    seconds = f"regexp_replace(t, '{_NO_SECONDS}', '\\1:00\\2')"
    functions = {
        "amity_get(j, k)": "CAST(json_extract(j, k) AS VARCHAR)",
        "amity_type(j)": _TYPE,
        "amity_text(j)": "json_extract_string(j, '$')",
        "amity_as_text(j)": _AS_TEXT,
        "amity_json(v)": "CAST(to_json(v) AS VARCHAR)",
        "amity_items(j)": "CAST(json_extract(j, '$[*]') AS VARCHAR[])",
        "amity_has(j, v)": "list_contains(amity_items(j), amity_json(v))",
        "amity_length(j)": "CAST(json_array_length(j) AS BIGINT)",
        "amity_decimal(j)": "TRY_CAST(j AS DECIMAL(38, 18))",
        "amity_factor(j)": "TRY_CAST(j AS DECIMAL(38, 9))",
        "amity_draw(t)": (
            "CAST(CAST('0x' || left(sha256(t), 13) AS BIGINT) AS DOUBLE) / 4503599627370496"
        ),
        # Pairs may be compared, but DuckDB cannot join two comparisons into one of a range.
        "amity_truth(c)": "CAST(CAST(c AS TINYINT) AS BOOLEAN)",
        "amity_pair(w, f)": "row(CAST(w AS HUGEINT), CAST(f AS DOUBLE))",
        "amity_order_of(n)": "CASE WHEN n IS NOT NULL THEN amity_pair(floor(n), n) END",
        "amity_order(j)": (
            "CASE WHEN regexp_full_match(j, '-?[0-9]+') "
            "THEN amity_pair(TRY_CAST(j AS HUGEINT), TRY_CAST(j AS DOUBLE)) "
            "ELSE amity_order_of(TRY_CAST(j AS DOUBLE)) END"
        ),
        "amity_has_number(j, p)": (
            "len(list_filter(amity_items(j), "
            "lambda i: amity_type(i) = 'number' AND amity_order(i) = p)) > 0"
        ),
        "amity_instant(t)": (
            f"CASE WHEN regexp_full_match(t, '{_INSTANT}') "
            f"AND TRY_CAST({seconds} AS TIMESTAMPTZ) < TIMESTAMPTZ '10000-01-01 00:00:00+00' "
            f"THEN TRY_CAST({seconds} AS TIMESTAMPTZ) END"
        ),
    }
    return Engine(
        name="duckdb",
        prelude=tuple(f"CREATE MACRO {name} AS {body}" for name, body in functions.items()),
        key=_pointer,
        escapes_like=True,
    )


DUCKDB: Final = _duckdb()
