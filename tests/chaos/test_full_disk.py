"""A full disk: senders wait, nothing acknowledged is lost, and it comes back by itself."""

import contextlib
import logging
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
from amity.infra.postgres import BALLAST_BYTES
from amity.testing.chaos import (
    connect,
    find_faults,
    read_books,
    sending,
    wait_until_folded,
)
from amity.testing.edge import running_edge
from amity.testing.installation import Installation, wait_for

RESERVE_BYTES = BALLAST_BYTES + 32 * 2**20
BACK_SECONDS = 10.0
PATIENCE_SECONDS = 40.0


@pytest.fixture(scope="module")
def cramped(small_disk, tmp_path_factory):
    """An Amity whose whole data folder lies on the small disk."""
    made = Installation(small_disk)
    made.output = tmp_path_factory.mktemp("cramped") / "up.log"
    made.environment["AMITY_DISK_RESERVE_BYTES"] = str(RESERVE_BYTES)
    made.start()
    yield made
    made.stop()


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
        with urllib.request.urlopen(f"{installation.edge}/health/{kind}", timeout=5) as answer:
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
    with (
        careless_edge(cramped) as second,
        sending(key, tmp_path, port=cramped.edge_port, senders=2) as careful,
        sending(key, tmp_path, port=second.port, senders=2, name="b") as careless,
    ):
        for _ in range(rounds):
            wait_until(lambda: taken_after(careful + careless, 0), "the first batches")
            fill_and_make_room(cramped, careful, careless, back)
    senders = careful + careless
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    acknowledged = [each for sender in senders for each in sender.acknowledged()]
    assert_nothing_is_lost(cramped, source, acknowledged)
    assert max(back) < BACK_SECONDS
    log(senders, acknowledged, back)


def test_a_log_that_cannot_grow_stops_postgres_and_the_reserve_brings_it_back(cramped, tmp_path):
    """Without room for its own log PostgreSQL panics, and cannot even recover."""
    source = cramped.amity_json("source", "create", "Kiosk", "--kind", "server")
    data = cramped.folder / "data"
    wait_until((data / "ballast").exists, "the reserve file to be there")
    recoveries = count_recoveries(cramped)
    with sending(source["write_key"], tmp_path, port=cramped.edge_port) as senders:
        wait_until(lambda: taken_after(senders, 0), "the first batches")
        fill(cramped.folder)
        write_until_postgres_ends(cramped)
        wait_until(lambda: not (data / "ballast").exists(), "the reserve to be given back")
        wait_until(lambda: can_read(cramped), "PostgreSQL to be back")
        again = time.monotonic()
        time.sleep(2)
        assert not any(s.taken_at[-1][0] > again for s in senders), "the reserve is not for events"
        assert health(cramped, "live")[0] == 200
        assert health(cramped, "ready")[1]["troubles"] == ["disk_full"]
        make_room(cramped.folder)
        roomy = time.monotonic()
        back = wait_until(lambda: taken_after(senders, roomy), "all to be taken")
    assert count_recoveries(cramped) > recoveries
    assert "giving the reserve file back" in cramped.output.read_text()
    assert [wrong for sender in senders for wrong in sender.wrong] == []
    acknowledged = [each for sender in senders for each in sender.acknowledged()]
    assert_nothing_is_lost(cramped, source, acknowledged)
    assert back < BACK_SECONDS
    wait_until((data / "ballast").exists, "the reserve to be set aside again")
    log(senders, acknowledged, [back])


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
    assert health(installation, "live") == (200, {"status": "live"})
    status, told = health(installation, "ready")
    assert (status, told["troubles"]) == (503, ["disk_full"])
    make_room(installation.folder)
    roomy = time.monotonic()
    back.append(wait_until(lambda: taken_after(careful + careless, roomy), "all to be taken"))
    assert health(installation, "ready")[0] == 200


def log(senders, acknowledged, back):
    answers = sum((sender.answers for sender in senders), Counter())
    codes = sum((sender.codes for sender in senders), Counter())
    logging.getLogger(__name__).info(
        "%d acknowledged; answers %s %s; taken again %.1f s after there was room",
        len(acknowledged),
        dict(answers),
        dict(codes),
        max(back),
    )
