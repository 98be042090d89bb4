"""Permission at the door of every view: declared beside it, checked before it runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import quote

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from amity.web.restricting import is_restricted
from amity.web.staff.models import Staff
from amity.web.staff.permissions import Capability, can

P = ParamSpec("P")
R = TypeVar("R")

STEP_UP_AFTER: Final = timedelta(minutes=30)
"""How long after proving who they are staff may export, erase and issue keys (rule D27)."""


def requires(
    capability: Capability, *, step_up: bool = False
) -> Callable[
    [Callable[Concatenate[HttpRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Let only signed-in staff with ``capability`` in; others sign in, or get a 403.

    With ``step_up`` the password must have been given within the last half hour. The check
    comes before the view's first line, so a refused request changes nothing.
    """

    def decorate(
        view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not isinstance(request.user, Staff):
                return _away(request, reverse("sign_in"))
            if not can(request.user.role, capability):
                raise PermissionDenied
            if step_up and not is_confirmed(request):
                messages.info(request, "This needs your password once more.")
                return _away(request, reverse("confirm"))
            if request.method in {"GET", "HEAD"} and is_restricted(kwargs.get("profile_id")):
                told = {"profile_id": kwargs["profile_id"]}
                told["can_see_requests"] = can(request.user.role, "requests.read")
                return render(request, "restricted.html", told)
            return view(request, *args, **kwargs)

        guarded.capability = capability  # type: ignore[attr-defined]  # read by the house test
        return guarded

    return decorate


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Declare that a view is for everybody, signed in or not."""
    view.capability = None  # type: ignore[attr-defined]  # read by the house test
    return view


def staff_of(request: HttpRequest) -> Staff:
    """Return who is signed in; only for views behind `requires`."""
    if not isinstance(request.user, Staff):
        raise PermissionDenied
    return request.user


def may(request: HttpRequest, capability: Capability) -> bool:
    """Say whether whoever asks holds ``capability``, to show or hide a button."""
    return isinstance(request.user, Staff) and can(request.user.role, capability)


def is_confirmed(request: HttpRequest) -> bool:
    """Say whether this session proved who it is lately."""
    at = request.session.get("confirmed_at")
    return at is not None and datetime.now(UTC) - datetime.fromisoformat(at) < STEP_UP_AFTER


def mark_confirmed(request: HttpRequest, now: datetime) -> None:
    """Note in the session that its owner has just proved who they are."""
    request.session["confirmed_at"] = now.isoformat()


def _away(request: HttpRequest, address: str) -> HttpResponse:
    """Send the browser elsewhere, to come back after; for HTMX the whole page goes, not a piece."""
    back: Any = request.get_full_path() if request.method == "GET" else _referer_path(request)
    if getattr(request, "htmx", False):
        answer = HttpResponse(status=401)
        answer["HX-Redirect"] = f"{address}?next={quote(_current_path(request))}"
        return answer
    return redirect(f"{address}?next={quote(back)}")


def _current_path(request: HttpRequest) -> str:
    return str(request.htmx.current_url_abs_path or "/")  # type: ignore[attr-defined]


def _referer_path(request: HttpRequest) -> str:
    origin = f"{request.scheme}://{request.get_host()}/"
    referer = request.headers.get("Referer", "")
    return referer.removeprefix(origin[:-1]) if referer.startswith(origin) else "/"
