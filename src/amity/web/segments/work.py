"""How far long work of the segments is, and stopping it."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from amity.web import working
from amity.web.access import requires


@require_GET
@requires("segments.read")
def show_work(request: HttpRequest, work_id: int) -> HttpResponse:
    """Show how far work is."""
    return working.show_work(request, work_id, "segments")


@require_POST
@requires("segments.read")
def stop_work(request: HttpRequest, work_id: int) -> HttpResponse:
    """Stop work; what was found before stays."""
    return working.stop_work(request, work_id, "segments")
