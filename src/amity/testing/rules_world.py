"""People for the kit of conditions: made at random around a rule, and as rows for its SQL face.

A person is a `Subject`; `select_passing` writes the same facts as relations, so that memory and
SQL are asked about the same people without a table being touched.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import psycopg
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from amity.kernel.clock import format_instant
from amity.rules import (
    PROFILE_FIELDS,
    ActivityTable,
    Catalogue,
    Condition,
    Fragment,
    Group,
    Look,
    PlacedOrder,
    Rating,
    Rule,
    ScoreTable,
    Subject,
    Window,
    column_value,
    encode_rule,
    mentions,
    name_orders,
    sql,
    to_sql,
)
from amity.rules.operator import is_number
from amity.rules.subject import History

_COLUMNS: Final = {"number": "numeric", "instant": "timestamptz", "text": "text"}
_LINE_KEYS: Final = ("product_id", "sku", "category", "brand", "quantity", "price", "cost")
_WORDS: Final = frozenset({"node", "op", "event", "property", "measure", "which", "unit", "zone"})
"""What stands at these names in a rule is never compared with what somebody did."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
_PLAIN: Final = (True, False, 0, 1, 1.0, "1", "", None)
_SEGMENTS: Final = (7, 8)
_DAYS: Final = (0.0, 0.5, 1.0, 7.0, 30.0)

Happened = tuple[str, datetime, dict[str, Any]]


