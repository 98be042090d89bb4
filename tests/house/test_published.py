"""The table of published figures names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_holds_a_published_figure_is_there():
    named = NAMED.findall((ROOT / "docs/algorithms/published.md").read_text("utf-8"))
    assert len(named) > 5
    gone = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert not gone
