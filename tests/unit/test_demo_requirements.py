"""The demo's packages are pinned in one way, wherever they are named."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

from amity.cli.demo.about import describe


def test_the_pins_agree_and_every_one_has_a_hash():
    text = (files("amity.cli.demo") / "requirements.txt").read_text("utf-8")
    pinned = re.findall(
        r"^([\w-]+==[\w.]+) \\\n    --hash=sha256:[0-9a-f]{64}$", text, re.MULTILINE
    )
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert sorted(pinned) == sorted(project["project"]["optional-dependencies"]["demo"])
    assert text.count("==") == len(pinned)


def test_the_page_names_every_package_in_its_version():
    text = (files("amity.cli.demo") / "requirements.txt").read_text("utf-8")
    about = describe(
        stand_in=False, is_full=False, sources=[], counts={}, loaded_at=None, database=""
    )
    told = " ".join(about.simulated)
    pinned = re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE)
    assert pinned
    for name, version in pinned:
        assert f"{name} {version}" in told
