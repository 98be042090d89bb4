"""The wordings customers were asked in: every version, which holds now, and how it was answered."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.store import api as store
from amity.store import api_retention as keeping
from amity.store.contracts_consent import Notice
from amity.web.access import requires


@requires("profiles.read")
@require_safe
def show_notices(request: HttpRequest) -> HttpResponse:
    """List the wordings by key and language, the version that holds now first."""
    search = request.GET.get("q", "").strip().lower()
    answers = keeping.list_notice_answers()
    titles = {purpose.key: purpose.title for purpose in store.list_purposes()}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for notice in store.list_notices():
        if search in f"{notice.key} {notice.wording}".lower():
            versions = groups.setdefault((notice.key, notice.language), [])
            versions.append(_version(notice, answers, is_current=not versions))
    context = {
        "groups": [
            {"key": key, "language": language, "title": titles.get(key, ""), "versions": versions}
            for (key, language), versions in groups.items()
        ],
        "search": request.GET.get("q", ""),
    }
    return render(request, "consents/notices.html", context)


def _version(notice: Notice, answers: dict[str, Any], *, is_current: bool) -> dict[str, Any]:
    return {"is": notice, "answers": answers.get(notice.name), "is_current": is_current}
