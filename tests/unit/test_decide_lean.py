"""What the edge imports to decide is light: no Django, no SciPy, no Numba, no database."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (
            "amity.personalization.logic.deciding, amity.personalization.contracts",
            {"django", "scipy", "numba", "psycopg", "procrastinate"},
        ),
        (
            "amity.personalization.logic.snapshot_reading, "
            "amity.personalization.logic.facts_loading",
            {"django", "scipy", "numba", "procrastinate"},
        ),
    ],
)
def test_deciding_loads_only_what_it_needs(modules, heavy):
    code = (
        f"import sys, {modules}\n"
        "from amity.personalization.policy import load_policies\n"
        "load_policies()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(done.stdout.split())
