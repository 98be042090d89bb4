"""The power fails while events are taken: what was acknowledged is there, once (card T2).

The whole data folder, PostgreSQL's and the warehouse's files and the keys with it, lies on a
disk that is shut down without writing back what it had not synced. Two controls, PostgreSQL
with `synchronous_commit` off and with `fsync` off, must lose on the same disk.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import psycopg
import pytest

from amity.infra.crypto import load_secrets
from amity.infra.postgres import OWNER, EmbeddedPostgres, binaries
from amity.testing.chaos import connect, find_faults, read_books, sending, wait_until_folded
from amity.testing.chaos_record import Finding, chaos_number, record
from amity.testing.installation import Installation, is_alive, wait_for
from amity.testing.power import find_obstacle, power_disk
from amity.testing.template import copy_template

CUTS = chaos_number("POWER_CUTS", 1)
SECONDS = (1.0, 2.0) if CUTS == 1 else (1.0, 10.0)
SEED = 20261122
# Sparse, so it costs what is written; many cuts write more than a small disk holds.
MEGABYTES = 640 if CUTS == 1 else 16_384
CONTROL_SECONDS = 1.2
# What is sent has to be folded and exported afterwards.
PAUSE_SECONDS = 0.05
BACK_SECONDS = 60.0
pytestmark = pytest.mark.timeout(360 + 60 * CUTS)


@pytest.fixture
def disk(tmp_path):
    obstacle = find_obstacle()
    with contextlib.ExitStack() as stack:
        if not obstacle:
            try:
                made = stack.enter_context(power_disk(tmp_path / "power", megabytes=MEGABYTES))
            except OSError as error:
                obstacle = str(error)
        if obstacle and CUTS > 1:
            pytest.fail(f"no power can be cut here: {obstacle}")
        if obstacle:
            pytest.skip(f"no power can be cut here: {obstacle}")
        yield made


def kill_all(pids):
    """Kill processes at once, as a power cut does, and wait until none is left."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in pids), what="the processes to be gone")


@contextlib.contextmanager
def amity_on(disk, folder, template):
    """An Amity on the disk; it may be stopped and started inside."""
    made = Installation(disk.folder).without_mail()
    copy_template(template, disk.folder / "data")
    os.sync()  # a first start syncs what it writes; a copy does not
    # While the fold is behind events would be refused; how soon they are taken is measured.
    made.environment["AMITY_MAX_LAG_SECONDS"] = "100000"
    made.output = folder / "up.log"
    made.start()
    try:
        yield made
    finally:
        kill_all([*made.descendants(), made.process.pid])
        made.process.wait()


@contextlib.contextmanager
def checkpoints(installation, rng):
    """Let PostgreSQL write its pages back again and again, so that cuts fall into it too."""
    over = threading.Event()
    with connect(installation) as connection:
        conninfo = f"{connection.info.dsn} password={connection.info.password}"

    def act():
        with (
            # When the power fails the server is gone, or says that the checkpoint failed.
            contextlib.suppress(psycopg.OperationalError, psycopg.InternalError),
            psycopg.connect(conninfo, autocommit=True) as connection,
        ):
            while not over.wait(rng.random()):
                connection.execute("CHECKPOINT")

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def cut(disk, installation):
    """Cut the power: nothing more reaches the disk, and all processes end at once."""
    disk.cut()
    kill_all([*installation.descendants(), installation.process.pid])
    installation.process.wait()


def is_nearly_full(folder):
    """A full disk would keep the server from coming back, which is another test's matter."""
    usage = shutil.disk_usage(folder)
    return usage.free < usage.total / 4


def start_again(disk, installation, senders):
    """Give the power back and start; return after how long each sender was served again."""
    before = {sender.name: len(sender.taken_at) for sender in senders}
    disk.restore()
    began = time.monotonic()
    installation.start()
    wait_for(
        lambda: all(len(sender.taken_at) > before[sender.name] for sender in senders),
        seconds=BACK_SECONDS,
        what="events to be taken again",
    )
    return time.monotonic() - began


