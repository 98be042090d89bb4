"""Kill -9 at random, PostgreSQL standing still: nothing acknowledged is lost or doubled."""

import contextlib
import logging
import os
import random
import signal
import statistics
import time
from collections import Counter

import pytest

from amity.testing.chaos import (
    VICTIMS,
    Nemesis,
    connect,
    find_faults,
    read_books,
    sending,
    wait_until_folded,
)
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.installation import wait_for

SECONDS = float(chaos_number("KILL_SECONDS", 4))
SEED = 20261121
# What is sent has to be folded afterwards.
PAUSE_SECONDS = 0.02
pytestmark = pytest.mark.timeout(360 + 4 * SECONDS)
# Senders are answered after 8 s at the latest; the rest is a busy machine.
LONGEST_ANSWER_SECONDS = 30.0


def acknowledged_by(senders):
    return [each for sender in senders for each in sender.acknowledged()]


def send(installation, source, folder, *, senders=4):
    return sending(
        source["write_key"],
        folder,
        port=installation.edge_port,
        senders=senders,
        pause_seconds=PAUSE_SECONDS,
    )


def wait_until_taken_after(moment, senders, *, some=False):
    def taken():
        later = [s.taken_at[-1][0] > moment for s in senders if s.taken_at]
        return any(later) if some else len(later) == len(senders) and all(later)

    wait_for(taken, seconds=60, what="events to be taken again")


def assert_books_are_right(installation, source, acknowledged):
    with connect(installation) as connection:
        wait_until_folded(connection, source["source_id"])
        books = read_books(connection, source["source_id"])
        assert find_faults(acknowledged, books) == []
        assert books.quarantined == 0
        with_control(connection, source["source_id"], acknowledged)
        positions = connection.execute(
            "SELECT count(*) = max(position) AND min(position) = 1 FROM store_activity"
        ).fetchone()
        assert positions == (True,)
        counted = connection.execute(
            "SELECT (SELECT sum(event_count) FROM store_profile)"
            " = (SELECT count(*) FROM store_event_log WHERE source_id <> 1)"
        ).fetchone()
        assert counted == (True,)
    events = installation.amity_json("stats")["events"]
    kinds = ("stored", "duplicate", "quarantined", "refused")
    assert events["received"] == sum(events[kind] for kind in kinds)
    return books


def with_control(connection, source_id, acknowledged):
    """The control: one event missing from the log, or from the fold, is found out."""
    for table in (
        "store_event_log WHERE message_id = %(id)s AND source_id = %(source)s",
        "store_activity WHERE type <> 'system' AND event_id = (SELECT id FROM"
        " store_event_log WHERE message_id = %(id)s AND source_id = %(source)s)",
    ):
        with connection.transaction(force_rollback=True):
            victim = {"id": acknowledged[-1], "source": source_id}
            assert connection.execute(f"DELETE FROM {table}", victim).rowcount == 1
            assert find_faults(acknowledged, read_books(connection, source_id))


def test_killed_at_random_nothing_acknowledged_is_lost_or_doubled(
    installation, source, tmp_path, rounds
):
    nemesis = Nemesis(installation, random.Random(SEED))
    began = time.monotonic()
    with send(installation, source, tmp_path) as senders:
        nemesis.rage(seconds=SECONDS * rounds)
        batches = 10 * rounds
        wait_for(lambda: sum(len(s.taken_at) for s in senders) > batches, what="enough to be taken")
    acknowledged = acknowledged_by(senders)
    kills = Counter(victim for _, victim in nemesis.kills)
    answers = sum((sender.answers for sender in senders), Counter())
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    assert set(kills) == set(VICTIMS), "not every kind was killed"
    assert answers[0] or answers[429], "no sender noticed anything, so this proves nothing"
    assert len(acknowledged) > 50 * rounds
    books = assert_books_are_right(installation, source, acknowledged)
    slowest = max(sender.slowest for sender in senders)
    assert slowest < LONGEST_ANSWER_SECONDS
    delays = nemesis.delays(senders, "postgres")
    record(
        Finding(
            card="T1",
            what="SIGKILL to collector, its worker, worker, PostgreSQL and single backends",
            seed=SEED,
            seconds=time.monotonic() - began,
            kills=sum(kills.values()),
            acknowledged=len(acknowledged),
            lost=len(set(acknowledged) - set(books.logged)),
            duplicated=len(books.logged) - len(set(books.logged)),
            recovered_seconds=delays,
            control="an event taken out of the log, and one out of the fold, were both found",
        )
    )
    logging.getLogger(__name__).info(
        "%d acknowledged, %d in the log, %d came twice; kills %s; answers %s; slowest %.1f s; "
        "taken again after PostgreSQL was killed in %.1f s, at worst %.1f s",
        len(acknowledged),
        len(books.logged),
        books.duplicate,
        dict(kills),
        dict(answers),
        slowest,
        statistics.median(delays),
        max(delays),
    )


def test_postgres_killed_again_and_again_is_429_and_comes_back(
    installation, source, tmp_path, rounds
):
    nemesis = Nemesis(installation, random.Random(SEED))
    with send(installation, source, tmp_path, senders=2) as senders:
        for _ in range(1 + rounds):
            wait_for(lambda: nemesis.kill("postgres"), what="PostgreSQL")
            wait_until_taken_after(nemesis.kills[-1][0], senders, some=True)
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    codes = sum((sender.codes for sender in senders), Counter())
    assert set(codes) == {"database_down"}, codes
    delays = sorted(nemesis.delays(senders, "postgres"))
    logging.getLogger(__name__).info("taken again after %s s", [round(each, 1) for each in delays])
    assert delays[-1] < 60
    assert_books_are_right(installation, source, acknowledged_by(senders))


def signal_all(pids, number):
    for pid in pids:
        # A session may have ended since they were listed.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_postgres_that_stands_still_makes_nobody_wait_for_ever(
    installation, source, tmp_path, rounds
):
    """It is stopped, not ended: connections stay open and nothing answers on them."""
    nemesis = Nemesis(installation, random.Random(SEED))
    still = 3.0 if rounds == 1 else 30.0
    with send(installation, source, tmp_path, senders=3) as senders:
        wait_for(lambda: all(sender.taken_at for sender in senders), what="the first batches")
        stopped = nemesis.server()
        signal_all(stopped, signal.SIGSTOP)
        try:
            began = time.monotonic()
            time.sleep(still)
            quiet = [s.taken_at[-1] for s in senders if s.taken_at[-1][1] > began + 1]
        finally:
            signal_all(reversed(stopped), signal.SIGCONT)
        went_on = time.monotonic()
        assert quiet == [], "something was acknowledged while PostgreSQL stood still"
        wait_until_taken_after(went_on, senders)
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    assert max(sender.slowest for sender in senders) < LONGEST_ANSWER_SECONDS
    assert_books_are_right(installation, source, acknowledged_by(senders))
