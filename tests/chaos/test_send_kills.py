"""Kill -9 of senders, the mail server and PostgreSQL in the middle of a campaign (T9).

Nothing is doubled and nothing silently lost: each message is in a state that says what became of
it, and whatever nobody knows is listed as unknown. The control, which marks after it has sent,
must double, or none of this proves anything.
"""

import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from amity.broadcast.channels.email import EmailChannel
from amity.broadcast.logic.sending import fence
from amity.broadcast.logic.sending.ledger import MOST_CRASHES
from amity.broadcast.logic.sending.process import relay_of
from amity.broadcast.logic.sending.sender import Sender
from amity.infra import database
from amity.infra.config import settings
from amity.infra.database import transaction
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.mailing import count_states, make_campaign, make_content, make_people, queue
from amity.testing.post_office import PostOffice, wait_until

KILLS = chaos_number("KILLS", 10)
SEED = 20261122
SENDERS = 2
TROUBLE = (
    "accept=60,slow=10,defer_rcpt=4,defer_data=4,drop_before=2,drop_after=2,drop_rcpt=2,"
    "defer_mail=1,silent=1,refuse_data=1"
)


@pytest.fixture
def office(tmp_path, template):
    made = PostOffice(
        tmp_path, modes=TROUBLE, send_lease_seconds=1.5, send_retry_seconds=0.3, smtp_connections=4
    )
    with made.entered():
        made.start_postgres(template=template)
        fence.arm_new_installation(now=datetime.now(UTC))
        made.start_sink()
        yield made
        made.stop()


def plan(messages):
    with transaction() as connection:
        make_campaign(connection)
        make_people(connection, range(1, messages + 1))
        queue(connection, range(1, messages + 1), make_content(connection))


def ids(where):
    with transaction() as connection:
        rows = connection.execute(f"SELECT id::text FROM broadcast_send WHERE {where}")
        return {row[0] for row in rows}


def rows_of(send_ids):
    """What the ledger says of messages, for whoever reads a failure."""
    with transaction() as connection:
        return connection.execute(
            "SELECT id, state, reason, reply, attempts, crashes, token, wire_at, settled_at"
            " FROM broadcast_send WHERE id = ANY (%s::uuid[])",
            [list(send_ids)],
        ).fetchall()


def is_drained():
    # The waits after a refusal grow to hours; they are let pass.
    with transaction() as connection:
        connection.execute(
            "UPDATE broadcast_send SET not_before = clock_timestamp()"
            " WHERE state = 'queued' AND not_before > clock_timestamp() + interval '1 second'"
        )
    return not {"queued", "claimed", "wire"} & {each.partition(":")[0] for each in count_states()}


def rage(office, rng):
    """Kill one after the other; each is started again at once, as the supervisor does."""
    kills = Counter()
    while sum(kills.values()) < KILLS:
        victim = rng.choices(["sender", "sink", "postgres"], [6, 2, 1])[0]
        if not kills["postgres"] and sum(kills.values()) > KILLS // 2:
            victim = "postgres"
        before = office.size()
        office.kill(victim, rng.randrange(SENDERS))
        kills[victim] += 1
        office.keep_alive()
        # The next one dies at work, not while it starts.
        wait_until(lambda size=before: office.size() > size, seconds=3, office=office)
        time.sleep(rng.uniform(0.0, 0.4))
    return kills