def test_a_power_cut_takes_nothing_that_was_acknowledged(disk, tmp_path, template):
    rng = random.Random(SEED)
    back = []
    began = time.monotonic()
    with amity_on(disk, tmp_path, template) as installation:
        source = installation.amity_json("source", "create", "Till", "--kind", "server")
        with sending(
            source["write_key"], tmp_path, port=installation.edge_port, pause_seconds=PAUSE_SECONDS
        ) as senders:
            wait_for(lambda: all(s.taken_at for s in senders), what="the first batches")
            for _ in range(CUTS):
                assert not is_nearly_full(disk.folder), "the disk is too small for so many cuts"
                with checkpoints(installation, rng):
                    time.sleep(rng.uniform(*SECONDS))
                    cut(disk, installation)
                back.append(start_again(disk, installation, senders))
        assert [wrong for sender in senders for wrong in sender.wrong] == []
        acknowledged = [each for sender in senders for each in sender.acknowledged()]
        with connect(installation) as connection:
            wait_until_folded(connection, source["source_id"])
            books = read_books(connection, source["source_id"])
        assert find_faults(acknowledged, books) == []
        assert books.quarantined == 0
        installation.amity("warehouse", "export")
        installation.amity("warehouse", "verify")
        assert installation.stop() == 0
        checked = check_pages(installation)
    assert len(acknowledged) > 100
    record(
        Finding(
            card="T2",
            what="power cut under the whole of Amity",
            seed=SEED,
            seconds=time.monotonic() - began,
            cuts=CUTS,
            acknowledged=len(acknowledged),
            lost=len(set(acknowledged) - set(books.logged)),
            duplicated=len(books.logged) - len(set(books.logged)),
            recovered_seconds=back,
            more={"pages": checked, "warehouse": "verified against the log, no difference"},
        )
    )


def check_pages(installation):
    """Have PostgreSQL's own program read every page there is; it fails at a wrong checksum."""
    folder = installation.folder / "data" / "postgres"
    done = subprocess.run(
        [binaries() / "pg_checksums", "--check", "-D", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Bad checksums:  0" in done.stdout
    return "all checksums right"


def commit_until_cut(server, disk, settings):
    """Commit rows one by one until the power fails; return how many were acknowledged."""
    acknowledged = 0
    with psycopg.connect(server.conninfo(OWNER), autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE TABLE promise (id bigint PRIMARY KEY, padding text)")
        connection.execute("CHECKPOINT")
    os.sync()
    with contextlib.suppress(psycopg.OperationalError):  # it is gone when the power fails
        connection = psycopg.connect(server.conninfo(OWNER), autocommit=True)
        timer = threading.Timer(CONTROL_SECONDS, disk.cut)
        timer.start()
        deadline = time.monotonic() + CONTROL_SECONDS
        while time.monotonic() < deadline:
            connection.execute(
                "INSERT INTO promise VALUES (%s, repeat('x', 200))", [acknowledged + 1]
            )
            acknowledged += 1
    timer.join()
    connection.close()
    return acknowledged


def count_kept(server):
    """Return how many rows are there after the cut; none when the server does not come back."""
    with contextlib.suppress(Exception):
        server.start(timeout_seconds=60)
        with psycopg.connect(server.conninfo(OWNER), autocommit=True) as connection:
            return connection.execute("SELECT count(*) FROM promise").fetchone()[0]
    return 0


@pytest.mark.parametrize(
    "settings",
    [
        {"synchronous_commit": "off", "wal_writer_delay": "10000"},
        {"fsync": "off"},
    ],
    ids=["synchronous_commit", "fsync"],
)
def test_the_control_that_does_not_sync_loses(disk, settings):
    server = EmbeddedPostgres(disk.folder / "data", load_secrets(disk.folder / "data"))
    server.start()
    try:
        acknowledged = commit_until_cut(server, disk, settings)
    finally:
        kill_server(server)
    disk.restore()
    try:
        kept = count_kept(server)
    finally:
        kill_server(server)
    name, value = next(iter(settings.items()))
    record(
        Finding(
            card="T2",
            what=f"power cut, the control with {name} {value}",
            cuts=1,
            acknowledged=acknowledged,
            control=f"lost {acknowledged - kept} of {acknowledged}, as it must",
        )
    )
    assert acknowledged > 50
    assert kept < acknowledged, "the control lost nothing, so the test of power cuts is void"


def kill_server(server):
    if server.process is None:
        return
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    kill_all([server.process.pid, *map(int, children)])
    server.process.wait()
    server.process = None
