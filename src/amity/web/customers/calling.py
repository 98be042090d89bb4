"""Who calls: from a phone number to the customer's page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from amity.store import api as store
from amity.web.access import requires
from amity.web.customers.callers import list_callers


@requires("profiles.read")
@require_safe
def by_phone(request: HttpRequest, number: str) -> HttpResponse:
    """Go to the customer who has a number; offer the possible ones when there are several."""
    match = store.find_by_phone(number=number)
    callers = list_callers(match)
    if len(callers) == 1:
        return redirect("customer", profile_id=callers[0].profile_id)
    context = {"number": number, "match": match, "callers": callers}
    return render(request, "customers/by_phone.html", context)
