"""About this data: what is real, what is simulated, what was joined and how."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from amity.web.about_file import read_about
from amity.web.access import requires


@requires("about.read")
@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Say whose data this is, in the words the loader left."""
    return render(request, "about/about.html", {"about": read_about()})
