"""`amity up` as its user meets it: start, stop, a second start, and processes killed under it."""

import os
import signal
import subprocess
import sys
import urllib.request
from uuid import uuid4

import pytest

from amity.testing.installation import Installation, is_alive, wait_for


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    closed = tmp_path_factory.mktemp("up") / "closed"
    closed.mkdir(mode=0o700)
    made = Installation(closed)
    made.start()
    yield made
    children = set(made.descendants())
    assert made.stop() == 0
    assert not any(is_alive(pid) for pid in children)
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.fixture(scope="module")
def write_key(installation):
    return installation.amity_json("source", "create", "Shop")["write_key"]


def send(installation, write_key, **event):
    body = {"messageId": str(uuid4()), "type": "track", "event": "Ping", "userId": "u1", **event}
    return installation.collect("track", body, write_key)


def test_all_answer_ready(installation):
    for address in (installation.web, installation.edge):
        for kind in ("live", "ready"):
            with urllib.request.urlopen(f"{address}/health/{kind}", timeout=30) as answer:
                assert answer.status == 200


def test_a_second_start_on_the_same_folder_is_refused(installation):
    done = installation.amity("up", check=False)
    assert done.returncode == 1
    assert str(installation.process.pid) in done.stderr
    assert "AMITY_DATA" in done.stderr


def test_doctor_finds_it_healthy(installation):
    report = installation.amity_json("doctor")
    assert report["healthy"], report
    assert {"PostgreSQL", "Durability", "Edge", "Web"} <= {f["check"] for f in report["findings"]}


@pytest.mark.parametrize(
    "victim",
    ["amity.edge", "amity.site.serve", "--part consumers", "--part projections", "bin/postgres"],
)
def test_a_killed_process_is_replaced_and_nothing_is_lost(installation, write_key, victim):
    before = installation.amity_json("stats")["events"]
    assert send(installation, write_key)[0] == 200
    killed = installation.find_process(victim)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: killed not in installation.descendants(), what=f"{victim} to die")

    def accepted():
        try:
            return send(installation, write_key)[0] == 200
        except OSError:
            return False

    wait_for(accepted, what="the collector to answer again")
    wait_for(
        lambda: any(victim in command for command in installation.descendants().values()),
        what=f"{victim} to be back",
    )

    def folded():
        stats = installation.amity_json("stats")
        stored = stats["events"]["stored"] - before["stored"]
        return stored >= 2 and stats["consumers"]["profiles"]["lag_events"] == 0

    wait_for(folded, what="the events to be folded", seconds=60)
    events = installation.amity_json("stats")["events"]
    assert events["received"] == sum(
        events[k] for k in ("stored", "duplicate", "quarantined", "refused")
    )


def test_the_children_of_a_killed_supervisor_go_and_the_data_stay(installation, write_key):
    assert send(installation, write_key)[0] == 200
    stored = installation.amity_json("stats")["events"]["stored"]
    children = set(installation.descendants())
    assert len(children) >= 4
    installation.process.kill()
    installation.process.wait()
    wait_for(
        lambda: not any(is_alive(pid) for pid in children),
        what="the children to end",
    )
    installation.start()
    assert installation.amity_json("stats")["events"]["stored"] >= max(stored, 1)


def test_parent_folders_keep_their_permissions(installation):
    assert installation.folder.stat().st_mode & 0o777 == 0o700


def test_without_a_server_commands_say_so(tmp_path):
    environment = {**os.environ, "AMITY_DATA": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "amity.cli", "stats"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "amity up" in done.stderr
    assert not (tmp_path / "none").exists()
