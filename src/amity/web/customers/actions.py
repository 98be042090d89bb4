"""What can be done to a customer: taking a join apart, writing to them again, erasing them."""

from datetime import UTC, datetime
from typing import get_args

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from amity.kernel.errors import NotFound
from amity.store import api as store
from amity.store.contracts import Channel
from amity.web.access import requires, staff_of
from amity.web.customers.words import who
from amity.web.erasing import erase_customer
from amity.web.lifting import lift_suppression


@requires("profiles.unmerge")
@require_POST
def undo_merge(request: HttpRequest, profile_id: int, merge_id: int) -> HttpResponse:
    """Take one join of this customer's apart; it is recorded as an event."""
    _require_merge(profile_id, merge_id)
    store.unmerge(merge_id=merge_id, by=staff_of(request).username, now=datetime.now(UTC))
    messages.success(request, "The join was undone: they are two profiles again.")
    return redirect("customer", profile_id=profile_id)


def _require_merge(profile_id: int, merge_id: int) -> None:
    """Raise NotFound unless the merge is one of this customer's."""
    cursor: str | None = None
    while True:
        page = store.list_merges(profile_id=profile_id, cursor=cursor)
        if any(merge.merge_id == merge_id for merge in page.items):
            return
        cursor = page.next_cursor
        if cursor is None:
            raise NotFound("this customer has no such join")


@requires("sending.manage")
@require_POST
def lift(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Let one of this customer's addresses be written to again; what was refused stays refused."""
    for channel in get_args(Channel):
        if channel == request.POST.get("channel"):
            point = lift_suppression(
                profile_id=profile_id,
                channel=channel,
                address_key=request.POST.get("address_key", ""),
            )
            messages.success(request, f"{point.address} is not blocked any more.")
    return redirect("customer", profile_id=profile_id)


@requires("profiles.erase", step_up=True)
@require_POST
def erase(request: HttpRequest, profile_id: int) -> HttpResponse:
    """Erase a customer for good, when their name was typed exactly."""
    profile = store.get_profile(profile_id=profile_id)
    if request.POST.get("confirm", "").strip() != who(profile):
        messages.error(request, "Nothing was erased: the name typed was not theirs.")
        return redirect("customer", profile_id=profile.profile_id)
    counts = erase_customer(
        profile_id=profile.profile_id, by=staff_of(request).username, now=datetime.now(UTC)
    )
    gone = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    messages.success(request, f"Erased for good: {gone}.")
    return redirect("customers")
