"""Data requests: what customers ask for about their data, until when it is due, and doing it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from amity.kernel.errors import Denied, Invalid
from amity.kernel.pagination import Page
from amity.store import api_requests as requests
from amity.store.contracts_requests import (
    CameBy,
    Due,
    Jurisdiction,
    Request,
    RequestFilter,
    RequestKind,
    RequestPlan,
    RequestState,
    Verification,
    WholeRequest,
)
from amity.web.api.routing import Call, Cursor, Limit, RowId, route
from amity.web.requests import acting

Words = Annotated[str, Meta(max_length=4000)]
Action = Literal[
    "verify",
    "ask_to_confirm",
    "match",
    "extend",
    "refuse",
    "note",
    "finish",
    "make_copy",
    "mail_copy",
    "correct",
    "restrict",
    "lift",
    "object",
    "erase",
]


class RequestsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests; `open` are all that are not closed."""

    kind: RequestKind | None = None
    state: RequestState | Literal["open"] | None = None
    due: Due | None = None
    profile_id: RowId | None = None
    search: Annotated[str, Meta(max_length=200)] = ""
    cursor: Cursor | None = None
    limit: Limit = 50


class NewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to be written down: of a profile, or of an e-mail address or phone number."""

    kind: RequestKind
    profile_id: RowId | None = None
    address: Annotated[str, Meta(max_length=320)] = ""
    came_by: CameBy = "api"
    jurisdiction: Jurisdiction = "gdpr"
    verified_by: Verification | None = None
    wish: Words = ""
    received_at: datetime | None = None


class ToDo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done about a request, and what that needs.

    `verify` needs `how`; `match` needs `profile_id`; `correct` needs `traits`; `extend`, `refuse`,
    `lift` and `note` need `words`; `finish` may have them. `erase` is for good.
    """

    action: Action
    words: Words = ""
    how: Verification | None = None
    profile_id: RowId | None = None
    traits: dict[str, Any] | None = None


@route("GET", "/requests", scope="requests:read")
def list_requests(query: RequestsQuery, call: Call) -> Page[Request]:
    """List data requests: the open ones by their deadline, then the latest closed ones."""
    filters = RequestFilter(
        kind=query.kind or "",
        state=query.state or "",
        due=query.due or "",
        profile_id=query.profile_id,
        search=query.search,
    )
    return requests.list_requests(
        filters=filters, now=call.now, cursor=query.cursor, limit=query.limit
    )


@route(
    "POST",
    "/requests",
    scope="requests:write",
    status=201,
    location="/requests/{it.request_id}",
)
def create_request(body: NewRequest, call: Call) -> Request:
    """Write a data request down; 409 while one of the kind is open for the customer."""
    plan = RequestPlan(
        kind=body.kind,
        came_by=body.came_by,
        profile_id=body.profile_id,
        address=body.address,
        jurisdiction=body.jurisdiction,
        verified_by=body.verified_by or "",
        wish=body.wish,
        received_at=body.received_at,
    )
    return requests.create_request(plan=plan, by=call.caller, now=call.now)


@route("GET", "/requests/{request_id}", scope="requests:read")
def get_request(request_id: RowId) -> WholeRequest:
    """Get a data request with every step that was taken, and its latest copy."""
    return requests.get_request(request_id=request_id)


@route("POST", "/requests/{request_id}/act", scope="requests:write")
def act_on_request(request_id: RowId, body: ToDo, call: Call) -> WholeRequest:
    """Do something about a data request; answers with how it stands then.

    409 when it is closed, or nobody has shown yet that the data is theirs. The copy itself is
    handed out on the screens and by the link that is mailed, not here. `erase` needs the scope
    `profiles:write` as well.
    """
    if body.action == "erase" and not call.may("profiles:write"):
        raise Denied("erasing needs the scope profiles:write", code="scope")
    _do(request_id, body, call)
    return requests.get_request(request_id=request_id)


def _do(request_id: int, body: ToDo, call: Call) -> None:
    to: dict[str, Any] = {"request_id": request_id, "by": call.caller, "now": call.now}
    needs = _NEEDS.get(body.action)
    if needs and not getattr(body, needs):
        raise Invalid(f"`{body.action}` needs `{needs}`", code=f"{needs}_missing")
    plain = _PLAIN.get(body.action)
    if plain is not None:
        plain(**to)
    elif body.action == "verify" and body.how:
        requests.verify_request(how=body.how, **to)
    elif body.action == "match" and body.profile_id:
        requests.match_request(profile_id=body.profile_id, **to)
    elif body.action == "correct" and body.traits:
        acting.correct(traits=body.traits, **to)
    else:
        act, name = _WORDED[body.action]
        act(**to, **{name: body.words})


_NEEDS: Final = {"verify": "how", "match": "profile_id", "correct": "traits"}
_PLAIN: Final[dict[str, Callable[..., Any]]] = {
    "ask_to_confirm": requests.ask_to_confirm,
    "make_copy": requests.ask_copy,
    "mail_copy": requests.mail_copy,
    "restrict": acting.restrict,
    "object": acting.take_objection,
    "erase": acting.erase_for_request,
}
_WORDED: Final[dict[str, tuple[Callable[..., None], str]]] = {
    "extend": (requests.extend_request, "reason"),
    "refuse": (requests.refuse_request, "reason"),
    "note": (requests.note_on_request, "words"),
    "finish": (requests.finish_request, "words"),
    "lift": (acting.lift, "reason"),
}
