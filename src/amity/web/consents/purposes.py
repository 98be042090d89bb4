"""What data is used for: the list, and changing one purpose with the words customers read."""

from datetime import UTC, datetime
from typing import Any, Final, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store.contracts_consent import LawfulBasis, Purpose
from amity.web.access import may, requires, staff_of

BASES: Final[dict[LawfulBasis, str]] = {
    "consent": "they said yes",
    "soft_opt_in": "they bought and did not object (soft opt-in)",
    "legitimate_interest": "our legitimate interest, until they object",
    "contract": "needed for a contract with them",
    "legal_obligation": "the law demands it",
}
CHANNELS: Final = ("email", "sms", "push")


@requires("profiles.read")
@require_safe
def show_list(request: HttpRequest) -> HttpResponse:
    """List what data is used for."""
    notices = store.latest_notices()
    rows = [
        {"is": purpose, "basis": BASES[purpose.basis], "notice": notices.get(purpose.key)}
        for purpose in store.list_purposes()
    ]
    context = {"rows": rows, "can_write": may(request, "purposes.write")}
    return render(request, "consents/purposes.html", context)


@requires("purposes.write")
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Describe a new purpose."""
    blank = Purpose(key="", title="", covers="")
    return _form(request, blank, is_new=True)


@requires("purposes.write")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, key: str) -> HttpResponse:
    """Change a purpose; new words become a new version of its notice."""
    return _form(request, store.get_purpose(key=key), is_new=False)


def _form(request: HttpRequest, purpose: Purpose, *, is_new: bool) -> HttpResponse:
    error = ""
    if request.method == "POST":
        try:
            purpose = _read(request, purpose, is_new=is_new)
            if is_new and purpose.key in {one.key for one in store.list_purposes()}:
                raise Invalid("there is a purpose with this key already")
            store.save_purpose(
                purpose=purpose, by=staff_of(request).username, now=datetime.now(UTC)
            )
        except Invalid as refusal:
            error = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
        else:
            messages.success(request, "Saved. It holds from now on, for what was said before too.")
            return redirect("purposes")
    context: dict[str, Any] = {
        "purpose": purpose,
        "is_new": is_new,
        "error": error,
        "bases": BASES.items(),
        "channels": CHANNELS,
        "versions": [] if is_new else store.list_notices(key=purpose.key),
    }
    return render(request, "consents/purpose.html", context, status=422 if error else 200)


def _read(request: HttpRequest, before: Purpose, *, is_new: bool) -> Purpose:
    given = request.POST
    months, place = given.get("expiry_months", "").strip(), given.get("place", "").strip()
    if (months and not months.isdecimal()) or (place and not place.isdecimal()):
        raise Invalid("months and the place are whole numbers")
    return Purpose(
        key=given.get("key", "").strip() if is_new else before.key,
        title=given.get("title", ""),
        covers=given.get("covers", ""),
        channels=[each for each in CHANNELS if each in given.getlist("channels")],
        basis=cast(LawfulBasis, given.get("basis", "")),
        needs_consent=given.get("needs_consent") == "yes",
        expiry_months=int(months[:6]) if months else None,
        is_shown=given.get("is_shown") == "yes",
        place=int(place[:6]) if place else before.place,
    )