@pytest.mark.timeout(360 + 4 * KILLS)
def test_nothing_is_doubled_and_nothing_silently_lost(office):
    # Enough that they last while senders start again.
    messages = 25 * KILLS
    plan(messages)
    office.start_senders(SENDERS)
    wait_until(lambda: len(office.taken()) > 20, seconds=90)
    began = time.monotonic()
    kills = rage(office, random.Random(SEED))
    killing = time.monotonic() - began
    left = messages - len(office.taken())
    assert wait_until(is_drained, seconds=120 + 2 * KILLS, office=office), count_states()
    office.stop_senders()

    taken, states = office.taken(), count_states()
    assert sum(states.values()) == messages, "conservation"
    # What so many dying senders held is put aside, and says so (rule D13).
    aside = {"failed:crashed"} if KILLS > 4 * MOST_CRASHES else set()
    assert set(states) <= {"sent", "unknown:no_reply", "failed:rejected"} | aside, states
    doubled = {each: times for each, times in taken.items() if times > 1}
    assert doubled == {}, rows_of(doubled)
    sent, unknown, failed = ids("state = 'sent'"), ids("state = 'unknown'"), ids("state = 'failed'")
    assert sent - set(taken) == set(), "said to be sent, and never arrived"
    assert set(taken) - sent - unknown == set(), "arrived, and nobody says so"
    assert not failed & set(taken)
    with transaction() as connection:
        events = connection.execute(
            "SELECT count(*) FROM store_event_log WHERE position('\\x22456d61696c2053656e74'::bytea"
            " IN body) > 0"
        ).fetchone()[0]
    assert events == len(sent), "each that was sent is told once"
    assert left > 0, "it was over before the killing was, so this proves little"
    record(
        Finding(
            card="T9",
            what="SIGKILL to senders, the mail server and PostgreSQL in the middle of a campaign",
            seed=SEED,
            seconds=killing,
            kills=sum(kills.values()),
            acknowledged=len(sent),
            lost=len(sent - set(taken)),
            duplicated=sum(times - 1 for times in doubled.values()),
            control="the usual loop, which marks after it has sent, sends some twice",
            more={
                "messages": f"{messages}: {len(sent)} sent, {len(unknown)} unknown and listed "
                f"({len(unknown & set(taken))} of them arrived), {len(failed)} refused; {left} were"
                " left after the last kill",
                "killed": ", ".join(f"{who} {times}" for who, times in sorted(kills.items())),
            },
        )
    )


CONTROL = """
import smtplib, sys, psycopg
port, conninfo = int(sys.argv[1]), sys.argv[2]
c = psycopg.connect(conninfo, autocommit=True)
while row := c.execute("SELECT id FROM control WHERE NOT is_sent ORDER BY id LIMIT 1").fetchone():
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as s:
            s.sendmail("a@x.example", ["b@x.example"], f"X-Send-Id: {row[0]}\\r\\n\\r\\nhi\\r\\n")
    except (OSError, smtplib.SMTPException):
        continue
    c.execute("UPDATE control SET is_sent = true WHERE id = %s", row)
"""


def test_the_control_that_marks_after_sending_doubles(tmp_path, db):
    """The same sink, the same kills, the usual loop: it must double, or the sink counts nothing."""
    office = PostOffice(tmp_path, modes="slow=1")
    with transaction("owner") as connection:
        connection.execute(
            "CREATE TABLE control (id int PRIMARY KEY, is_sent boolean NOT NULL DEFAULT false);"
            "INSERT INTO control SELECT generate_series(1, 400)"
        )
    conninfo, rng = database.conninfo("owner"), random.Random(SEED)
    office.start_sink()
    try:
        assert wait_until(office.is_listening, seconds=60)
        for _ in range(40):
            before = office.size()
            loop = subprocess.Popen(
                [sys.executable, "-c", CONTROL, str(office.port), conninfo],
            )
            assert wait_until(lambda size=before: office.size() > size, seconds=60)
            time.sleep(rng.uniform(0.0, 0.1))
            loop.kill()
            loop.wait()
            if any(times > 1 for times in office.taken().values()):
                break
    finally:
        office.sink.kill()
        office.sink.wait()
    assert any(times > 1 for times in office.taken().values())


def claims(sender):
    with transaction() as connection:
        return connection.execute(
            "SELECT id, owner, token FROM broadcast_send WHERE state = 'claimed' AND owner = %s"
            " ORDER BY id",
            [sender.owner],
        ).fetchall()


def lose_the_database(office):
    """Kill it the moment after a commit was confirmed, and start it again."""
    from amity.infra import database

    office.kill("postgres")
    database.close_pools()
    office.keep_alive()
    assert wait_until(lambda: count_states() is not None, seconds=60)


def test_a_claim_outlives_the_database_it_was_made_in(office):
    """A claim that is lost could be made again by the same sender under the same token.

    What it then says of the one (not handed over: send it again) would be taken for the other,
    which is on the wire, and the message would arrive twice.
    """
    plan(40)
    using = settings()
    sender = Sender(EmailChannel(relay_of(using)), using, clock=lambda: datetime.now(UTC))
    fence.arm_new_installation(now=datetime.now(UTC))
    for _ in range(4):
        letters, _ = sender._claim(10)
        assert letters
        held = {(each.claimed.send_id, each.claimed.token) for each in letters}
        lose_the_database(office)
        kept = {(send_id, token) for send_id, _, token in claims(sender)}
        assert held <= kept, "a confirmed claim is gone"
