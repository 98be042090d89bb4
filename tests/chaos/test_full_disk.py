"""A full disk: senders wait, nothing acknowledged is lost, and it comes back by itself (T3).

Three disks run full: the one all lies on, the one PostgreSQL's own log shares with all else, and
one that holds nothing but that log. Where no disk may be mounted all of it is counted as skipped.
"""

import contextlib
import mmap
import os
import shutil
import time
import urllib.error
import urllib.request
from collections import Counter

import click
import msgspec
import psycopg
import pytest

from amity.cli.up import _say
from amity.infra.disks import RESERVE_BYTES, list_reserves
from amity.testing.chaos import (
    connect,
    find_faults,
    read_books,
    sending,
    wait_until_folded,
)
from amity.testing.chaos_record import Finding, record
from amity.testing.edge import running_edge
from amity.testing.installation import Installation, wait_for
from amity.testing.post_office import copy_tree
from amity.testing.template import copy_template

KEPT_FREE_BYTES = RESERVE_BYTES + 32 * 2**20
BACK_SECONDS = 30.0
PATIENCE_SECONDS = 90.0
PAUSE = 0.05


@contextlib.contextmanager
def running(folder, output):
    made = Installation(folder).without_mail()
    made.output = output / "up.log"
    made.environment["AMITY_DISK_RESERVE_BYTES"] = str(KEPT_FREE_BYTES)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def cramped(make_small_disk, tmp_path_factory, template):
    """An Amity whose whole data folder lies on a small disk."""
    folder = make_small_disk()
    copy_template(template, folder / "data")
    with running(folder, tmp_path_factory.mktemp("cramped")) as made:
        yield made


@pytest.fixture(scope="module")
def log_apart(make_small_disk, tmp_path_factory, template):
    """An Amity whose database writes its own log to a small disk of its own; and that disk."""
    disk, folder = make_small_disk(), tmp_path_factory.mktemp("apart")
    copy_template(template, folder / "data")
    log = folder / "data" / "postgres" / "pg_wal"
    copy_tree(log, disk / "pg_wal")
    shutil.rmtree(log)
    log.symlink_to(disk / "pg_wal")
    with running(folder, tmp_path_factory.mktemp("log_apart")) as made:
        yield made, disk


def free_bytes(folder):
    return shutil.disk_usage(folder).free


def fill(folder):
    """Take all the space that is left, though others are taking it too."""
    size = free_bytes(folder)
    with (folder / "filler").open("ab") as file:
        while size >= mmap.PAGESIZE:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
            except OSError:
                size //= 2


def make_room(folder):
    (folder / "filler").unlink()


