"""Points on the earth: how a value says one, and how far apart two are.

The earth is taken as a sphere of the mean radius of the IUGG, 6,371.0088 km, which is within 0.6 %
of the true distance; the distance is by the haversine formula (R. W. Sinnott, "Virtues of the
Haversine", Sky and Telescope 68, 1984), which stays exact for short ways, across the
180th meridian and at the poles. It is rounded to whole metres, so that engines whose sines differ
in the last digit agree.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from amity.rules.fragment import Fragment, join, sql
from amity.rules.operator import Value, is_number

RADIUS_METRES: Final = 6_371_008.8
_PAIR: Final = "^ *-?[0-9]{1,3}([.][0-9]{1,15})? *, *-?[0-9]{1,3}([.][0-9]{1,15})? *$"
_IS_PAIR: Final = re.compile(_PAIR.replace("$", r"\Z"))
_KEYS: Final = (("lat", "latitude"), ("lon", "lng", "longitude"))
_MOST: Final = (90.0, 180.0)
_COARSE: Final = 512.0

Point = tuple[float, float]
"""Latitude and longitude in degrees, north and east."""


def point_of(actual: Any) -> Point | None:
    """Read {lat, lon} (also latitude, lng, longitude) or "lat,lon"; None when it is no point."""
    if isinstance(actual, dict):
        found = [next(filter(is_number, map(actual.get, keys)), None) for keys in _KEYS]
    elif isinstance(actual, str) and _IS_PAIR.match(actual):
        found = [float(part) for part in actual.split(",")]
    else:
        return None
    lat, lon = (None if degrees is None else _even(degrees) for degrees in found)
    if lat is None or lon is None or abs(lat) > _MOST[0] or abs(lon) > _MOST[1]:
        return None
    return lat, lon


def _even(degrees: float) -> float:
    """Return degrees without what is finer than 13 nanometres, as SQL does.

    The square of the sine of anything finer could be too small for a number.
    """
    return (degrees + _COARSE) - _COARSE


def metres_between(one: Point, other: Point) -> int:
    """Return the way over the sphere in whole metres."""
    half_lat = math.radians(one[0] - other[0]) / 2
    half_lon = math.radians(one[1] - other[1]) / 2
    chord = math.sin(half_lat) * math.sin(half_lat) + math.cos(math.radians(one[0])) * math.cos(
        math.radians(other[0])
    ) * (math.sin(half_lon) * math.sin(half_lon))
    return math.floor(2 * RADIUS_METRES * math.asin(math.sqrt(min(1.0, chord))) + 0.5)


def metres_sql(value: Value, other: Point) -> Fragment:
    """Return `metres_between` a value and a constant as SQL; NULL when the value is no point."""
    lat, lon = (_degrees(value, place) for place in range(2))
    half_lat = sql("sin(radians({} - {}) / 2)", lat, other[0])
    half_lon = sql("sin(radians({} - {}) / 2)", lon, other[1])
    return sql(
        "CASE WHEN {} BETWEEN -90 AND 90 AND {} BETWEEN -180 AND 180 THEN "
        "floor({} * asin(sqrt(least(1.0::float8, {} * {} + cos(radians({})) * {} * ({} * {})))) "
        "+ 0.5) END",
        lat,
        lon,
        2 * RADIUS_METRES,
        half_lat,
        half_lat,
        lat,
        math.cos(math.radians(other[0])),
        half_lon,
        half_lon,
    )


def _degrees(value: Value, place: int) -> Fragment:
    numbers = join(", ", (_number(sql("({} -> {}::text)", value.json, k)) for k in _KEYS[place]))
    return sql(
        "(CASE jsonb_typeof({}) WHEN 'object' THEN coalesce({}) "
        "WHEN 'string' THEN CASE WHEN {} ~ {} THEN trim(split_part({}, ',', {}))::float8 END END "
        "+ {} - {})",
        value.json,
        numbers,
        value.text,
        _PAIR,
        value.text,
        place + 1,
        _COARSE,
        _COARSE,
    )


def _number(json: Fragment) -> Fragment:
    return sql("CASE jsonb_typeof({}) WHEN 'number' THEN ({})::numeric::float8 END", json, json)
