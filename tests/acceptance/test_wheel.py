"""The wheel carries all that Amity needs beside its code, and runs from outside the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # From a copy: a build leaves its traces in the folder it builds.
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(
        ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    [made] = out.glob("*.whl")
    return made


def test_every_file_of_the_package_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    wanted = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "amity").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - carried == set()
    assert {"html", "sql", "css", "js"} <= {name.rpartition(".")[2] for name in carried}


def test_it_runs_without_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    script = "import amity, amity.cli.main as cli; print(amity.__file__); cli.main(['--version'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path / "installed") in done.stdout
    assert "amity 0." in done.stdout
