"""Clocks that jump under Amity: nothing is early, nothing doubled, no lease stolen (T4).

The worker and the senders run with a library that fakes the time of the machine. In a long
run the database's clock jumps as well; then early and late mean nothing, but nothing is doubled.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.broadcast import api_journeys
from amity.broadcast.logic.sending import fence
from amity.infra import config
from amity.infra.database import transaction
from amity.store import api as store
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.jumping_clock import JumpingClock, find_library
from amity.testing.mailing import count_states, make_campaign, make_content, make_people, queue
from amity.testing.post_office import PostOffice, wait_until

ROUNDS = chaos_number("CLOCK_ROUNDS", 1)
HOUR, DAY = 3600, 86_400
JUMPS = [1, -1, HOUR, -HOUR, 25 * HOUR, -25 * HOUR, 30 * DAY, -30 * DAY]
PEOPLE = 12
MAILS = 30
LATE_SECONDS = 60
pytestmark = pytest.mark.timeout(360 + 60 * ROUNDS)


@pytest.fixture(scope="module")
def library():
    found = find_library()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no libfaketime here: in CI clocks must jump (scripts/servers.sh)")
        pytest.skip("no libfaketime here; install the package faketime to let clocks jump")
    return found


@pytest.fixture
def clock(library, tmp_path):
    folder = tmp_path / "time"
    folder.mkdir()
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    return JumpingClock(library, folder)


@pytest.fixture
def office(tmp_path, template):
    made = PostOffice(tmp_path, send_retry_seconds=0.3, send_lease_seconds=60)
    made.template = template
    with made.entered():
        yield made
        made.stop()


def ask(text, *values):
    with transaction() as connection:
        return connection.execute(text, values).fetchall()


def make_journey(name, event, seconds):
    """Whoever does something waits, and is sent a message."""
    (template_id,) = ask("SELECT id FROM broadcast_template LIMIT 1")[0]
    made = api_journeys.create_journey(
        name=name,
        definition={
            "entry": {"event": event},
            "start": "pause",
            "nodes": {
                "pause": {"kind": "wait", "seconds": seconds, "next": "mail"},
                "mail": {"kind": "email", "template_id": template_id, "next": ""},
            },
        },
        by="test",
        now=datetime.now(UTC),
    )
    api_journeys.set_journey_state(
        journey_id=made.journey_id, state="live", by="test", now=datetime.now(UTC)
    )
    return made.journey_id


def prepare():
    """Messages due now and in an hour; two journeys; a consent that holds for a day."""
    fence.arm_new_installation(now=datetime.now(UTC))
    with transaction() as connection:
        content = make_content(connection)
        connection.execute(
            "INSERT INTO broadcast_template (name, content_id) VALUES ('Hello', %s)", [content]
        )
        make_campaign(connection)
        numbers = range(100_001, 100_001 + MAILS)
        make_people(connection, range(100_001, 100_011 + MAILS))
        queue(connection, numbers, content)
        later = datetime.now(UTC) + timedelta(hours=1)
        queue(
            connection, range(100_001 + MAILS, 100_011 + MAILS), content,
            not_before=later, not_after=later + timedelta(days=60),
        )  # fmt: skip
    return make_journey("Soon", "Soon", 1), make_journey("Late", "Late", 6 * HOUR)


def begin_journeys():
    source_id = store.create_source(name="Shop", kind="server").source_id
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    consent = {"categoryPreferences": {"marketing.email": True}, "expires_at": until}
    events = []
    for number in range(PEOPLE):
        bodies = [
            {"type": "identify", "traits": {"email": f"j{number}@x.example"}},
            {"event": "Segment Consent Preference Updated", "properties": consent},
            {"event": "Soon"},
            {"event": "Late"},
        ]
        events += [
            msgspec.json.encode({"type": "track", "userId": f"u{number}"} | body) for body in bodies
        ]
    store.append_events(source_id=source_id, events=events, now=datetime.now(UTC))


def start_worker():
    return subprocess.Popen(
        [sys.executable, "-m", "amity.cli", "worker"],
        env=config.environment() | {"AMITY_WAREHOUSE": "off"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def read_faked_clock():
    """The control: what a process that goes by its own clock takes for the time."""
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        capture_output=True,
        check=True,
        env=os.environ,
    )
    return datetime.fromtimestamp(float(told.stdout), UTC)


def let_it_jump(clock):
    for _ in range(ROUNDS):
        for jump in JUMPS:
            clock.jump(jump)
            time.sleep(0.3)
        for number in range(20):
            clock.jump(JUMPS[-2 + number % 2])
            time.sleep(0.03)
    off = datetime.now(UTC) - read_faked_clock()
    assert abs(off) > timedelta(days=29), "no clock jumped, so this proves nothing"
    clock.jump(0)


def sent_of(journey_id):
    return ask(
        "SELECT count(*) FROM broadcast_send WHERE run_kind = 'journey' AND run_id = %s"
        " AND state = 'sent'",
        journey_id,
    )[0][0]


@pytest.mark.parametrize("with_database", [False] if ROUNDS == 1 else [False, True])
def test_clocks_that_jump_make_nothing_early_twice_or_lost(
    office, clock, monkeypatch, with_database
):
    def fake():
        for name, value in clock.environment.items():
            monkeypatch.setenv(name, value)

    if with_database:
        fake()
    office.start_postgres(template=office.template)
    office.start_sink()
    soon, late = prepare()
    fake()
    began = time.monotonic()
    worker = start_worker()
    try:
        office.start_senders(2)
        assert wait_until(office.taken, seconds=60), "the senders never began"
        begin_journeys()
        let_it_jump(clock)
        back = time.monotonic()
        if with_database:
            assert wait_until(is_at_rest, seconds=LATE_SECONDS), count_states()
        else:
            expected = {"sent": MAILS + PEOPLE, "queued": 10}
            assert wait_until(
                lambda: dict(count_states()) == expected and sent_of(soon) == PEOPLE,
                seconds=LATE_SECONDS,
            ), count_states()
        back = time.monotonic() - back
        office.stop_senders()
    finally:
        worker.kill()
        worker.wait()
    check(office, late, with_database)
    planned = {row[0] for row in ask("SELECT id::text FROM broadcast_send WHERE state = 'sent'")}
    known = set(office.taken())
    record(
        Finding(
            card="T4",
            what="clocks of " + ("all processes and the database" if with_database else "the "
                 "worker and the senders") + " jump by a second to thirty days and back",
            seconds=time.monotonic() - began,
            cuts=ROUNDS * (len(JUMPS) + 20),
            acknowledged=len(planned),
            lost=len(planned - known),
            duplicated=sum(times - 1 for times in office.taken().values()),
            recovered_seconds=[back],
            control="a process that goes by its own clock was thirty days off",
        )
    )  # fmt: skip


def is_at_rest():
    """Nothing on its way; what is due later waits, and what came too late says so."""
    with transaction() as connection:
        return not connection.execute(
            "SELECT EXISTS (SELECT FROM broadcast_send WHERE state IN ('claimed', 'wire')"
            " OR state = 'queued' AND not_before < clock_timestamp() - interval '1 second')"
        ).fetchone()[0]


def check(office, late, with_database):
    taken, states = office.taken(), count_states()
    assert max(taken.values()) == 1, "a message went twice"
    sent = {row[0] for row in ask("SELECT id::text FROM broadcast_send WHERE state = 'sent'")}
    assert sent <= set(taken), "said to be sent, and never arrived"
    assert sum(states.values()) >= MAILS + 10
    if with_database:
        return
    assert sent == set(taken)
    assert ask("SELECT count(*) FROM broadcast_send WHERE run_id = %s AND run_kind = 'journey'",
               late) == [(0,)], "six hours were over early"  # fmt: skip
    assert ask("SELECT sum(crashes)::int FROM broadcast_send") == [(0,)], "a lease was stolen"
    lapsed = ask("SELECT count(*) FROM store_consent WHERE status = 'expired'")
    assert lapsed == [(0,)], "a consent lapsed early"


ZONES = """
CREATE TEMPORARY TABLE night ON COMMIT DROP AS
WITH zone AS MATERIALIZED (SELECT name FROM pg_timezone_names WHERE name ~ '^[A-Z][a-z]+/'),
day AS (SELECT d FROM generate_series('2026-01-01'::timestamptz, '2028-12-31', '1 day') AS d),
change AS (
    SELECT name, d, greatest(
        (d AT TIME ZONE name) - ((d - interval '1 day') AT TIME ZONE name) - interval '1 day',
        interval '0') AS leap FROM zone, day
    WHERE (d AT TIME ZONE name) - ((d - interval '1 day') AT TIME ZONE name) <> interval '1 day'
)
SELECT name, leap, d - make_interval(hours => h) AS moment
FROM change, generate_series(-24, 48, %s) AS h
"""
ENDS = """
SELECT count(*), count(DISTINCT name), count(until), count(*) FILTER (WHERE until <= moment),
       count(*) FILTER (WHERE until > moment + interval '26 hours'),
       count(*) FILTER (WHERE wall <> wanted
           AND wanted AT TIME ZONE name AT TIME ZONE name = wanted),
       count(*) FILTER (WHERE NOT wall - wanted BETWEEN interval '0' AND leap),
       count(*) FILTER (WHERE broadcast_quiet_until(until, name, 'UTC', %(from)s, %(to)s)
           IS NOT NULL)
