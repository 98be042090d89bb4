"""Amity needs no root: everything runs as an ordinary user, in a folder of that user's."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

import amity
from amity.testing.installation import Installation, wait_for

USER = "nobody"
# Started once more from within: `setpriv` itself gives up its rights only as it starts a program.
PROBE = """
import amity.cli.main, amity.edge.app, django, granian, numba, psycopg
import subprocess, sys
subprocess.run([sys.executable, "-c", "pass"], check=True)
"""


def drop_to(user):
    """How to start a program as a user without any right of root's."""
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *("--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"),
        *("--pdeathsig=INT", "--"),
    ]


def find_python(prefix, environment):
    """Return a Python the user can run Amity with, or why there is none.

    This one may lie in root's own folder; then the system's will do, if it is of the same version
    and the user can read the packages.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    reasons = []
    for python in dict.fromkeys(
        (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin"))
    ):
        if python is None:
            continue
        command = [*prefix, python, "-c", PROBE]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd="/"
        )
        if done.returncode == 0:
            return python, ""
        reasons.append(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    return None, "; ".join(reasons)


@pytest.fixture
def owned():
    """A folder that belongs to the ordinary user; not below pytest's, which is closed to it."""
    if os.geteuid() != 0:
        pytest.skip("this is an ordinary user already: every other test shows it")
    user = pwd.getpwnam(USER)
    folder = Path(tempfile.mkdtemp(prefix="amity-user-"))
    os.chown(folder, user.pw_uid, user.pw_gid)
    yield folder, user
    shutil.rmtree(folder)


def test_everything_runs_as_an_ordinary_user(owned):
    folder, user = owned
    made = Installation(folder)
    packages = [str(Path(amity.__file__).parents[1]), sysconfig.get_path("purelib")]
    made.environment.update(
        PYTHONPATH=os.pathsep.join(packages),
        PYTHONDONTWRITEBYTECODE="1",
        HOME="/nonexistent",
        USER=USER,
    )
    made.environment.pop("XDG_CACHE_HOME", None)
    prefix = drop_to(user)
    python, reason = find_python(prefix, made.environment)
    if python is None:
        pytest.skip(f"{USER} cannot run Amity from here: {reason}")
    made.python = [*prefix, python]
    made.start()
    try:
        pids = [made.process.pid, *made.descendants()]
        assert {os.stat(f"/proc/{pid}").st_uid for pid in pids} == {user.pw_uid}
        assert all(has_no_capability(pid) for pid in pids)
        key = made.amity_json("source", "create", "Stall")["write_key"]
        event = {"userId": "u1", "event": "Ping", "messageId": str(uuid4())}
        assert made.collect("track", event, key)[0] == 200
        wait_for(lambda: made.amity_json("stats")["profiles"] == 1, what="the profile", seconds=60)
        assert made.amity_json("doctor")["healthy"]
    finally:
        assert made.stop() == 0
    strange = [p for p in folder.rglob("*") if p.lstat().st_uid != user.pw_uid and p != made.output]
    assert strange == []
    assert (folder / "data" / "postgres").stat().st_mode & 0o777 == 0o700
    assert (folder / "data" / "secrets.json").stat().st_mode & 0o777 == 0o600


def has_no_capability(pid):
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return all(
        int(line.split()[1], 16) == 0 for line in status.splitlines() if line.startswith("Cap")
    )
