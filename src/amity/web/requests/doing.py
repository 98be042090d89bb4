"""What staff do about a request: each a POST that leaves a step, and comes back to the request."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, cast

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from amity.kernel.errors import AmityError, Invalid
from amity.store import api_requests as requests
from amity.store.contracts_requests import Verification
from amity.web.access import requires, staff_of
from amity.web.requests import acting
from amity.web.requests.views import sentence

_MOST_FIELDS: Final = 10


def _verify(given: QueryDict, **who: Any) -> str:
    requests.verify_request(how=cast("Verification", given.get("how", "")), **who)
    return "It can be carried out now."


def _ask(given: QueryDict, **who: Any) -> str:
    requests.ask_to_confirm(**who)
    return "They are asked by mail to confirm."


def _match(given: QueryDict, **who: Any) -> str:
    number = given.get("profile_id", "").strip()
    if not number.isdecimal() or len(number) > 18:
        raise Invalid("write the number of the customer, as in the address of their page")
    requests.match_request(profile_id=int(number), **who)
    return "It is this customer's now."


def _extend(given: QueryDict, **who: Any) -> str:
    requests.extend_request(reason=given.get("words", ""), **who)
    return "There is more time, and they are told why."


def _note(given: QueryDict, **who: Any) -> str:
    requests.note_on_request(words=given.get("words", ""), **who)
    return "It is noted."


def _refuse(given: QueryDict, **who: Any) -> str:
    requests.refuse_request(reason=given.get("words", ""), **who)
    return "It is refused, and they are told why."


def _finish(given: QueryDict, **who: Any) -> str:
    requests.finish_request(words=given.get("words", ""), **who)
    return "It is done."


def _copy(given: QueryDict, **who: Any) -> str:
    requests.ask_copy(**who)
    return "The copy is being made."


def _mail(given: QueryDict, **who: Any) -> str:
    requests.mail_copy(**who)
    return "A link to the copy is on its way to them."


def _correct(given: QueryDict, **who: Any) -> str:
    names, values = given.getlist("trait"), given.getlist("value")
    traits = {
        name.strip(): value.strip() or None
        for name, value in zip(names[:_MOST_FIELDS], values, strict=False)
        if name.strip()
    }
    acting.correct(traits=traits, **who)
    return "It is corrected."


def _restrict(given: QueryDict, **who: Any) -> str:
    acting.restrict(**who)
    return "Their data is kept, and used for nothing from now on."


def _lift(given: QueryDict, **who: Any) -> str:
    acting.lift(reason=given.get("words", ""), **who)
    return "The restriction is lifted."


def _object(given: QueryDict, **who: Any) -> str:
    acting.take_objection(**who)
    return "The objection stands in the ledger."


_ACTIONS: Final[dict[str, Callable[..., str]]] = {
    "verify": _verify,
    "ask": _ask,
    "match": _match,
    "extend": _extend,
    "note": _note,
    "refuse": _refuse,
    "finish": _finish,
    "copy": _copy,
    "mail": _mail,
    "correct": _correct,
    "restrict": _restrict,
    "lift": _lift,
    "object": _object,
}


@require_POST
@requires("requests.write")
def act(request: HttpRequest, request_id: int) -> HttpResponse:
    """Do one thing about a request; what cannot be done says why."""
    action = _ACTIONS.get(request.POST.get("action", ""))
    by = staff_of(request).get_username()
    try:
        if action is None:
            raise Invalid("there is no such action")
        done = action(request.POST, request_id=request_id, by=by, now=datetime.now(UTC))
        messages.success(request, done)
    except AmityError as refusal:
        messages.error(request, sentence(refusal))
    return redirect("data_request", request_id)


@require_POST
@requires("profiles.erase", step_up=True)
def erase(request: HttpRequest, request_id: int) -> HttpResponse:
    """Erase whoever asked for it, when the number of the request was typed."""
    if request.POST.get("confirm", "").strip() != str(request_id):
        messages.error(request, "Nothing was erased: the number typed was not the request's.")
        return redirect("data_request", request_id)
    by = staff_of(request).get_username()
    try:
        counts = acting.erase_for_request(request_id=request_id, by=by, now=datetime.now(UTC))
    except AmityError as refusal:
        messages.error(request, sentence(refusal))
    else:
        messages.success(request, f"Erased for good: {sum(counts.values()):,} rows.")
    return redirect("data_request", request_id)


@require_POST
@requires("requests.copy", step_up=True)
def download(request: HttpRequest, request_id: int) -> HttpResponseBase:
    """Hand out the copy to staff, and note who took it."""
    path = requests.find_copy_file(request_id=request_id)
    by = staff_of(request).get_username()
    requests.note_handed_out(request_id=request_id, by=by, now=datetime.now(UTC))
    name = f"request-{request_id}.zip"
    answer = FileResponse(path.open("rb"), as_attachment=True, filename=name)
    answer["Cache-Control"] = "no-store"
    return answer
