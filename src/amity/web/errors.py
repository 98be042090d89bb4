"""The pages for what went wrong, in the look of the rest."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from amity.kernel.errors import AmityError


def sentence(error: AmityError) -> str:
    """Return a refusal as a sentence, for a person."""
    return f"{error.message[:1].upper()}{error.message[1:].rstrip('.')}."


def denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403 without saying more than that."""
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404: nothing there, or nothing you may see."""
    return render(request, "404.html", status=404)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500 with the id under which the log has the details; touches nothing that may fail."""
    return render(
        None,  # no request: no session, no database, no rail
        "500.html",
        {"incident": request.META.get("amity.incident", "")},
        status=500,
    )


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without a valid token: an old page, or another site's."""
    return render(request, "stale.html", status=403)
