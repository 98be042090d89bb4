"""The consent ledger: its pages, one record, whether it is whole, and a customer's receipt."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from amity.store import api as store
from amity.store.contracts_consent import ConsentRecord, LedgerFilter
from amity.web.access import requires

PAGE: Final = 50
VERIFIED_HERE: Final = 200_000
"""A longer ledger is verified by the command: nobody waits that long for a page."""

STATUSES: Final = {
    "given": ("given", "good"),
    "denied": ("denied", "bad"),
    "withdrawn": ("withdrawn", "bad"),
    "expired": ("expired", "warn"),
    "invalidated": ("made void", "warn"),
    "pending": ("not yet shown to be theirs", "info"),
}


@requires("profiles.read")
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """List the ledger's records, filtered as the address says, the latest first."""
    chosen = read_filter(request)
    page = store.list_consent_records(filters=chosen, cursor=request.GET.get("after"), limit=PAGE)
    sources = _sources()
    context = {
        "rows": [_row(record, sources) for record in page.items],
        "next_cursor": page.next_cursor,
        "chosen": chosen,
        "is_narrow": chosen != LedgerFilter(),
        "purposes": store.list_purposes(),
        "statuses": [(key, words) for key, (words, _) in STATUSES.items()],
        "methods": store.list_consent_methods(),
        "sources": sorted(sources.items()),
        "total": store.count_consent_records(),
    }
    return render(request, "consents/list.html", context)


def read_filter(request: HttpRequest) -> LedgerFilter:
    """Return what the address asks for; what is no number is left out."""
    source, profile = request.GET.get("source", ""), request.GET.get("customer", "")
    return LedgerFilter(
        purpose=request.GET.get("purpose", ""),
        status=request.GET.get("status", ""),
        method=request.GET.get("method", ""),
        source_id=int(source) if source.isdecimal() and len(source) < 10 else None,
        profile_id=int(profile) if profile.isdecimal() and len(profile) < 19 else None,
    )


def _sources() -> dict[int, str]:
    return {source.source_id: source.name for source in store.list_sources()} | {1: "Amity"}


def _row(record: ConsentRecord, sources: dict[int, str]) -> dict[str, Any]:
    words, look = STATUSES[record.status]
    return {
        "is": record,
        "words": words,
        "look": look,
        "source": sources.get(record.source_id, f"source {record.source_id}"),
    }


@requires("profiles.read")
@require_safe
def show_one(request: HttpRequest, record_id: int) -> HttpResponse:
    """Show one record: what was said, in answer to which words, and its place in the chain."""
    record = store.get_consent_record(record_id=record_id)
    evidence = msgspec.json.decode(record.evidence) if record.evidence else {}
    context = {
        **_row(record, _sources()),
        "notice": store.find_notice(name=record.notice),
        "evidence": sorted(evidence.items()) if isinstance(evidence, dict) else [],
        "hash": record.hash.hex(),
        "prev_hash": record.prev_hash.hex(),
    }
    return render(request, "consents/one.html", context)


@requires("profiles.read")
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Go through the ledger and say whether it is whole; a long one is left to the command."""
    total = store.count_consent_records()
    is_long = total > VERIFIED_HERE
    verdict = None if is_long else store.verify_consents()
    context = {"verdict": verdict, "is_long": is_long, "total": total}
    name = "consents/_verdict.html" if request.htmx else "consents/verified.html"  # type: ignore[attr-defined]
    return render(request, name, context)


@requires("profiles.read")
@require_safe
def download_receipt(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Answer a customer's signed receipt as a file, to give to them."""
    receipt = store.make_consent_receipt(profile_id=profile_id, now=datetime.now(UTC))
    body = msgspec.json.format(msgspec.json.encode(receipt), indent=2)
    answer = HttpResponse(body, content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="consents-{receipt.receipt_id}.json"'
    return answer
