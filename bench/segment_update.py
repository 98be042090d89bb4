"""What an event costs the segments it concerns, as the customers become more.

Run with `python -m bench segment_update`. Twenty segments count an event each, under windows and
conditions; ten thousand, a hundred thousand and a million customers have five events each,
of some much more often than of others.

In memory: the book is asked whom an event concerns, and these rules are asked about the customer.
Durable: the follower's turn as the worker takes it, from activities in PostgreSQL to memberships,
timers and events in PostgreSQL; its floor upserts one row of a counter a customer in one statement
and knows no rules. The peer of both is asking one segment's rule of everybody again. Rebuilding a
segment over ten million events in the warehouse is held against the query one would write for that
rule by hand. Each must give the answer of the others before its time counts.

Goals: with a hundred times the customers at most 2 times the time in memory and 2.5 durable, at
least 0.4 times the floor, a rebuild at most 3 times the query by hand.
"""

import gc
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import psycopg

from amity.analysis import api as analysis
from amity.analysis.logic.batch.engines import DUCKDB
from amity.analysis.logic.following_book import Book
from amity.analysis.logic.following_changes import Changes
from amity.analysis.logic.following_evaluation import ProfileTurn
from amity.analysis.logic.segments_catalogue import make_catalogue
from amity.infra import database
from amity.rules import Subject, decode_rule, mentions, sql, to_sql
from amity.store.contracts import Activity
from bench import outgrow
from bench.collector import installation
from bench.harness import Goal, Rounds, Sample, interleave, show, summary

SIZES = (10_000, 100_000, 1_000_000)
NAMES = [f"Event {i}" for i in range(20)]
EVENTS_EACH = 5
DAYS = 60
TURN = 4_000  # as the follower takes them when many wait
IN_MEMORY = 20_000
REBUILD_EVENTS = 10_000_000
_FIRST_EVENT = 10**10  # event ids that are nobody's id

_SETUP = """
SELECT setseed(0.5);
INSERT INTO store_profile (id, user_id, first_seen_at, last_seen_at, version)
SELECT i, 'u' || i, %(now)s - interval '90 days', %(now)s, 0 FROM generate_series(1, %(size)s) i;
INSERT INTO store_activity (position, profile_id, origin_id, event_id, xid, source_id, occurred_at,
    received_at, type, name, properties)
SELECT i, 1 + (i - 1) %% %(size)s::bigint, 1 + (i - 1) %% %(size)s::bigint, %(first)s + i, '1', 2,
       %(now)s - (floor(random() * %(days)s) + 0.5 + random() / 4) * interval '1 day',
       %(now)s, 'track',
       'Event ' || floor(20 * random() ^ 3)::int,
       jsonb_build_object('amount', round((random() * 100)::numeric, 2))
FROM generate_series(1, %(size)s::bigint * %(each)s) i;
UPDATE store_consumer SET position = %(size)s::bigint * %(each)s;
CREATE TABLE bench_counter (profile_id bigint PRIMARY KEY, times bigint NOT NULL,
    last_at timestamptz NOT NULL, total numeric NOT NULL);
INSERT INTO bench_counter SELECT i, 1, %(now)s, 0 FROM generate_series(1, %(size)s) i;
GRANT ALL ON bench_counter TO amity_app
"""
_MEMBERS = """INSERT INTO analysis_membership (segment_id, profile_id, entered_at)
SELECT {}, f.id, {} FROM ({}) f"""
# None comes due while this runs: ages lie half a day from the edges of windows.
_TIMERS = """
INSERT INTO analysis_timer (segment_id, profile_id, due_at)
SELECT DISTINCT ON (profile_id) %(segment_id)s::integer, profile_id,
       %(now)s + (1 + random() * 6) * interval '1 day'
FROM store_activity WHERE name = ANY(%(names)s) AND occurred_at > %(now)s - interval '30 days'
"""
# Past weeks are counted when there is nothing else to do, and that is another story.
_LIVE = """
UPDATE analysis_segment SET state = 'live', weeks_reconstructed = 26, members = (
    SELECT count(*) FROM analysis_membership WHERE segment_id = %(segment_id)s AND left_at IS NULL)
WHERE id = %(segment_id)s
"""
_HAPPEN = """
INSERT INTO store_activity (position, profile_id, origin_id, event_id, xid, source_id, occurred_at,
    received_at, type, name, properties)
SELECT p.position + d.i, d.profile_id, d.profile_id, %(first)s + p.position + d.i, '1', 2, %(now)s,
       %(now)s, 'track', d.name, jsonb_build_object('amount', d.amount)
FROM unnest(%(ids)s::bigint[], %(names)s::text[], %(amounts)s::numeric[])
     WITH ORDINALITY AS d (profile_id, name, amount, i),
     (SELECT position FROM store_consumer WHERE name = 'profiles') p
"""
_TOLD = "UPDATE store_consumer SET position = position + %s WHERE name = 'profiles'"
_FLOOR = """
INSERT INTO bench_counter (profile_id, times, last_at, total)
SELECT d.profile_id, 1, %s, d.amount
FROM unnest(%s::bigint[], %s::numeric[]) AS d (profile_id, amount)
ON CONFLICT (profile_id) DO UPDATE SET times = bench_counter.times + 1,
    last_at = EXCLUDED.last_at, total = bench_counter.total + EXCLUDED.total
"""
_BY_HAND = """
SELECT origin_id FROM events
WHERE occurred_at > TIMESTAMPTZ '{since}' AND occurred_at <= TIMESTAMPTZ '{now}'
  AND name IN ('Product Viewed', 'Order Completed')
GROUP BY 1 HAVING count(*) FILTER (name = 'Product Viewed') >= 3
  AND count(*) FILTER (name = 'Order Completed') = 0
"""
_Happening = list[tuple[int, str, float]]


