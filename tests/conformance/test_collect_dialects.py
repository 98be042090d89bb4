import subprocess
import sys
from pathlib import Path

import pytest

from amity.edge.routes import Table
from amity.store.dialect import dialects
from amity.testing import dialects_kit

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.mark.parametrize("kind", list(dialects()), ids=lambda kind: kind.name)
@pytest.mark.parametrize("check", dialects_kit.CHECKS, ids=lambda check: check.__name__)
def test_dialect_conforms(kind, check):
    check(kind, dialects_kit.read_recordings(FIXTURES / kind.name))


def test_the_addresses_of_all_dialects_can_be_told_apart():
    table = Table(kind() for kind in dialects())
    for kind in dialects():
        for route in kind.routes:
            method, path = route.split(" ")
            match = table.find(f"/{path}//")
            assert match is not None, route
            assert match.methods[method][0].name == kind.name
        assert (table.find(f"/hooks/{kind.name}/key") is not None) == kind.has_hook
    assert table.find("/hooks/nobody/key") is None
    assert table.native["/v1/batch"] == "batch"


def test_a_part_of_an_address_may_hold_a_slash():
    table = Table(kind() for kind in dialects())
    for text in ("u1", "a/b", "a//b", "events", "x/devices"):
        match = table.find(f"/api/v1/customers/{text}/events")
        assert match is not None
        assert match.methods["POST"][1] == {"id": text}


def test_the_dialects_load_nothing_heavy_into_the_edge():
    code = (
        "import sys; from amity.store.hot import dialects; dialects();"
        "print(sorted({'django', 'ibis', 'pandas', 'openpyxl', 'pyarrow'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
