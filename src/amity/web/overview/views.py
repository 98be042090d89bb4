"""The overview."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.web.access import requires


@requires("overview.read")
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show acquisition, expansion and retention at a glance."""
    return render(request, "overview/overview.html", {})