def health(installation, kind):
    try:
        with urllib.request.urlopen(f"{installation.edge}/health/{kind}", timeout=30) as answer:
            return answer.status, msgspec.json.decode(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, msgspec.json.decode(error.read())


def wait_until(happened, what, *, seconds=PATIENCE_SECONDS):
    """Return after how many seconds something happened."""
    began = time.monotonic()
    wait_for(happened, seconds=seconds, what=what)
    return time.monotonic() - began


def taken_after(senders, moment):
    return all(sender.taken_at and sender.taken_at[-1][0] > moment for sender in senders)


def refused_after(senders, moment):
    """Say whether each was refused for want of room by a request made after a moment."""
    before = {sender.name: sender.codes["disk_full"] for sender in senders}
    wait_until(
        lambda: all(sender.codes["disk_full"] > before[sender.name] + 1 for sender in senders),
        f"refusals after {moment:.0f}",
    )
    return True


def refused_for(senders, code):
    return sum(sender.codes[code] for sender in senders)


@contextlib.contextmanager
def careless_edge(installation):
    """A second collector on the same database that keeps no reserve: it meets the full disk."""
    with connect(installation) as connection:
        info = connection.info
        url = psycopg.conninfo.make_conninfo(
            host=info.host, port=info.port, user=info.user, password=info.password, dbname="amity"
        )
    data = installation.environment["AMITY_DATA"]
    with running_edge(database_url=url, data=data, disk_reserve_bytes=0) as edge:
        yield edge


def assert_nothing_is_lost(installation, source, acknowledged):
    with connect(installation) as connection:
        wait_until_folded(connection, source["source_id"])
        books = read_books(connection, source["source_id"])
    assert find_faults(acknowledged, books) == []
    assert books.quarantined == 0
    return books


def test_with_a_full_disk_senders_wait_and_it_comes_back_by_itself(cramped, tmp_path, rounds):
    source = cramped.amity_json("source", "create", "Till", "--kind", "server")
    key = source["write_key"]
    back = []
    began = time.monotonic()
    with (
        careless_edge(cramped) as second,
        sending(key, tmp_path, port=cramped.edge_port, senders=2, pause_seconds=PAUSE) as careful,
        sending(
            key, tmp_path, port=second.port, senders=2, name="b", pause_seconds=PAUSE
        ) as careless,
    ):
        for _ in range(rounds):
            wait_until(lambda: taken_after(careful + careless, 0), "the first batches")
            fill_and_make_room(cramped, careful, careless, back)
    senders = careful + careless
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    acknowledged = [each for sender in senders for each in sender.acknowledged()]
    books = assert_nothing_is_lost(cramped, source, acknowledged)
    assert max(back) < BACK_SECONDS
    cramped.amity("warehouse", "export")
    cramped.amity("warehouse", "verify")
    tell("the disk of everything full", began, senders, books, back)


def test_a_log_that_cannot_grow_stops_postgres_and_the_reserve_brings_it_back(cramped, tmp_path):
    """Without room for its own log PostgreSQL panics, and cannot even recover."""
    fill_the_log(cramped, cramped.folder, tmp_path, "on the disk of all else")


def test_a_log_on_a_disk_of_its_own_that_runs_full_comes_back_too(log_apart, tmp_path):
    installation, disk = log_apart
    assert len(list_reserves(installation.folder / "data")) == 2
    fill_the_log(installation, disk, tmp_path, "on a disk of its own")
    assert free_bytes(installation.folder) > KEPT_FREE_BYTES, "the other disk was never short"


def fill_the_log(installation, disk, folder, where):
    source = installation.amity_json("source", "create", "Kiosk", "--kind", "server")
    reserve = list_reserves(installation.folder / "data")[-1]
    wait_until(reserve.exists, "the reserve file to be there")
    recoveries = count_recoveries(installation)
    began = time.monotonic()
    with sending(
        source["write_key"], folder, port=installation.edge_port, pause_seconds=PAUSE
    ) as senders:
        wait_until(lambda: taken_after(senders, 0), "the first batches")
        fill(disk)
        write_until_postgres_ends(installation)
        wait_until(lambda: not reserve.exists(), "the reserve to be given back")
        wait_until(lambda: can_read(installation), "PostgreSQL to be back")
        again = time.monotonic()
        wait_until(lambda: refused_after(senders, again), "the senders to be refused")
        # It looks at the disk every second, so a batch may be taken before it has looked.
        looked = time.monotonic()
        wait_until(lambda: refused_after(senders, looked + 1), "the senders to be refused again")
        assert not any(s.taken_at[-1][0] > looked for s in senders), "the reserve is not for events"
        assert health(installation, "live")[0] == 200
        assert health(installation, "ready")[1]["troubles"] == ["disk_full"]
        make_room(disk)
        roomy = time.monotonic()
        back = wait_until(lambda: taken_after(senders, roomy), "all to be taken")
    assert count_recoveries(installation) > recoveries
    assert "giving the reserve file back" in installation.output.read_text()
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    acknowledged = [each for sender in senders for each in sender.acknowledged()]
    books = assert_nothing_is_lost(installation, source, acknowledged)
    assert back < BACK_SECONDS
    wait_until(reserve.exists, "the reserve to be set aside again")
    tell(f"no room for the log of PostgreSQL, {where}", began, senders, books, [back])


def write_until_postgres_ends(installation):
    """Write to PostgreSQL's own log, which nothing but the room on the disk limits."""
    with contextlib.suppress(psycopg.OperationalError), connect(installation) as connection:
        for _ in range(1000):
            connection.execute("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 4000000))")
        raise AssertionError("there was room for all of it")


def count_recoveries(installation):
    # The panic itself cannot be written down: there is no room for it.
    log = installation.folder / "data" / "postgres.log"
    return log.read_text("utf-8").count("automatic recovery in progress")


def can_read(installation):
    try:
        with connect(installation) as connection:
            return connection.execute("SELECT count(*) >= 0 FROM store_source").fetchone() == (
                True,
            )
    except psycopg.OperationalError:
        return False


def test_what_the_supervisor_says_may_get_lost():
    full = open("/dev/full", "w")  # noqa: SIM115  # closing it fails, as writing does
    with contextlib.redirect_stderr(full):
        _say("this is written nowhere")
        with pytest.raises(OSError, match="No space left"):
            click.echo("the control", err=True)
    with pytest.raises(OSError, match="No space left"):
        full.close()


def fill_and_make_room(installation, careful, careless, back):
    before = [refused_for(each, "disk_full") for each in (careful, careless)]
    fill(installation.folder)
    wait_until(
        lambda: (
            refused_for(careful, "disk_full") > before[0] + 5
            and refused_for(careless, "disk_full") > before[1]
        ),
        "both to refuse",
    )
    # Nor can the warehouse be written; what it had begun is no part of it.
    assert installation.amity("warehouse", "export", check=False).returncode
    assert health(installation, "live") == (200, {"status": "live"})
    status, told = health(installation, "ready")
    assert (status, told["troubles"]) == (503, ["disk_full"])
    make_room(installation.folder)
    roomy = time.monotonic()
    back.append(wait_until(lambda: taken_after(careful + careless, roomy), "all to be taken"))
    assert health(installation, "ready")[0] == 200


def tell(what, began, senders, books, back):
    """Write the figures down for the report."""
    acknowledged = [each for sender in senders for each in sender.acknowledged()]
    answers = sum((sender.answers for sender in senders), Counter())
    record(
        Finding(
            card="T3",
            what=what,
            seconds=time.monotonic() - began,
            acknowledged=len(acknowledged),
            lost=len(set(acknowledged) - set(books.logged)),
            duplicated=len(books.logged) - len(set(books.logged)),
            recovered_seconds=back,
            more={"answers": f"{answers[200]} taken, {answers[429]} refused with 429"},
        )
    )
