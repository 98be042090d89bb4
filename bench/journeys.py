"""Steps of journeys: a turn of the consumer beside one row at a time, and beside bare SQL.

Run with `python -m bench journeys`. People stand in a journey of wait, branch, e-mail and wait
again; of 10,000 and of 100,000 enrolled some thousands come due at once. One step takes somebody
from one wait to the next: the branch is asked, the message is written into the ledger, the counts
are kept. "One by one" does the same with the same pure step, each in a transaction of its own.
"Bare SQL" moves as many rows and writes as many messages in set-wise statements that know
nothing of people, rules or drawings. Goals: at least 10 times one by one, at least 0.3 times bare
SQL, and a step among 100,000 enrolled costs at most 1.5 times one among 10,000.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from amity.analysis import api as analysis
from amity.broadcast import api_journeys
from amity.broadcast.logic.journeys.enrolling_book import Book, Drawing
from amity.broadcast.logic.journeys.enrolling_messages import make_sends
from amity.broadcast.logic.journeys.enrolling_runs import Ledger, read_run
from amity.broadcast.logic.journeys.stepping import step
from amity.broadcast.logic.sending import ledger
from amity.infra import config, database, postgres, queries
from amity.infra.crypto import installation_secrets
from bench.harness import Goal, Sample, interleave, show, summary

SIZES = (10_000, 100_000)
DUE = 4_000
DUE_ONE_BY_ONE = 150
LIMIT = 2_000

SETUP = """
TRUNCATE broadcast_journey, broadcast_journey_version, broadcast_enrolment, broadcast_step_count,
         broadcast_send, broadcast_template, broadcast_content, store_profile;
INSERT INTO store_profile (id, email, user_id, first_seen_at, last_seen_at, version)
SELECT i, 'u' || i || '@shop.example', 'u' || i, now(), now(), 0
FROM generate_series(1, {size}) i;
INSERT INTO broadcast_content (class, subject, source, html, text)
VALUES ('marketing', 'Still yours', '-', '-', '-');
INSERT INTO broadcast_template (name, content_id) SELECT 'Reminder', max(id) FROM broadcast_content;
"""
ENROL = """
INSERT INTO broadcast_enrolment (journey_id, version, profile_id, origin_id, entry_position,
    entered_at, entry, node, state, due_at)
SELECT {journey_id}, 1, i, i, i, now() - interval '1 hour', '{{"product_id": "p1"}}', 'pause',
       jsonb_build_object('arrived_at', '2026-01-01T00:00:00Z', 'visits', '{{"pause": 1}}'::jsonb),
       now() + interval '30 days'
FROM generate_series(1, {size}) i;
CREATE TABLE IF NOT EXISTS bench_order (place serial PRIMARY KEY, id bigint);
TRUNCATE bench_order RESTART IDENTITY;
INSERT INTO bench_order (id) SELECT id FROM broadcast_enrolment ORDER BY random();
"""
# The people to come due are taken round the whole table, so no round finds warm what the last left.
MAKE_DUE = """
UPDATE broadcast_enrolment SET due_at = now() - interval '1 second'
WHERE id IN (SELECT id FROM bench_order WHERE place > %s AND place <= %s)
"""
ONE = """
SELECT id, journey_id, version, profile_id, origin_id, entry_position, entered_at, entry, node,
       state, due_at
FROM broadcast_enrolment WHERE journey_id = %s AND ended_at IS NULL AND due_at <= now()
ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
BARE = """
WITH due AS (
    SELECT id, profile_id FROM broadcast_enrolment
    WHERE journey_id = %(journey_id)s AND ended_at IS NULL AND due_at <= now()
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), sent AS (
    INSERT INTO broadcast_send (run_kind, run_id, step_key, contact_point, profile_id, class,
        purpose, content_id, variables, state, not_before, not_after)
    SELECT 'journey', %(journey_id)s, id || ':bare:' || %(turn)s::text, 'profile:' || profile_id,
           profile_id, 'marketing', 'marketing.email', 1, '{"event": {"product_id": "p1"}}',
           'queued', now(), now() + interval '24 hours'
    FROM due ON CONFLICT DO NOTHING
)
UPDATE broadcast_enrolment e
SET node = 'pause', due_at = now() + interval '30 days', state = e.state || '{"a": 1}'
FROM due WHERE e.id = due.id
"""
_SQL = queries.load("amity.broadcast")


