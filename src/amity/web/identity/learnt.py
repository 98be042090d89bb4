"""What the comparison of records has learnt, and having it learn anew."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from amity.kernel.errors import AmityError
from amity.store import api_identity
from amity.store.contracts_identity import LinkModel, LinkSubject
from amity.web.access import may, requires, staff_of
from amity.web.identity.words import LEARNT, tell_worth

_SUBJECTS: Final[dict[str, LinkSubject]] = {"people": "people", "companies": "companies"}


@requires("profiles.read")
@require_safe
def learnt(request: HttpRequest) -> HttpResponse:
    """Show the models in use, in words, and those before them."""
    told = []
    for name, subject in _SUBJECTS.items():
        models = api_identity.list_link_models(subject=subject)
        told.append(
            {
                "name": name,
                "model": _tell(models[0]) if models else None,
                "earlier": [_head(model) for model in models[1:]],
            }
        )
    can_change = may(request, "profiles.unmerge")
    return render(request, "identity/learnt.html", {"subjects": told, "can_change": can_change})


@requires("profiles.unmerge")
@require_POST
def learn(request: HttpRequest) -> HttpResponse:
    """Have it learn anew."""
    subject = _SUBJECTS.get(request.POST.get("subject", ""), "people")
    by, now = staff_of(request).username, datetime.now(UTC)
    try:
        api_identity.ask_to_learn(subject=subject, by=by, now=now)
    except AmityError as error:
        messages.error(request, f"Not asked: {error}.")
    else:
        messages.success(request, "It is learnt anew within a minute, and all are compared by it.")
    return redirect("review_learnt")


def _head(model: LinkModel) -> dict[str, Any]:
    return {"is": model, "why": LEARNT[model.why]}


def _tell(model: LinkModel) -> dict[str, Any]:
    lines = []
    for weight in model.weights:
        filled = model.quality.filled.get(weight.field, 0.0)
        for place, (grade, bits) in enumerate(weight.grades):
            lines.append(
                {
                    "field": weight.field if place == 0 else "",
                    "filled": filled,
                    "grade": grade,
                    "told": f"{bits:+.1f}",
                    "words": tell_worth(bits),
                }
            )
    return _head(model) | {"lines": lines}
