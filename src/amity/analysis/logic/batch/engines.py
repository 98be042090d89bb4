"""What each engine lacks of PostgreSQL's jsonb, as functions made of its own words.

JSON is text, as the warehouse keeps it and as PostgreSQL wrote it: no duplicate keys, no spaces
that matter. A number is compared as (whole part, float): whole numbers beyond 2**53 stay exact, and
any other number is a float, which is what it is in memory. Numbers are added to eighteen decimals,
and multiplied with nine.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from amity.kernel.errors import Invalid

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
    parts: Mapping[str, str] = {}
    """The words for parts of a date, where they are others than PostgreSQL's."""


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
        "amity_quoted(t)": "CAST(to_json(t) AS VARCHAR)",
        "amity_items(j)": "CAST(json_extract(j, '$[*]') AS VARCHAR[])",
        "amity_has(j, i)": "list_contains(amity_items(j), i)",
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


def _path(key: str) -> str:
    if "?" in key or not key or ("'" in key and '"' in key):
        raise Invalid(f"Spark cannot look up a property called {key!r}", code="no_batch")
    return f"$['{key}']" if "'" not in key else f'$["{key}"]'


def _kinds() -> str:
    """Return a map of what JSON begins with to what it then is, in Spark's words."""
    kinds = {'"': "string", "[": "array", "{": "object", "n": "null", "t": "boolean"}
    kinds |= {"f": "boolean", **dict.fromkeys("-0123456789", "number")}
    pairs = ", ".join(f"'{first}', '{kind}'" for first, kind in kinds.items())
    return f"map({pairs})"


def _spark() -> Engine:
    seconds = f"regexp_replace(t, '{_NO_SECONDS}', '$1:00$2')"
    pair = "STRUCT<whole: DECIMAL(38, 0), near: DOUBLE>"
    functions = {
        "amity_get(j STRING, k STRING) RETURNS STRING": (
            "to_json(variant_get(parse_json(j), k, 'variant'))"
        ),
        # An argument named once keeps expressions small: they are written into each other.
        "amity_type(j STRING) RETURNS STRING": f"try_element_at({_kinds()}, left(j, 1))",
        "amity_text(j STRING) RETURNS STRING": (
            "get(from_json(concat('[', j, ']'), 'array<string>'), 0)"
        ),
        "amity_as_text(j STRING) RETURNS STRING": _AS_TEXT,
        "amity_items(j STRING) RETURNS ARRAY<STRING>": (
            "transform(CAST(parse_json(j) AS ARRAY<VARIANT>), i -> to_json(i))"
        ),
        "amity_length(j STRING) RETURNS BIGINT": "CAST(json_array_length(j) AS BIGINT)",
        "amity_decimal(j STRING) RETURNS DECIMAL(38, 18)": "TRY_CAST(j AS DECIMAL(38, 18))",
        "amity_factor(j STRING) RETURNS DECIMAL(38, 9)": "TRY_CAST(j AS DECIMAL(38, 9))",
        "amity_draw(t STRING) RETURNS DOUBLE": (
            "CAST(conv(left(sha2(t, 256), 13), 16, 10) AS DOUBLE) / 4503599627370496"
        ),
        "amity_truth(c BOOLEAN) RETURNS BOOLEAN": "c",
        f"amity_pair(w DECIMAL(38, 0), f DOUBLE) RETURNS {pair}": (
            "named_struct('whole', w, 'near', f)"
        ),
        f"amity_order_of(n DOUBLE) RETURNS {pair}": (
            "CASE WHEN n IS NOT NULL THEN amity_pair(CAST(floor(n) AS DECIMAL(38, 0)), n) END"
        ),
        f"amity_order(j STRING) RETURNS {pair}": (
            "CASE WHEN regexp_like(j, '^-?[0-9]+$') "
            "THEN amity_pair(TRY_CAST(j AS DECIMAL(38, 0)), TRY_CAST(j AS DOUBLE)) "
            "ELSE amity_order_of(TRY_CAST(j AS DOUBLE)) END"
        ),
        "amity_quoted(t STRING) RETURNS STRING": (
            "substring(to_json(array(t)), 2, length(to_json(array(t))) - 2)"
        ),
        "amity_has(j STRING, i STRING) RETURNS BOOLEAN": "array_contains(amity_items(j), i)",
        # Spark allows no function of ours in a lambda.
        f"amity_has_number(j STRING, p {pair}) RETURNS BOOLEAN": (
            "exists(amity_items(j), i -> regexp_like(i, '^-?[0-9]') AND named_struct('whole', "
            "CASE WHEN regexp_like(i, '^-?[0-9]+$') THEN TRY_CAST(i AS DECIMAL(38, 0)) "
            "ELSE CAST(floor(TRY_CAST(i AS DOUBLE)) AS DECIMAL(38, 0)) END, "
            "'near', TRY_CAST(i AS DOUBLE)) = p)"
        ),
        "amity_instant(t STRING) RETURNS TIMESTAMP": (
            f"CASE WHEN regexp_like(t, '^{_INSTANT}$') AND NOT endswith(t, char(10)) "
            f"AND TRY_CAST({seconds} AS TIMESTAMP) < TIMESTAMP '+10000-01-01 00:00:00+00:00' "
            f"THEN TRY_CAST({seconds} AS TIMESTAMP) END"
        ),
    }
    return Engine(
        name="spark",
        prelude=tuple(
            f"CREATE TEMPORARY FUNCTION {name} RETURN {body}" for name, body in functions.items()
        ),
        key=_path,
        escapes_like=False,
        parts={"ISODOW": "DAYOFWEEK_ISO"},
    )


DUCKDB: Final = _duckdb()
SPARK: Final = _spark()