class World:
    """A journey with so many people in it, and three ways to move those who are due."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._place = 0
        self._turn = 0
        with database.transaction("owner") as connection:
            connection.execute(SETUP.format(size=size))
            template_id = connection.execute("SELECT max(id) FROM broadcast_template").fetchone()[0]
        now = datetime.now(UTC)
        made = api_journeys.create_journey(
            name="Bench",
            definition={
                "entry": {"event": "Product Added"},
                "exit": {"event": "Order Completed"},
                "start": "pause",
                "nodes": {
                    "pause": {"kind": "wait", "days": 30, "next": "ordered?"},
                    "ordered?": {"kind": "branch", "did": "Order Completed", "no": "mail"},
                    "mail": {"kind": "email", "template_id": template_id, "next": "pause"},
                },
            },
            by="bench",
            now=now,
        )
        self.journey_id = made.journey_id
        api_journeys.set_journey_state(
            journey_id=self.journey_id, state="live", by="bench", now=now
        )
        with database.transaction("owner") as connection:
            connection.execute(ENROL.format(size=size, journey_id=self.journey_id))
        with database.transaction("owner") as connection:
            connection.execute("ANALYZE broadcast_enrolment, store_profile, bench_order")

    def _make_due(self, count: int) -> None:
        if self._place + count > self.size:
            self._place = 0
        with database.transaction("owner") as connection:
            done = connection.execute(MAKE_DUE, [self._place, self._place + count])
            assert done.rowcount == count
        self._place += count

    def _count_sends(self) -> int:
        with database.transaction() as connection:
            return connection.execute("SELECT count(*) FROM broadcast_send").fetchone()[0]

    @contextmanager
    def _expecting(self, count: int) -> Iterator[None]:
        """Everybody due has moved, and each has one message: nobody two, nobody none."""
        self._make_due(count)
        before = self._count_sends()
        yield
        assert self._count_sends() - before == count
        with database.transaction() as connection:
            left = connection.execute(
                "SELECT count(*) FROM broadcast_enrolment WHERE due_at <= now()"
            ).fetchone()[0]
        assert left == 0

    def in_turns(self) -> Sample:
        """Step as the worker does."""
        with self._expecting(DUE):
            began, cpu = time.perf_counter(), time.process_time()
            while api_journeys.step_batch(now=datetime.now(UTC), limit=LIMIT).events:
                pass
            taken = time.perf_counter() - began
            cpu = time.process_time() - cpu
        return Sample(operations=DUE, seconds=taken, cpu_seconds=cpu)

    def one_by_one(self) -> Sample:
        """Select one, step it, write it, commit."""
        with self._expecting(DUE_ONE_BY_ONE):
            with database.transaction() as connection:
                drawing = Book(connection).find(self.journey_id, 1)
            began, cpu = time.perf_counter(), time.process_time()
            while self._step_one(drawing):
                pass
            taken = time.perf_counter() - began
            cpu = time.process_time() - cpu
        return Sample(operations=DUE_ONE_BY_ONE, seconds=taken, cpu_seconds=cpu)

    def _step_one(self, drawing: Drawing) -> bool:
        now = datetime.now(UTC)
        with database.transaction() as connection:
            row = connection.execute(ONE, [self.journey_id]).fetchone()
            if row is None:
                return False
            run = read_run(row, drawing, row[3])
            looks = drawing.asking["pause"][0].looks(1)
            subject = analysis.load_subjects(
                connection=connection, profile_ids=[run.profile_id], looks=looks, now=now
            )[run.profile_id]
            changes = Ledger()
            changes.take(run, step(drawing.definition, run.state, None, now=now, subject=subject))
            changes.write(connection, now)
            planned = [(run, action) for action in run.actions]
            ledger.queue_sends(connection, make_sends(connection, planned, now))
        return True

    def in_bare_sql(self) -> Sample:
        """Move rows and write messages, and nothing else."""
        with self._expecting(DUE):
            began = time.perf_counter()
            moved = 1
            while moved:
                self._turn += 1
                with database.transaction() as connection:
                    moved = connection.execute(
                        BARE,
                        {"journey_id": self.journey_id, "limit": LIMIT, "turn": self._turn},
                    ).rowcount
            taken = time.perf_counter() - began
        return Sample(operations=DUE, seconds=taken)


def run(rounds: int = 7) -> dict:
    """Measure both sizes and return what was found."""
    with (
        tempfile.TemporaryDirectory(prefix="amity-bench-", ignore_cleanup_errors=True) as folder,
        config.override(data=folder, disk_reserve_bytes=0),
    ):
        server = postgres.EmbeddedPostgres(config.settings().data, installation_secrets())
        server.start()
        try:
            from amity.site.migrate import migrate

            migrate()
            return _measure(rounds)
        finally:
            database.close_pools()
            server.stop()


def _measure(rounds: int) -> dict:
    found = {}
    for size in SIZES:
        world = World(size)
        world.in_turns()  # connections, plans
        contenders = {
            "in turns": world.in_turns,
            "one by one": world.one_by_one,
            "bare SQL": world.in_bare_sql,
        }
        found[size] = interleave(contenders, rounds)
    rate = lambda sample: sample.rate  # noqa: E731
    small, large = (found[size] for size in SIZES)
    goals = []
    for size, result in found.items():
        times = result.ratio("in turns", "one by one", rate)["median"]
        share = result.ratio("in turns", "bare SQL", rate)["median"]
        goals.append(Goal(f"{size:,} enrolled: times one by one", times, 10))
        goals.append(Goal(f"{size:,} enrolled: part of bare SQL", share, 0.3))
    slower = small.median("in turns", rate) / large.median("in turns", rate)
    goals.append(Goal("a step among 100,000 : among 10,000", slower, 1.5, at_least=False))
    show(f"journeys, {SIZES[0]:,} enrolled, {DUE:,} due", small, goals[:2])
    show(f"journeys, {SIZES[1]:,} enrolled, {DUE:,} due", large, goals[2:])
    result = summary("journeys", large, goals)
    return result | {"rates_at_10k": {n: small.median(n, rate) for n in small.samples}}
