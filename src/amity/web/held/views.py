"""The data map as a page, and the erasures that were carried out."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.infra.data_map import DataMap, HeldFile, HeldTable, read_map
from amity.store import api as store
from amity.store import api_retention as keeping
from amity.store.contracts_retention import RetentionRule, TableSize
from amity.web.access import requires
from amity.web.retention.sweeping import all_sweeps
from amity.web.retention.words import BASES, size_words

_ERASED: Final = {"delete": "deleted", "blank": "emptied of everything personal"}
_LIVES: Final = "as long as the customer is known"
_STAYS: Final = "as long as Amity runs"
Rules = dict[str, list[RetentionRule]]


@require_safe
@requires("about.read")
def show(request: HttpRequest) -> HttpResponse:
    """Show what can hold something personal; with `all`, also what cannot."""
    held, rules = read_map(), _rules_by_name()
    shows_all = "all" in request.GET
    search = request.GET.get("q", "").strip().lower()
    tables = _lines(held, rules, shows_all=shows_all, search=search)
    files = [each for each in held.files if each.personal or shows_all]
    erasures = store.list_erasures(cursor=request.GET.get("cursor"), limit=20)
    page = {
        "tables": tables,
        "files": [
            {"it": each, "erasure": _words(each), "rules": rules.get(each.name, [])}
            for each in files
            if search in f"{each.name} {each.holds}".lower()
        ],
        "hidden": sum(not each.personal for each in held.tables),
        "shows_all": shows_all,
        "search": request.GET.get("q", ""),
        "gaps": held.gaps,
        "erasures": erasures.items,
        "large": sorted(store.list_large()),
        "next_cursor": erasures.next_cursor,
    }
    return render(request, "held/held.html", page)


def _lines(held: DataMap, rules: Rules, *, shows_all: bool, search: str) -> list[dict[str, Any]]:
    sizes = keeping.list_table_sizes()
    return [
        _line(each, rules.get(each.name, []), sizes.get(each.name))
        for each in held.tables
        if (each.personal or shows_all)
        and search in f"{each.name} {each.holds} {' '.join(each.personal)}".lower()
    ]


def _line(held: HeldTable, rules: list[RetentionRule], size: TableSize | None) -> dict[str, Any]:
    return {
        "it": held,
        "whose": _whose(held),
        "erasure": _words(held),
        "rules": rules,
        "bases": BASES,
        "size": size,
        "size_words": size_words(size.size_bytes) if size else "",
        "until": _LIVES if held.erase in _ERASED else _STAYS,
    }


def _whose(held: HeldTable) -> str:
    if not held.personal:
        return "about nobody"
    if held.erase.startswith("keep: about staff") or all(n.endswith("_by") for n in held.personal):
        return "about staff"
    return "about one customer a row" if held.subject else "may name customers"


def _rules_by_name() -> Rules:
    found: Rules = {}
    for rule in keeping.list_retention_rules(all_sweeps()):
        for name in rule.tables:
            found.setdefault(name, []).append(rule)
    return found


def _words(held: HeldTable | HeldFile) -> str:
    """Say what an erasure does to it."""
    return _ERASED.get(held.erase, held.erase.replace("keep: ", "kept: ", 1))
