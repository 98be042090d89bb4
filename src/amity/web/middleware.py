"""What surrounds every request: health, security headers, the reader's zone, error pages."""

import logging
import secrets
import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from amity.infra import database
from amity.infra.config import settings
from amity.kernel.errors import AmityError, Kind, Unavailable

_log = logging.getLogger(__name__)
_Next = Callable[[HttpRequest], HttpResponseBase]

_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# The admin's own pages (django-unfold) carry inline scripts and Alpine, which evaluates.
_ADMIN_POLICY: Final = _POLICY.replace(
    "script-src 'self'", "script-src 'self' 'unsafe-inline' 'unsafe-eval'"
).replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_DJANGOS_OWN: Final = (PermissionDenied, Http404, SuspiciousOperation, BadRequest)

STATUS: Final[dict[Kind, int]] = {
    "invalid": 422,
    "not_found": 404,
    "conflict": 409,
    "denied": 403,
    "unavailable": 503,
}


class Health:
    """Answers `/health/live` and `/health/ready` before anything else looks at the request."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/health/live":
            return JsonResponse({"status": "live"})
        if request.path == "/health/ready":
            return self._ready()
        return self.get_response(request)

    def _ready(self) -> HttpResponseBase:
        try:
            with database.transaction() as connection:
                connection.execute("SELECT 1")
        except (Unavailable, psycopg.Error):
            return JsonResponse({"status": "unready", "database": "unreachable"}, status=503)
        return JsonResponse({"status": "ready", "database": "reachable"})


class Headers:
    """Adds the headers that keep a page to itself (rule D43), and no-store on private pages."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        policy = _ADMIN_POLICY if request.path.startswith("/admin/") else _POLICY
        response.setdefault("Content-Security-Policy", policy)
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.setdefault("Cache-Control", "no-store")
        return response


class ReaderZone:
    """Tells times in the reader's zone, which the script leaves in the cookie `tz`."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        timezone.activate(
            _zone(request.COOKIES.get("tz", "")) or _zone(settings().time_zone) or ZoneInfo("UTC")
        )
        return self.get_response(request)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name in zoneinfo.available_timezones() else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None


class Errors:
    """Turns the errors engines raise into pages; the API, which speaks JSON, has its own."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer with the error's page; None leaves it to Django (a 500 with an id)."""
        if request.path.startswith("/api/") or isinstance(error, _DJANGOS_OWN):
            return None
        if isinstance(error, psycopg.OperationalError):
            error = Unavailable("the database cannot be reached now")
        if isinstance(error, AmityError):
            status = STATUS[error.kind]
            template = {404: "404.html", 403: "403.html"}.get(status, "problem.html")
            return render(request, template, {"message": error.message}, status=status)
        request.META["amity.incident"] = incident = secrets.token_hex(4)
        _log.error("incident %s", incident, exc_info=error)
        return None
