"""Nobody decides by consents past the gate: who reads them is listed here, with the reason why."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "amity"

# Who touches a profile's consents, and for what.
READERS = {
    "store/logic/folding/fold.py": "makes them",
    "store/contracts.py": "says whether all use is restricted",
    "store/logic/folding/pack.py": "writes them",
    "store/logic/profiles/subjects.py": "what was said, for rules that ask what was said",
    "rules/expr.py": "the rule that asks what was said",
    "personalization/logic/facts.py": "what the gate judged, kept for decisions",
    "personalization/logic/facts_loading.py": "asks the gate",
    "personalization/logic/judging.py": "uses what the gate judged",
    "personalization/logic/profile_cache.py": "keeps what the gate judged",
    "web/api/endpoints/consents.py": "shows them",
    "web/customers/views.py": "shows them",
    "web/customers/refused.py": "shows which no still holds",
    "web/customers/past.py": "shows them as they were on a day",
    "cli/profile.py": "shows them",
    "store/logic/warehousing.py": "copies them",
    "store/logic/profiles/past.py": "makes them as they were on a day",
}
QUERIES = {
    "store/sql/folding.sql": "writes them",
    "store/sql/profiles.sql": "loads a profile",
    "store/sql/contact_points.sql": "asks the gate; loads what was said",
    "store/sql/consents.sql": "asks the gate",
    "broadcast/sql/gate.sql": "asks the gate",
    "broadcast/sql/targeting.sql": "asks the gate",
    "broadcast/sql/sending.sql": "asks the gate",
    "broadcast/sql/measuring.sql": "asks the gate",
    "store/sql/warehouse.sql": "copies them",
    "analysis/sql/segments.sql": "looks which purposes exist",
}
DECIDES = re.compile(r"consents?\b[^;]{0,80}?'?status'?[^;]{0,20}?=\s*'granted'", re.DOTALL)


def readers(trees: dict[str, ast.Module]) -> set[str]:
    """Name the modules that take `.consents` of something."""
    return {
        place
        for place, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "consents" and not _is_module(node)
    }


def _is_module(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"endpoints", "args"}


def trees() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(SOURCE)): ast.parse(path.read_text("utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
        if "testing" not in path.parts and "migrations" not in path.parts
    }


def queries() -> dict[str, str]:
    return {
        str(path.relative_to(SOURCE)): re.sub(r"--[^\n]*", "", path.read_text("utf-8"))
        for path in sorted(SOURCE.rglob("*.sql"))
        if "migrations" not in path.parts
    }


def test_who_reads_consents_is_known():
    assert readers(trees()) - READERS.keys() == set()


def test_which_queries_read_consents_is_known():
    found = {place for place, text in queries().items() if re.search(r"\bconsents\b", text)}
    assert found - QUERIES.keys() == set()


def test_no_query_decides_by_itself():
    assert [place for place, text in queries().items() if DECIDES.search(text)] == []


@pytest.mark.parametrize(
    "breach",
    [
        "WHERE p.consents #>> '{marketing.email,status}' = 'granted'",
        "WHERE p.consents -> 'x' ->> 'status' = 'granted'",
    ],
)
def test_the_look_at_queries_finds_a_breach(breach):
    assert DECIDES.search(breach)


def test_the_look_at_modules_finds_a_breach():
    breach = "def f(profile):\n    return profile.consents['x'].status == 'granted'"
    assert readers({"x.py": ast.parse(breach)}) == {"x.py"}
