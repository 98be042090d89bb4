"""Nobody decides by consents past the gate: who reads them is listed here, with the reason why."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "amity"

# Who touches a profile's consents, and for what.
READERS = {
    "store/contracts.py": "says whether a profile's processing is restricted",
    "store/logic/folding/fold.py": "makes them",
    "store/logic/folding/pack.py": "writes them",
    "store/logic/profiles/subjects.py": "gives rules what was said, and what the gate makes of it",
    "rules/conditions/said_yes.py": "the rule that asks what was said",
    "personalization/logic/facts.py": "what the gate judged, kept for decisions",
    "personalization/logic/facts_loading.py": "asks the gate",
    "personalization/logic/judging.py": "uses what the gate judged",
    "personalization/logic/profile_cache.py": "keeps what the gate judged",
    "web/api/documents.py": "shows what was said",
    "web/customers/refused.py": "shows which no still holds",
    "web/customers/past.py": "asks the gate how it stood on a day",
    "cli/profile.py": "shows what was said",
    "store/logic/profiles/past.py": "makes them as they were on a day",
    "analysis/reports/scorecard.py": "counts who has said anything",
    "analysis/store_estimates/send_channel.py": "tells silence from opens nobody may count",
    "analysis/store_estimates/send_time.py": "tells silence from opens nobody may count",
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
# Who asks the gate, by its one function or by what it is made of.
ASKS = {
    "store/logic/consent/gate.py": "is the gate",
    "store/logic/consent/statements.py": "is the gate's rule in memory",
    "store/logic/consent/choices.py": "a preference page shows what is allowed",
    "store/logic/profiles/subjects.py": "rules in memory",
    "store/logic/folding/fold.py": "joins consents in a merge",
    "store/logic/outbound/queueing.py": "webhooks",
    "store/logic/telling/enriching.py": "whom others are asked about",
    "analysis/logic/exporting.py": "exports of segments",
    "analysis/logic/segments_catalogue.py": "rules in SQL",
    "analysis/logic/following_book.py": "rules, of somebody of whom nothing is known",
    "personalization/logic/facts_loading.py": "decisions",
    "rules/conditions/consent.py": "the rule itself",
    "rules/selection.py": "the place of the gate in a rule's SQL",
    "cli/segment.py": "lists who is in a segment",
    "web/purposes.py": "downloads and the control API",
    "web/restricting.py": "staff pages of whoever may only be kept",
}
GATE = {
    *("may_use", "reason_of", "window_of", "list_windows", "judge_consents", "use_condition"),
    "combine_consents",
}
# Whatever lets a browser keep a file: past the gate, or why it need not ask.
FILES = {
    "web/reports/customers.py": "asks",
    "web/customers/export.py": "asks",
    "web/segments/export.py": "asks",
    "web/campaigns/export.py": "asks",
    "web/exports/views.py": "hands out what an export wrote, which asked",
    "web/imports/views.py": "hands back what staff brought here",
    "web/requests/doing.py": "her own copy",
    "web/retention/history.py": "counts of what was removed; about no customer",
    "web/segments/listed.py": "segments and how many are in each; about no customer",
}
ASKING = {"only_allowed", "list_allowed", "ensure_allowed"}
# Tables of consent, and who may name them besides the store's own queries.
TABLES = re.compile(r"\bstore_(consent|contact_point|purpose)\b")
NAMES = {
    "analysis/sql/segments_following.sql": "sees that a purpose has changed",
    "broadcast/sql/gate.sql": "gives the gate its row",
    "broadcast/sql/targeting.sql": "gives the gate its row",
    "broadcast/sql/sending.sql": "gives the gate its row",
    "broadcast/sql/measuring.sql": "gives the gate its row",
    "store/sql/consents.sql": "the ledger and the gate",
    "store/sql/contact_points.sql": "addresses and the gate",
    "store/sql/imports.sql": "holds back who had left",
    "store/sql/requests.sql": "her own copy",
    "store/sql/retention.sql": "what is kept how long",
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


@cache
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


def askers(trees: dict[str, ast.Module], names: set[str]) -> set[str]:
    """Name the modules that use one of these functions."""
    return {
        place
        for place, tree in trees.items()
        for node in ast.walk(tree)
        if getattr(node, "id", getattr(node, "attr", None)) in names
    }


def test_who_reads_consents_is_known():
    assert readers(trees()) == READERS.keys()


def test_which_queries_read_consents_is_known():
    found = {place for place, text in queries().items() if re.search(r"\bconsents\b", text)}
    assert found == QUERIES.keys()


def test_who_asks_the_gate_is_known():
    assert askers(trees(), GATE) == ASKS.keys()


def test_which_queries_name_the_tables_of_consent_is_known():
    assert {place for place, text in queries().items() if TABLES.search(text)} == NAMES.keys()


def test_whatever_hands_out_a_file_asks_the_gate_or_need_not():
    found = askers(trees(), {"StreamingHttpResponse", "FileResponse"})
    assert found == FILES.keys()
    asking = askers(trees(), ASKING)
    assert {place for place, why in FILES.items() if why == "asks"} <= asking


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


def test_the_look_at_files_finds_a_breach():
    breach = "def f(request):\n    return StreamingHttpResponse(all_customers())"
    assert askers({"x.py": ast.parse(breach)}, {"StreamingHttpResponse"}) == {"x.py"}
    assert askers({"x.py": ast.parse(breach)}, ASKING) == set()
