"""Visits by where they came from, and the pages of the own site with their reading."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from amity.kernel.errors import AmityError
from amity.store import api as store
from amity.store import api_fetching
from amity.store.contracts_visits import Site
from amity.web.access import may, requires, staff_of
from amity.web.visits.words import KINDS, PAGE_KINDS, STATES, interests_of, top_topics

PERIODS: Final = {"7": "7 days", "30": "30 days", "90": "90 days"}
PAGE: Final = 50
_UNDER_WAY: Final = ("waiting", "running")


@requires("visits.read")
@require_GET
def show_visits(request: HttpRequest) -> HttpResponse:
    """Show where visits came from: people's, and machines' beside them."""
    days = request.GET.get("days", "30")
    days = days if days in PERIODS else "30"
    shares = store.list_visit_shares(since=datetime.now(UTC) - timedelta(days=int(days)))
    people = sum(share.people for share in shares)
    machines = sum(share.machines for share in shares)
    context = {
        "shares": [{"is": share, "kind": KINDS[share.referrer_kind]} for share in shares],
        "people": people,
        "machines": machines,
        "all": people + machines,
        "bounces": sum(share.bounces for share in shares),
        "orders": sum(share.orders for share in shares),
        "most": max((share.people for share in shares), default=0),
        "days": days,
        "periods": PERIODS,
    }
    return render(request, "visits/visits.html", context)


@requires("visits.read")
@require_GET
def show_pages(request: HttpRequest) -> HttpResponse:
    """Show the pages of the site that were read, and how the reading stands."""
    search, kind = request.GET.get("q", ""), request.GET.get("kind", "")
    kind = kind if kind in PAGE_KINDS else ""
    crawls = api_fetching.list_crawls(limit=1)
    context: dict[str, Any] = {
        "crawl": crawls[0] if crawls else None,
        "is_reading": bool(crawls) and crawls[0].state in _UNDER_WAY,
        "states": STATES,
        "can_write": may(request, "site.write"),
        "site": api_fetching.get_site(),
    }
    if getattr(request, "htmx", False) and request.GET.get("part") == "reading":
        return render(request, "visits/_reading.html", context)
    page = api_fetching.list_site_pages(
        search=search, kind=kind, limit=PAGE, cursor=request.GET.get("after") or None
    )
    counts = api_fetching.count_site_pages()
    context |= {
        "pages": [
            {"is": one, "kind": PAGE_KINDS.get(one.kind, ""), "topics": top_topics(one.topics)}
            for one in page.items
        ],
        "next_cursor": page.next_cursor,
        "search": search,
        "kind": kind,
        "kinds": [(key, PAGE_KINDS[key], counts.get(key, 0)) for key in PAGE_KINDS if key],
        "total": sum(counts.values()),
    }
    return render(request, "visits/pages.html", context)


@requires("visits.read")
@require_GET
def show_page(request: HttpRequest) -> HttpResponse:
    """Show what one page says it is about."""
    page = api_fetching.get_site_page(url=request.GET.get("url", ""))
    context = {
        "page": page,
        "kind": PAGE_KINDS.get(page.kind, "") or "a page",
        "topics": interests_of(page.topics),
        "items": page.facts.get("schema", []),
        "graph": page.facts.get("open_graph", {}),
    }
    return render(request, "visits/page.html", context)


@requires("site.write")
@require_http_methods(["GET", "POST"])
def configure(request: HttpRequest) -> HttpResponse:
    """Say which site is the company's own, and how it is read."""
    site, error = api_fetching.get_site(), ""
    if request.method == "POST":
        site = _read_form(request)
        try:
            api_fetching.configure_site(site=site, by=staff_of(request).get_username())
        except AmityError as refusal:
            error = f"{refusal.message[:1].upper()}{refusal.message[1:].rstrip('.')}."
        else:
            messages.success(request, "Kept. Only pages of these hosts are ever asked for.")
            return redirect("site_pages")
    context = {"site": site, "starts": "\n".join(site.start_urls), "error": error}
    return render(request, "visits/settings.html", context, status=422 if error else 200)


def _read_form(request: HttpRequest) -> Site:
    usual = Site()
    return Site(
        is_enabled=request.POST.get("is_enabled") == "on",
        start_urls=request.POST.get("start_urls", "").split(),
        max_pages=_number(request, "max_pages", usual.max_pages),
        max_depth=_number(request, "max_depth", usual.max_depth),
        every_days=_number(request, "every_days", usual.every_days),
    )


def _number(request: HttpRequest, name: str, usual: int) -> int:
    text = request.POST.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else usual


@requires("site.write")
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Have the site read now, or have the reading stop."""
    now = datetime.now(UTC)
    if request.POST.get("do") == "stop":
        api_fetching.stop_crawl(now=now)
        messages.success(request, "The reading ends after the page it is at.")
        return redirect("site_pages")
    try:
        api_fetching.ask_crawl(by=staff_of(request).get_username(), now=now)
    except AmityError as refusal:
        messages.error(request, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    else:
        messages.success(request, "The site is read from now on, a page a second at most.")
    return redirect("site_pages")