def _vacuum() -> None:
    with psycopg.connect(database.conninfo("owner"), autocommit=True) as connection:
        connection.execute(
            "VACUUM ANALYZE store_profile, store_activity, analysis_membership, analysis_timer, "
            "bench_counter"
        )


@contextmanager
def _measured() -> Iterator[list[float]]:
    """Give what the block takes: seconds, and processor time of this process and PostgreSQL's."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    )
    with psycopg.connect(database.conninfo("owner")) as connection:
        found = connection.execute(query, [database.database_name()]).fetchall()
        own = connection.info.backend_pid
    paths = [Path(f"/proc/{pid}/schedstat") for (pid,) in found if pid != own]

    def spent() -> float:
        theirs = sum(int(path.read_text().split()[0]) for path in paths if path.exists())
        return time.process_time() + theirs / 1e9

    measured: list[float] = []
    cpu, began = spent(), time.perf_counter()
    yield measured
    measured += [time.perf_counter() - began, spent() - cpu]


def make_rules() -> list[dict]:
    """Return rules of one or two conditions, one for each event: of an amount, often, lately."""
    rng = random.Random(5)
    dear = [{"property": "amount", "is": {"op": "gte", "value": 50}}]
    rules = []
    for number, name in enumerate(NAMES):
        did = {"node": "did", "event": name}
        absent = {"node": "did", "event": rng.choice(NAMES), "at_most": 0, "within_days": 30}
        kinds = (
            {"node": "all", "of": [did | {"where": dear}, absent]},
            did | {"at_least": 2, "within_days": 30},
            did | {"where": dear},
            did | {"within_days": 7},
        )
        rules.append(kinds[number % len(kinds)])
    return rules


def pick(rng: random.Random) -> str:
    """Return the name of an event: the first of them happens most."""
    return NAMES[int(len(NAMES) * rng.random() ** 3)]


def happen(rng: random.Random, size: int, count: int) -> _Happening:
    """Return so many events, each of another customer where there are enough."""
    ids = rng.sample(range(1, size + 1), min(count, size))
    return [(each, pick(rng), round(rng.random() * 100, 2)) for each in ids]


class Kept:
    """A database with so many customers, whose segments are filled."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self._rng = random.Random(size)
        self.enter()
        now = datetime.now(UTC)
        values = {"now": now, "size": size, "each": EVENTS_EACH, "days": DAYS}
        with psycopg.connect(database.conninfo("owner")) as connection:
            for statement in _SETUP.split(";\n"):
                connection.execute(statement, values | {"first": _FIRST_EVENT})
        _vacuum()
        self.rules = {
            analysis.create_segment(
                name=f"Segment {number}", rule=rule, description="", by="bench", now=now
            ).segment_id: rule
            for number, rule in enumerate(make_rules())
        }
        self._fill(now)
        _vacuum()

    def _fill(self, now: datetime) -> None:
        """Fill the segments, without an event for each of millions of members."""
        catalogue = make_catalogue({})
        with database.transaction("owner") as connection:
            for segment_id, rule in self.rules.items():
                decoded = decode_rule(rule)
                found = to_sql(decoded, catalogue, now)
                query = sql(_MEMBERS, segment_id, now, found)
                connection.execute(query.encode(), query.params)
                found = mentions(decoded)
                if found.is_timed:
                    about = {"segment_id": segment_id, "names": [*found.events], "now": now}
                    connection.execute(_TIMERS, about)
                connection.execute(_LIVE, {"segment_id": segment_id})

    def enter(self) -> None:
        """Go on with this database."""
        if database.database_name() != self.name:
            database.use_database(self.name)

    def _follow(self) -> None:
        while analysis.follow_batch(now=datetime.now(UTC), limit=TURN).events:
            pass

    def _happen(self) -> _Happening:
        events = happen(self._rng, self.size, TURN)
        ids, names, amounts = (list(column) for column in zip(*events, strict=True))
        with database.transaction("owner") as connection:
            values = {"now": datetime.now(UTC), "first": _FIRST_EVENT, "ids": ids}
            connection.execute(_HAPPEN, values | {"names": names, "amounts": amounts})
            connection.execute(_TOLD, [len(events)])
        return events

    def follow(self) -> Sample:
        """Let a turn's worth of events happen and take the follower's turn."""
        self.enter()
        self._follow()  # what has come due, and a connection
        events = self._happen()
        with _measured() as measured:
            done = analysis.follow_batch(now=datetime.now(UTC), limit=TURN).events
        assert done >= len(events), f"{done} of {len(events)} followed"
        return Sample(len(events), *measured)

    def upsert(self) -> Sample:
        """Count the same number of events in one row a customer."""
        self.enter()
        events = happen(self._rng, self.size, TURN)
        ids, amounts = [each[0] for each in events], [each[2] for each in events]
        now = datetime.now(UTC)
        with database.transaction() as connection:
            connection.execute("SELECT 1")
        with _measured() as measured, database.transaction() as connection:
            connection.execute(_FLOOR, [now, ids, amounts])
        return Sample(len(events), *measured)

    def rescan(self) -> Sample:
        """Ask one segment's rule of everybody."""
        self.enter()
        rule = self.rules[min(self.rules)]
        began = time.perf_counter()
        self._count(rule)
        return Sample(1, time.perf_counter() - began)

    def _count(self, rule: dict) -> int:
        query = sql(
            "SELECT count(*) FROM ({}) f",
            to_sql(decode_rule(rule), make_catalogue({}), datetime.now(UTC)),
        )
        with database.transaction("owner") as connection:
            connection.execute("SET LOCAL jit = off")
            return connection.execute(query.encode(), query.params).fetchone()[0]

    def check(self) -> int:
        """Hold every membership against its rule asked of everybody; return how many there are."""
        self.enter()
        self._follow()
        found = 0
        for segment_id, rule in self.rules.items():
            members = analysis.get_segment(segment_id=segment_id).members
            assert members == self._count(rule), rule
            found += members
        return found


