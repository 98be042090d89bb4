"""Whether messages may leave: the banner of every screen of Reach, and its three buttons."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from amity.broadcast import api as broadcast
from amity.kernel.errors import AmityError
from amity.web.access import may, requires, staff_of


def sentence(error: AmityError) -> str:
    """Return an error's message as a sentence."""
    text = error.message.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def show(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a screen of Reach: with what the banner says about sending."""
    told = context | {
        "sending": broadcast.sending_state(now=datetime.now(UTC)),
        "can_manage_sending": may(request, "sending.manage"),
    }
    return render(request, template, told, status=status)


def _back(request: HttpRequest) -> HttpResponse:
    to = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()})
    return redirect(to if is_ours else "messages")


@require_POST
@requires("sending.manage")
def arm(request: HttpRequest) -> HttpResponse:
    """Let messages leave from here, once the word was typed."""
    if request.POST.get("confirm", "").strip() != "send":
        notes.error(request, "Nothing leaves: the word typed was not “send”.")
        return _back(request)
    broadcast.arm_sending(
        by=staff_of(request).get_username(),
        now=datetime.now(UTC),
        keep_overdue=request.POST.get("keep_overdue") == "yes",
    )
    notes.success(request, "Sending is armed. Messages leave from here now.")
    return _back(request)


@require_POST
@requires("sending.manage")
def stop(request: HttpRequest) -> HttpResponse:
    """Stop everything that is not on the wire yet."""
    broadcast.stop_sending(by=staff_of(request).get_username(), now=datetime.now(UTC))
    notes.warning(request, "All sending is stopped. What waits keeps waiting until you resume.")
    return _back(request)


@require_POST
@requires("sending.manage")
def resume(request: HttpRequest) -> HttpResponse:
    """Go on after a stop."""
    broadcast.resume_sending(by=staff_of(request).get_username(), now=datetime.now(UTC))
    notes.success(request, "Sending goes on.")
    return _back(request)
