"""Places, anniversaries and patterns: faces agree where values are made for them, and oracles."""

import fnmatch
import math
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amity.infra import database
from amity.rules import Check, Subject, compile_rule
from amity.rules.glob import matches_glob
from amity.rules.operator import operators
from amity.rules.period import zone_of
from amity.rules.place import RADIUS_METRES, metres_between, point_of
from amity.testing import rules_kit

SETTINGS = settings(
    max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def degrees(most):
    edges = st.sampled_from([0.0, most, -most, most - 1e-7, 1e-7 - most, 0.1])
    return edges | st.floats(-most - 1, most + 1) | st.integers(-most, most)


def places():
    keys = st.sampled_from([("lat", "lon"), ("latitude", "longitude"), ("lat", "lng")])
    as_object = st.builds(
        lambda k, lat, lon: {k[0]: lat, k[1]: lon}, keys, degrees(90), degrees(180)
    )
    as_text = st.builds(
        lambda lat, lon, comma: f"{lat}{comma}{lon}",
        degrees(90),
        degrees(180),
        st.sampled_from([",", ", ", " , ", ";"]),
    )
    odd = st.sampled_from(
        [
            "1,2\n",
            "١,2",
            "1,2,3",
            "1e1,2",
            "+1,2",
            {"lat": "1", "latitude": 2, "lon": 3},
            {"lat": 1},
        ]
    )
    return as_object | as_text | odd


def test_near_agrees_with_sql_at_poles_and_across_the_antimeridian(module_db):
    @SETTINGS
    @given(
        degrees(90).filter(lambda x: abs(x) <= 90),
        degrees(180).filter(lambda x: abs(x) <= 180),
        st.sampled_from([0.001, 0.5, 22.239, 1000, 10_007.557, 20_015]),
        st.lists(places(), min_size=1, max_size=20),
    )
    def agree(lat, lon, km, found):
        operator = operators["near"](lat=lat, lon=lon, km=km)
        with database.transaction("readonly") as connection:
            rules_kit.assert_faces_agree(operator, [*found, f"{lat:.9f},{lon:.9f}"], connection)

    agree()


def test_distances_are_those_of_a_sphere():
    quarter = math.floor(RADIUS_METRES * math.pi / 2 + 0.5)
    assert metres_between((90, 12), (0, -170)) == quarter
    assert metres_between((90, 12), (90, -100)) == 0, "at a pole the meridian does not matter"
    assert metres_between((0, 179.9), (0, -179.9)) == metres_between((0, 0.1), (0, -0.1)) == 22_239
    assert metres_between((12, 20), (-12, -160)) == math.floor(RADIUS_METRES * math.pi + 0.5)
    # Nashville and Los Angeles, an example of the formula known with a radius of 6,372.8 km.
    known = 2_887_259.95 / 6_372_800 * RADIUS_METRES
    assert abs(metres_between((36.12, -86.67), (33.94, -118.40)) - known) < 1
    assert point_of("48.21, 16.37") == pytest.approx((48.21, 16.37))
    assert point_of({"lat": 91, "lon": 0}) is None


@settings(max_examples=200, deadline=None, database=None)
@given(st.text("ab*?", max_size=8), st.text("ab\n", max_size=8))
def test_patterns_are_shell_patterns(pattern, text):
    wanted = re.match(fnmatch.translate(pattern), text) is not None
    assert matches_glob(pattern, text) == wanted


def test_a_pattern_of_many_stars_is_quick():
    assert not matches_glob("*a" * 300 + "b", "a" * 20_000)


ZONES = ("UTC", "Pacific/Auckland", "America/St_Johns", "Africa/Cairo", "Asia/Kathmandu")


@settings(max_examples=120, deadline=None, database=None)
@given(
    st.datetimes(datetime(2003, 1, 1), datetime(2031, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    st.dates(date(1930, 1, 1), date(2030, 1, 1)) | st.just(date(2000, 2, 29)),
    st.sampled_from(ZONES),
    st.sampled_from([("anniversary", None), ("anniversary_next", 7), ("anniversary_last", 40)]),
)
def test_anniversaries_turn_when_they_say(now, born, zone, which):
    name, days = which
    operator = operators[name](zone=zone, **({} if days is None else {"days": days}))
    today = now.astimezone(zone_of(zone)).date()
    low, high = {"anniversary_next": (0, days), "anniversary_last": (-(days or 0), 0)}.get(
        name, (0, 0)
    )
    near = [today + timedelta(days=step) for step in range(low, high + 1)]

    def kept(year):
        try:
            return born.replace(year=year)
        except ValueError:
            return date(year, 2, 28)

    value = born.isoformat()
    assert operator.matches(value, now) == any(kept(day.year) == day for day in near)
    turn = operator.next_change(value, now)
    assert now < turn <= now + timedelta(days=367)
    for part in (0.0, 0.3, 0.9, 1.0):
        probe = now + (turn - now - timedelta(microseconds=1)) * part
        assert operator.matches(value, probe) == operator.matches(value, now), probe


def test_a_birthday_is_the_day_it_is_written_with(module_db):
    operator = operators["anniversary"](zone="Pacific/Auckland")
    matcher = compile_rule(Check(field="trait.born", is_=operator))
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)  # there the second of March has begun
    for born, holds in [
        ("1990-03-02", True),
        ("1990-03-02T23:30:00-08:00", True),
        ("1990-03-01T23:30:00Z", False),
    ]:
        assert matcher.matches(Subject(traits={"born": born}), noon) is holds, born
    at = datetime(1990, 3, 1, 23, 30, tzinfo=UTC)
    rule = Check(field="profile.first_order_at", is_=operator)
    assert rule.matches(Subject(fields={"first_order_at": at}), noon), "an instant has a zone's day"


@pytest.mark.parametrize(
    "bad",
    [
        {"op": "anniversary", "zone": "Mars/Base"},
        {"op": "anniversary_next", "days": 1.5},
        {"op": "anniversary_last", "days": 400},
        {"op": "near", "lat": 91, "lon": 0, "km": 1},
        {"op": "weekday", "values": ["caturday"]},
        {"op": "length", "low": 3, "high": 2},
        {"op": "within_days_of", "value": "9999-01-01", "days": 10_000},
    ],
)
def test_a_wrong_constant_is_refused_with_the_reason(bad):
    from amity.kernel.errors import Invalid
    from amity.rules import decode_rule

    with pytest.raises(Invalid, match="the rule at is"):
        decode_rule({"node": "check", "field": "trait.x", "is": bad})


def test_an_address_is_found_where_sources_write_it(module_db):
    from amity.rules import conditions, encode_rule
    from amity.testing.rules_world import select_passing

    kind = conditions["lives"]
    found = [
        {"country": "AT"},
        {"address": {"country": "AT"}},
        {"country": None, "address": {"country": "AT"}},
        {"country": "DE", "address": {"country": "AT"}},
        {"address": "AT"},
        {"address": {"country": None}},
        {},
    ]
    people = [Subject(traits=traits) for traits in found]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for operator, wanted in (("eq", [0, 1, 2]), ("missing", [4, 5, 6]), ("ne", [3])):
        values = () if operator == "missing" else ("AT",)
        rule = kind("country", operators[operator](*values))
        assert [i for i, each in enumerate(people) if rule.matches(each, now)] == wanted
        with database.transaction("readonly") as connection:
            assert sorted(select_passing(rule, people, now, connection)) == wanted
        assert encode_rule(rule)["node"] == "lives"