class Memory:
    """The same customers in memory, and the same segments."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._rng = random.Random(size)
        self.now = datetime.now(UTC)
        rows = [(i, f"Segment {i}", rule, "live") for i, rule in enumerate(make_rules(), 1)]
        self.book = Book(rows, {})
        amounts = [{"amount": round(i / 10, 2)} for i in range(1000)]
        rng = random.Random(7)
        self.subjects = [Subject()]
        for profile_id in range(1, size + 1):
            history: dict = {}
            for _ in range(EVENTS_EACH):
                at = self.now - timedelta(days=rng.randrange(DAYS) + 0.5)
                history.setdefault(pick(rng), []).append((at, rng.choice(amounts)))
            self.subjects.append(Subject(profile_id=profile_id, segments=set(), history=history))
        self.position = 0
        for subject in self.subjects[1:]:
            concerned = {
                segment_id
                for name, happened in subject.history.items()
                for _, properties in happened
                for segment_id in self.book.index.list_counting(name, properties)
            }
            turn = ProfileTurn(self.book, Changes(self.now), self.now, "event", {})
            turn.ask(subject.profile_id, subject, subject.segments, concerned)

    def _activities(self) -> list[Activity]:
        found = []
        rng = self._rng
        for profile_id in rng.choices(range(1, self.size + 1), k=IN_MEMORY):
            self.position += 1
            found.append(
                Activity(
                    position=self.position,
                    profile_id=profile_id,
                    event_id=_FIRST_EVENT + self.position,
                    source_id=2,
                    occurred_at=self.now,
                    received_at=self.now,
                    type="track",
                    name=pick(rng),
                    properties={"amount": round(rng.random() * 100, 2)},
                    context={},
                    origin_id=profile_id,
                )
            )
        return found

    def follow(self) -> Sample:
        """Take events one by one: note it, find whom it concerns, ask."""
        activities = self._activities()
        changes = Changes(self.now)
        later: dict[int, set[int]] = {}
        subjects, book, now = self.subjects, self.book, self.now
        began = time.perf_counter()
        for activity in activities:
            subject = subjects[activity.profile_id]
            held = subject.history.setdefault(activity.name, [])
            held.append((activity.occurred_at, activity.properties))
            concerned = book.list_concerned(activity)
            if concerned:
                turn = ProfileTurn(book, changes, now, "event", later)
                turn.ask(activity.profile_id, subject, subject.segments, concerned)
        return Sample(len(activities), time.perf_counter() - began)

    def check(self) -> int:
        """Hold every membership against its rule read plainly; return how many there are."""
        found = 0
        for segment_id, followed in self.book.segments.items():
            rule = followed.matcher.rule
            for subject in self.subjects[1:2_000]:
                assert rule.matches(subject, self.now) == (segment_id in subject.segments), rule
            found += sum(segment_id in subject.segments for subject in self.subjects)
        return found


class Rebuilt:
    """One segment over so many events in the warehouse, and the query one would write by hand."""

    def __init__(self, folder: Path, events: int) -> None:
        outgrow.make(folder, events)
        self._connection = duckdb.connect(config={"threads": 2})
        self._connection.execute("SET TimeZone = 'UTC'")
        for statement in DUCKDB.prelude:
            self._connection.execute(statement)
        for path in folder.glob("*.parquet"):
            self._connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
        since = outgrow.NOW - timedelta(days=30)
        self._queries = {
            "ours": outgrow.questions()["rule"],
            "by hand": f"SELECT count(*) FROM ({_BY_HAND.format(since=since, now=outgrow.NOW)})",
        }
        answers = {self._ask(name) for name in self._queries}
        assert len(answers) == 1, f"the answers differ: {answers}"

    def _ask(self, name: str) -> int:
        row = self._connection.execute(self._queries[name]).fetchone()
        assert row is not None
        return int(row[0])

    def turn(self, name: str) -> Callable[[], Sample]:
        """Return a contender."""

        def ask() -> Sample:
            began = time.perf_counter()
            self._ask(name)
            return Sample(1, time.perf_counter() - began)

        return ask


def slope(times: dict[int, float]) -> float:
    """Return the slope of the logarithms of time over size, by least squares."""
    points = [(math.log(size), math.log(taken)) for size, taken in times.items()]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return over / sum((x - mean_x) ** 2 for x, _ in points)


@contextmanager
def databases(sizes: tuple[int, ...]) -> Iterator[dict[int, Kept]]:
    """Run a server with a database of each size."""
    with installation() as server:
        first = database.database_name()
        database.close_pools()
        with psycopg.connect(
            server.conninfo("amity_owner", database="postgres"), autocommit=True
        ) as owner:
            for size in sizes:
                owner.execute(f"CREATE DATABASE amity_bench_{size} TEMPLATE {first}")
        try:
            yield {size: Kept(f"amity_bench_{size}", size) for size in sizes}
        finally:
            database.use_database(first)


def _growth(found: Rounds, kind: str, sizes: tuple[int, ...]) -> tuple[float, float]:
    """Return how many times longer the largest takes than the smallest, and the slope."""
    times = {size: 1 / found.median(f"{kind} {size:,}", _rate) for size in sizes}
    ratio = found.ratio(f"{kind} {sizes[0]:,}", f"{kind} {sizes[-1]:,}", _rate)["median"]
    return ratio, slope(times)


def _rate(sample: Sample) -> float:
    return sample.rate


def in_memory(sizes: tuple[int, ...], rounds: int) -> dict:
    """Measure one event for its customer in memory."""
    worlds = {size: Memory(size) for size in sizes}
    gc.collect()
    gc.freeze()
    try:
        members = {size: world.check() for size, world in worlds.items()}
        assert all(members.values()), members
        found = interleave({f"memory {s:,}": world.follow for s, world in worlds.items()}, rounds)
        for world in worlds.values():
            world.check()
    finally:
        gc.unfreeze()
    grown, inclined = _growth(found, "memory", sizes)
    goals = [
        Goal(f"in memory: {sizes[-1]:,} : {sizes[0]:,} customers", grown, 2, at_least=False),
        Goal("in memory: slope", inclined, 0.15, at_least=False),
    ]
    show("segment update, in memory", found, goals)
    return summary("segment update, in memory", found, goals)


def durable(sizes: tuple[int, ...], rounds: int) -> dict:
    """Measure the follower's turn beside the floor, for each number of customers."""
    with databases(sizes) as kept:
        for world in kept.values():
            world.follow()
            assert world.check(), "nobody is in any segment"
        contenders = {}
        for size, world in kept.items():
            contenders[f"follower {size:,}"] = world.follow
            contenders[f"upsert {size:,}"] = world.upsert
            contenders[f"one re-scan {size:,}"] = world.rescan
        found = interleave(contenders, rounds)
        for world in kept.values():
            world.check()
    grown, inclined = _growth(found, "follower", sizes)
    goals = [
        Goal(f"durable: {sizes[-1]:,} : {sizes[0]:,} customers", grown, 2.5, at_least=False),
        Goal("durable: slope", inclined, 0.2, at_least=False),
    ]
    for size in sizes:
        share = found.ratio(f"follower {size:,}", f"upsert {size:,}", _rate)["median"]
        goals.append(Goal(f"durable, {size:,}: part of the upsert's rate", share, 0.4))
    show("segment update, durable", found, goals)
    return summary("segment update, durable", found, goals)


def rebuilt(events: int, rounds: int) -> dict:
    """Measure one segment anew over the whole warehouse."""
    with tempfile.TemporaryDirectory(prefix="amity-bench-") as folder:
        world = Rebuilt(Path(folder), events)
        found = interleave({name: world.turn(name) for name in ("ours", "by hand")}, rounds)
    slower = found.ratio("by hand", "ours", _rate)["median"]
    goals = [Goal(f"rebuild over {events:,} events : by hand", slower, 3, at_least=False)]
    show("one segment anew, warehouse", found, goals)
    return summary("one segment anew, warehouse", found, goals)


def run(rounds: int = 7, sizes: tuple[int, ...] = SIZES, events: int = REBUILD_EVENTS) -> dict:
    """Measure all three and return what was found."""
    parts = [
        rebuilt(events, rounds),
        in_memory(sizes, rounds),
        durable(sizes, rounds),
    ]
    goals = [goal for part in parts for goal in part["goals"]]
    return {"workload": "segment_update", "parts": parts, "goals": goals}