def scalars_of(rule: Rule) -> list[Any]:
    """Return the constants of a rule, and numbers just beside its numbers: what may pass it."""
    found: list[Any] = []
    left: list[Any] = [encode_rule(rule)]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += [each for name, each in value.items() if name not in _WORDS]
        elif isinstance(value, list):
            left += value
        else:
            found.append(value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found += [value - 1, value + 1, value / 2, value + 0.1]
    return found or [""]


def people_about(
    rule: Rule, values: st.SearchStrategy[Any], now: datetime
) -> st.SearchStrategy[Subject]:
    """Generate people who did what the rule looks at: late, twice, at once, in the future."""
    found = mentions(rule)
    likely = st.sampled_from(scalars_of(rule)) | values
    moments = _moments(found.looks, now)
    histories = _Histories(found.looks, scalars_of(rule), now)
    windows = st.builds(Window, st.none() | moments, st.none() | moments)
    anytime = st.lists(moments, max_size=2)
    return st.builds(
        Subject,
        traits=_some(sorted(found.traits), likely),
        fields=_fields(sorted(found.fields), moments),
        consents=st.sets(st.sampled_from(sorted(found.purposes) or ["news"])),
        allowed=_some(sorted(found.purposes), windows),
        segments=st.sets(st.sampled_from(_SEGMENTS)),
        scores=_some(sorted(found.scores), _ratings(scalars_of(rule))),
        together=_some(sorted({kind for kind, _ in found.together}), _groups()),
        orders=st.lists(_orders(scalars_of(rule), moments), max_size=5 if found.orders else 0).map(
            tuple
        ),
        history=st.builds(
            histories.compose, st.integers(0, 2**32), st.lists(values, max_size=4), anytime
        ),
    )


def _some(
    names: Sequence[str], values: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Generate values for some of the names."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


def _fields(
    names: Sequence[str], moments: st.SearchStrategy[datetime]
) -> st.SearchStrategy[dict[str, Any]]:
    """Generate what some of the profile's own fields hold."""
    of_kind: dict[str, st.SearchStrategy[Any]] = {
        "number": st.integers(-3, 40),
        "text": st.sampled_from(["", "FR", "a@shop.example"]),
        "instant": moments,
    }
    return st.fixed_dictionaries(
        {}, optional={name: of_kind[PROFILE_FIELDS[name]] for name in names}
    )


def _ratings(constants: Sequence[Any]) -> st.SearchStrategy[Rating]:
    """Generate scores on the edges that the constants make, and any other."""
    numbers = [float(each) for each in constants if is_number(each)] or [0.0]
    texts = [each for each in constants if isinstance(each, str)] or [""]
    shares = [each for each in numbers if 0 <= each <= 100] or [50.0]
    return st.builds(
        Rating,
        st.none() | st.sampled_from(numbers) | st.floats(-1e6, 1e6),
        st.sampled_from(["", *texts]),
        st.none() | st.sampled_from(shares) | st.floats(0, 100),
    )


def _groups() -> st.SearchStrategy[Group]:
    """Generate households: so many others, of whom some are in each segment."""
    return st.integers(1, 5).flatmap(
        lambda others: st.builds(
            Group,
            st.just(others),
            st.dictionaries(st.sampled_from(_SEGMENTS), st.integers(1, others)),
        )
    )


def _orders(
    constants: Sequence[Any], moments: st.SearchStrategy[datetime]
) -> st.SearchStrategy[PlacedOrder]:
    """Generate orders of amounts on the edges that the constants make, and any other."""
    numbers = [each for each in constants if is_number(each) and 0 <= each <= 1e9]
    edges = st.sampled_from([0, *(round(each * scale) for each in numbers for scale in (1, 100))])
    amounts = edges | st.integers(0, 10**9)
    currencies = [each for each in constants if isinstance(each, str) and _CURRENCY.match(each)]
    return st.builds(
        _order_of, moments, st.sampled_from([*currencies, "USD"]), amounts, amounts, edges
    )


def _order_of(
    at: datetime, currency: str, total_minor: int, refunded_minor: int, items: int
) -> PlacedOrder:
    refunded_minor = min(refunded_minor, total_minor)
    net_minor = total_minor - refunded_minor
    return PlacedOrder(at, currency, total_minor, refunded_minor, net_minor, items)


def _moments(looks: Mapping[str, Look], now: datetime) -> st.SearchStrategy[datetime]:
    """Generate instants on the ends of windows to the microsecond, and any other."""
    plain = now.replace(tzinfo=None)
    anywhere = st.datetimes(plain - timedelta(days=420), plain + timedelta(days=15)).map(
        lambda at: at.replace(tzinfo=UTC)
    )
    return st.sampled_from(_edges(looks, now)) | anywhere


def _edges(looks: Mapping[str, Look], now: datetime) -> list[datetime]:
    days = {*_DAYS, *(look.within_days or 0.0 for look in looks.values())}
    return [
        now - timedelta(days=length, microseconds=step)
        for length in sorted(days)
        for step in (-1, 0, 1)
    ]


class _Histories:
    """Composes histories: to draw every value of theirs by itself would take most of the time."""

    def __init__(self, looks: Mapping[str, Look], constants: list[Any], now: datetime) -> None:
        self._looks = looks
        self._constants = constants
        self._edges = _edges(looks, now)
        self._midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)

    def compose(self, seed: int, odd: list[Any], anytime: list[datetime]) -> History:
        """Return what somebody did: late, twice, at one moment, in the future."""
        rng = random.Random(seed)  # noqa: S311  # made-up people
        pool = [*self._constants, *self._constants, *odd, rng.choice(_PLAIN), rng.choice(_PLAIN)]
        events: list[Happened] = []
        for _ in range(rng.randrange(8)):
            near = [self._near(rng, at) for _, at, _ in events[-1:]]
            events.append(self._happening(rng, pool, [*anytime, *near, *near]))
        history: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
        for name, at, properties in events + events[: rng.choice((0, 0, 2))]:
            history.setdefault(name, []).append((at, properties))
        return history

    def _happening(self, rng: random.Random, pool: list[Any], anytime: list[datetime]) -> Happened:
        name = rng.choice([*sorted(self._looks), *sorted(self._looks), "Something else"])
        wanted = sorted(self._looks[name].properties) if name in self._looks else ["p"]
        properties = {
            key: _lines(rng, pool) if key == "products" else rng.choice(pool)
            for key in wanted
            if rng.random() < 0.8
        }
        return name, self._moment(rng, anytime), properties

    def _near(self, rng: random.Random, at: datetime) -> datetime:
        """Return a moment as far from another as the rule counts days, or nearly."""
        days = [each for each in self._constants if is_number(each) and 0 <= each <= 100]
        step = timedelta(microseconds=rng.randint(-1, 1))
        return at + rng.choice((-1, 1)) * timedelta(days=rng.choice([0, 0.1, *days])) + step

    def _moment(self, rng: random.Random, anytime: list[datetime]) -> datetime:
        """Return an end of a window, an hour that is midnight somewhere, or any other instant."""
        hours = self._midnight - timedelta(
            days=rng.randrange(71), hours=rng.choice((0, 0, 1, 2, 5))
        )
        other = self._midnight - timedelta(days=rng.uniform(-15, 420))
        return rng.choice([rng.choice(self._edges), hours, other, *anytime])


def _lines(rng: random.Random, pool: list[Any]) -> Any:
    """Return the lines of an order, some of them no lines at all."""
    amounts = [0, 1, 2, 3.5, 0.1, 12.99, -1, "2", None, *pool]
    texts = ["a", "b", *pool]
    lines: list[Any] = [
        {
            key: rng.choice(amounts if key in _LINE_KEYS[4:] else texts)
            for key in _LINE_KEYS
            if rng.random() < 0.8
        }
        for _ in range(rng.randrange(4))
    ]
    return rng.choice([lines, lines, lines, [*lines, rng.choice(pool)], rng.choice(pool)])


def trim(subject: Subject, looks: Mapping[str, Look], now: datetime) -> Subject:
    """Leave of a history what a rule asked for, as the follower loads it."""
    history: dict[str, list[tuple[datetime, dict[str, Any]]]] = {}
    for name, look in looks.items():
        since = None if look.within_days is None else now - timedelta(days=look.within_days)
        kept = [
            (at, {key: value for key, value in properties.items() if key in look.properties})
            for at, properties in subject.history.get(name, ())
            if since is None or at > since
        ]
        if kept:
            history[name] = kept
    return msgspec.structs.replace(subject, history=history)


def iter_without_one(subject: Subject) -> Iterator[tuple[str, dict[str, Any], Subject]]:
    """Give every event of a history, and the person as she is without it."""
    for name, happened in subject.history.items():
        for place, (_, properties) in enumerate(happened):
            left = [*happened[:place], *happened[place + 1 :]]
            history = {**subject.history, name: left}
            yield name, dict(properties), msgspec.structs.replace(subject, history=history)


def select_passing(
    rule: Condition, people: Sequence[Subject], now: datetime, connection: psycopg.Connection[Any]
) -> list[int]:
    """Return the places in ``people`` of those the rule's SQL finds."""
    columns = ", ".join(f"{name} {_COLUMNS[kind]}" for name, kind in PROFILE_FIELDS.items())
    found = to_sql(rule, _catalogue(), now)
    profiles = Fragment(
        "SELECT * FROM jsonb_to_recordset(%s) AS r"  # noqa: S608  # columns the program knows
        f"(id bigint, traits jsonb, consents jsonb, allowed jsonb, {columns})",
        (Jsonb([_row_of(place, person) for place, person in enumerate(people)]),),
    )
    query = sql(
        "WITH kit_profile AS ({}), kit_activity AS (SELECT * FROM jsonb_to_recordset({}) AS r"
        "(profile_id bigint, name text, occurred_at timestamptz, properties jsonb)), "
        "kit_member AS (SELECT * FROM jsonb_to_recordset({}) AS r"
        "(profile_id bigint, segment_id bigint)), "
        "kit_score AS (SELECT * FROM jsonb_to_recordset({}) AS r (profile_id bigint, name text, "
        "value double precision, label text, percentile double precision)), "
        "kit_order AS (SELECT * FROM jsonb_to_recordset({}) AS r (profile_id bigint, "
        "placed_at timestamptz, currency text, total_minor bigint, refunded_minor bigint, "
        "net_minor bigint, items bigint)), "
        "kit_pair AS (SELECT * FROM jsonb_to_recordset({}) AS r"
        "(kind text, profile_id bigint, other_id bigint)) {}",
        profiles,
        Jsonb(list(_iter_activities(people))),
        Jsonb(list(_iter_members(people))),
        Jsonb(list(_iter_scores(people))),
        Jsonb(list(_iter_orders(people))),
        Jsonb(list(_iter_pairs(people))),
        found,
    )
    return [row[0] for row in connection.execute(query.encode(), query.params)]


def _row_of(place: int, person: Subject) -> dict[str, Any]:
    fields = {
        name: format_instant(value) if isinstance(value, datetime) else value
        for name, value in person.fields.items()
    }
    return {
        "id": place,
        "traits": dict(person.traits),
        "consents": {purpose: {"status": "granted"} for purpose in person.consents},
        "allowed": {
            purpose: [at and format_instant(at) for at in (window.since, window.until)]
            for purpose, window in person.allowed.items()
        },
        **fields,
    }


def _iter_activities(people: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    for place, person in enumerate(people):
        for name, happened in person.history.items():
            for at, properties in happened:
                yield {
                    "profile_id": place,
                    "name": name,
                    "occurred_at": format_instant(at),
                    "properties": properties,
                }


def _iter_members(people: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    for place, person in enumerate(people):
        for segment_id in person.segments:
            yield {"profile_id": place, "segment_id": segment_id}
        for kind, group in person.together.items():
            for segment_id, count in group.members.items():
                for number in range(count):
                    other_id = _other_id(place, kind, number)
                    yield {"profile_id": other_id, "segment_id": segment_id}


def _iter_pairs(people: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    """Give each person with the others of each group, the first of them twice, as by two facts."""
    for place, person in enumerate(people):
        for kind, group in person.together.items():
            for number in (0, *range(group.others)):
                other_id = _other_id(place, kind, number)
                yield {"kind": kind, "profile_id": place, "other_id": other_id}


def _other_id(place: int, kind: str, number: int) -> int:
    return 1000 * (place + 1) + 100 * (kind == "company") + number


def _iter_orders(people: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    for place, person in enumerate(people):
        for order in person.orders:
            values = msgspec.structs.asdict(order)
            yield values | {"profile_id": place, "placed_at": format_instant(order.placed_at)}


def _iter_scores(people: Sequence[Subject]) -> Iterator[dict[str, Any]]:
    for place, person in enumerate(people):
        for name, rating in person.scores.items():
            yield {"profile_id": place, "name": name, **msgspec.structs.asdict(rating)}


def _catalogue() -> Catalogue:
    return Catalogue(
        profiles=Fragment("kit_profile AS p"),
        profile_id=Fragment("p.id"),
        condition=Fragment("true"),
        traits=Fragment("p.traits"),
        consents=Fragment("p.consents"),
        may_use=_may_use,
        fields={
            name: column_value(Fragment(f"p.{name}"), kind) for name, kind in PROFILE_FIELDS.items()
        },
        activity=ActivityTable(
            relation=Fragment("kit_activity AS a"),
            profile_id=Fragment("a.profile_id"),
            name=Fragment("a.name"),
            occurred_at=Fragment("a.occurred_at"),
            properties=Fragment("a.properties"),
        ),
        members="SELECT m.profile_id FROM kit_member AS m WHERE m.segment_id = {}",
        together=_together,
        orders=name_orders("SELECT * FROM kit_order"),
        scores=ScoreTable(
            relation=Fragment("kit_score AS s"),
            profile_id=Fragment("s.profile_id"),
            name=Fragment("s.name"),
            faces={
                "value": column_value(Fragment("s.value"), "number"),
                "label": column_value(Fragment("s.label"), "text"),
                "percentile": column_value(Fragment("s.percentile"), "number"),
            },
        ),
    )


def _together(kind: str, among: Fragment | None, at_least: int) -> Fragment:
    pairs = sql("SELECT t.profile_id, t.other_id FROM kit_pair AS t WHERE t.kind = {}", kind)
    if among is not None:
        pairs = sql("{} AND t.other_id IN ({})", pairs, among)
    return sql(
        "SELECT g.profile_id FROM ({}) AS g GROUP BY 1 HAVING count(DISTINCT g.other_id) >= {}",
        pairs,
        at_least,
    )


def _may_use(purpose: str, now: datetime) -> Fragment:
    """Return the kit's own gate: the windows of `Subject.allowed`, kept beside each person."""
    window = sql("(p.allowed -> {}::text)", purpose)
    return sql(
        "({} IS NOT NULL AND coalesce(({} ->> 0)::timestamptz <= {}, true) "
        "AND coalesce({} < ({} ->> 1)::timestamptz, true))",
        window,
        window,
        now,
        now,
        window,
    )
