"""Chaos in short rounds; `pytest tests/chaos --chaos-rounds 20` makes them twenty times longer."""

import shutil
import subprocess
from pathlib import Path

import pytest

from amity.testing.template import begin_with

OPTION = "--chaos-rounds"
FOLDER = Path(__file__).parent
SECONDS_ALLOWED = 360


def pytest_addoption(parser):
    parser.addoption(OPTION, type=int, default=1, help="how many times longer chaos reigns")


def pytest_collection_modifyitems(config, items):
    limit = SECONDS_ALLOWED * config.getoption(OPTION, 1)
    for item in items:
        if FOLDER in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(limit))


@pytest.fixture(scope="session")
def rounds(request):
    return request.config.getoption(OPTION, 1)


@pytest.fixture(scope="package")
def installation(tmp_path_factory, template):
    """One Amity for all that is done to it from outside; each test brings its own source."""
    made = begin_with(template, tmp_path_factory.mktemp("chaos")).without_mail()
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def source(installation, request):
    """A source of the test's own: `source_id` and `write_key`."""
    return installation.amity_json("source", "create", request.node.name, "--kind", "server")


@pytest.fixture(scope="module")
def make_small_disk(tmp_path_factory):
    """Makes folders on disks of their own of 512 MiB; skipped where no disk may be mounted."""
    if shutil.which("mount") is None:
        pytest.skip("there is no program `mount` here")
    folders = []

    def make():
        folder = tmp_path_factory.mktemp("disk")
        command = ["mount", "-t", "tmpfs", "-o", "size=512m,mode=0755", "amity-chaos", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield make
    for folder in folders:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