FROM (SELECT name, moment, until, leap, until AT TIME ZONE name AS wall,
             date_trunc('day', until AT TIME ZONE name) + make_interval(hours => %(to)s) AS wanted
      FROM (SELECT *, broadcast_quiet_until(moment, name, 'UTC', %(from)s, %(to)s) AS until
            FROM night) n) m
"""


@pytest.mark.parametrize(("quiet_from", "quiet_until"), [(21, 8), (0, 2), (22, 3)])
def test_quiet_hours_end_once_in_every_zone_where_clocks_are_put_forward_or_back(
    server, quiet_from, quiet_until
):
    """Three years of changes: each night ends at its hour, or soon after one that is left out."""
    with transaction("owner") as connection:
        connection.execute(ZONES, [1 if ROUNDS > 1 else 13])
        rows, zones, quiet, before, late, wrong, after_gap, again = connection.execute(
            ENDS, {"from": quiet_from, "to": quiet_until}
        ).fetchone()
    assert zones > 100, "hardly any zone changes its clock, so this proves little"
    assert 0 < quiet < rows
    assert (before, late) == (0, 0)
    assert wrong == 0, "a night ended at another hour than it should"
    assert after_gap == 0, "a night whose last hour was left out ended too late"
    assert again == 0, "what waited for the end of the night would wait again"
