"""`amity demo load` into a running Amity: killed, resumed, repeated. The generated shop only."""

import fcntl
import importlib.util
import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from amity.cli.demo.about import About
from amity.cli.demo.people import assign_people, write_customers
from amity.cli.demo.shop import Calendar
from amity.cli.demo.stand_in import StandIn
from amity.cli.demo.understand import SEGMENTS
from amity.testing.installation import wait_for
from amity.testing.template import begin_with

LOAD = ("demo", "load", "--offline")


@pytest.fixture(scope="module")
def installation(tmp_path_factory, template):
    made = begin_with(template, tmp_path_factory.mktemp("demo"))
    made.start()
    yield made
    made.stop()


def folder(installation) -> Path:
    return Path(installation.environment["AMITY_DATA"]) / "demo"


def sent(installation) -> dict:
    try:
        return json.loads((folder(installation) / "sent.json").read_bytes())["sent"]
    except FileNotFoundError:
        return {}


def kill_a_load(installation) -> None:
    """Start a load and kill it once it has sent some of its events."""
    process = subprocess.Popen(
        [sys.executable, "-m", "amity.cli", *LOAD],
        env=installation.environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: "Calls" in sent(installation), what="the first events")
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def expected_events(about: About) -> int:
    """Count what the generators give for the moment the installation's demo began."""
    path = Path(__file__).parents[1] / "unit" / "test_demo_events.py"
    spec = importlib.util.spec_from_file_location("demo_events", path)
    events = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(events)
    events.NOW = datetime.fromisoformat(about.database)
    data = StandIn()
    calendar = Calendar.ending_today(events.NOW, data.last_day)
    rows = write_customers(assign_people(data), calendar).count(b"\n") - 1
    return len(events.all_events(data)) + rows


def test_a_killed_load_goes_on_and_a_second_one_adds_nothing(installation):
    kill_a_load(installation)
    cut_off = json.loads((folder(installation) / "about.json").read_bytes())
    assert cut_off["stand_in"] is True
    assert cut_off["loaded_at"] is None

    loaded = installation.amity_json(*LOAD)
    about = About(**{**loaded["about"], "loaded_at": None})
    assert loaded["was_loaded"] is False
    assert about.counts["events stored"] == expected_events(about)
    assert about.counts["events quarantined"] == 0
    assert about.counts["orders"] > 1_000
    stats = installation.amity_json("stats")
    assert all(consumer["lag_events"] == 0 for consumer in stats["consumers"].values())
    assert stats["profiles"] == about.counts["customers"] > 100
    assert stats["merges"] > 20

    again = installation.amity_json("demo", "load", "--full")
    assert again["was_loaded"] is True
    assert installation.amity_json("stats")["events"] == stats["events"]

    # As if the demo's folder had been lost: everything is sent again, nothing is added.
    (folder(installation) / "about.json").unlink()
    (folder(installation) / "sent.json").unlink()
    repeated = installation.amity_json(*LOAD)
    assert repeated["about"]["counts"]["events stored"] == about.counts["events stored"]
    assert repeated["about"]["counts"]["duplicates"] >= about.counts["events stored"]
    assert repeated["about"]["counts"]["events quarantined"] == 0

    segments = {s["name"]: s for s in installation.amity_json("segment", "list")["items"]}
    assert {name for name, _, _ in SEGMENTS} <= set(segments)
    assert all(segments[name]["state"] == "live" for name, _, _ in SEGMENTS)
    assert segments["Bought in the last 30 days"]["members"] > 10


def test_two_loads_at_once_are_refused(installation):
    kept = folder(installation) / "load.lock"
    kept.parent.mkdir(exist_ok=True)
    with kept.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = installation.amity(*LOAD, check=False)
    assert done.returncode == 1
    assert "another process is loading the demo" in done.stderr
