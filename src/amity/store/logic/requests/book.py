"""The book of requests: writing one down, and reading them; every change leaves a step."""

from datetime import datetime
from typing import Any, Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.kernel.pagination import Page, decode_cursor, encode_cursor
from amity.store.contracts_requests import (
    REQUEST_RECEIVED,
    Copy,
    Request,
    RequestFilter,
    RequestPlan,
    RequestState,
    Step,
    StepKind,
    WholeRequest,
)
from amity.store.logic.identity.rules import normalize_email, normalize_phone
from amity.store.logic.intake.appending import record_event
from amity.store.logic.profiles.reading import (
    find_profile,
    find_root,
    list_joined,
    list_profiles,
    load_profiles,
)
from amity.store.logic.requests.deadlines import SOON, first_deadline

_SQL: Final = queries.load("amity.store")
_MOST: Final = 200
_MOST_FOUND: Final = 200
_CLOSED_RANK: Final = 100_000_000_000
_LONGEST_NUMBER: Final = 18


def create_request(*, plan: RequestPlan, by: str, now: datetime, address_key: str = "") -> Request:
    """Write a request down and return it; its deadline counts from when it was received.

    An address that is somebody's makes it hers. Raises Invalid for what says nobody or the future,
    NotFound for an unknown profile, Conflict while one of the kind is open for her.
    """
    received_at = plan.received_at or now
    if received_at > now:
        raise Invalid("it cannot have been received later than now", code="bad_date")
    profile_id, address = _whose(plan)
    state: RequestState = "in_progress" if plan.verified_by and profile_id else "received"
    with transaction() as connection:
        if profile_id is not None:
            profile_id = find_root(connection, profile_id)
            _refuse_second(connection, profile_id, plan)
        values = {
            "kind": plan.kind,
            "profile_id": profile_id,
            "address": address,
            "address_key": address_key,
            "came_by": plan.came_by,
            "jurisdiction": plan.jurisdiction,
            "state": state,
            "verified_by": plan.verified_by,
            "wish": plan.wish.strip(),
            "received_at": received_at,
            "due_at": first_deadline(received_at, plan.jurisdiction),
            "by": by,
        }
        row = connection.execute(_SQL["requests_insert"], values).fetchone()
        if row is None:
            raise _second(plan)
        request = read_request(connection, row[0])
        add_step(connection, request, "received", by=by, now=received_at)
        if plan.verified_by:
            add_step(connection, request, "verified", by=by, now=now, words=plan.verified_by)
        _record_received(connection, request, now)
    return request


def _whose(plan: RequestPlan) -> tuple[int | None, str]:
    """Return the profile, or the address when it is nobody's we know."""
    address = plan.address.strip()
    if (plan.profile_id is None) == (not address):
        raise Invalid("say whose it is: a profile, or an address", code="whose")
    if plan.profile_id is not None:
        return plan.profile_id, ""
    email, phone = normalize_email(address), normalize_phone(address)
    plain = email or phone
    if plain is None:
        raise Invalid("this is neither an e-mail address nor a phone number", code="bad_address")
    found = find_profile(kind="email" if email else "phone", value=plain)
    return (None, plain) if found is None else (found.profile_id, "")


def _refuse_second(connection: Connection, root: int, plan: RequestPlan) -> None:
    joined = [row[0] for row in connection.execute(_SQL["consents_joined"], [root])]
    if connection.execute(_SQL["requests_open_of"], [joined, plan.kind]).fetchone():
        raise _second(plan)


def _second(plan: RequestPlan) -> Conflict:
    return Conflict(f"a request for {plan.kind} of hers is open already", code="request_open")


def _record_received(connection: Connection, request: Request, now: datetime) -> None:
    if request.profile_id is not None:
        record_event(
            connection=connection,
            profile_id=request.profile_id,
            name=REQUEST_RECEIVED,
            properties={
                "request_id": request.request_id,
                "kind": request.kind,
                "came_by": request.came_by,
                "jurisdiction": request.jurisdiction,
            },
            message_id=f"request-{request.request_id}-received",
            now=now,
        )


def add_step(
    connection: Connection,
    request: Request,
    what: StepKind,
    *,
    by: str,
    now: datetime,
    words: str = "",
) -> None:
    """Write down that something was done about a request."""
    values = [request.request_id, now, by, what, words]
    connection.execute(_SQL["requests_step"], values)


def read_request(connection: Connection, request_id: int, *, lock: bool = False) -> Request:
    """Return one request, if asked locked until the transaction's end; raise NotFound."""
    row = None
    if 0 < request_id < 2**63:
        name = "requests_lock" if lock else "requests_read"
        row = connection.execute(_SQL[name], [request_id]).fetchone()
    if row is None:
        raise NotFound(f"there is no request {request_id}", code="no_request")
    return _request(row)


def _request(row: tuple[Any, ...]) -> Request:
    return Request(**dict(zip(Request.__struct_fields__, row, strict=True)))


def write_request(connection: Connection, request: Request) -> None:
    """Keep what has changed of a request."""
    values = msgspec.structs.asdict(request) | {"id": request.request_id}
    connection.execute(_SQL["requests_change"], values)


def get_request(*, request_id: int) -> WholeRequest:
    """Return a request with its steps and its latest copy; raise NotFound."""
    with transaction() as connection:
        request = read_request(connection, request_id)
        rows = connection.execute(_SQL["requests_steps"], [request_id]).fetchall()
        copy = read_copy(connection, request_id)
        held = False
        if request.profile_id is not None:
            root = find_root(connection, request.profile_id)
            request = msgspec.structs.replace(request, profile_id=root)
            (profile,) = load_profiles(connection=connection, profile_ids=[root])
            held = profile.is_restricted
    names = Step.__struct_fields__
    steps = [Step(**dict(zip(names, row, strict=True))) for row in rows]
    return WholeRequest(request=request, steps=steps, copy=copy, is_restricted=held)


def read_copy(connection: Connection, request_id: int) -> Copy | None:
    """Return the latest copy that was asked for a request."""
    row = connection.execute(_SQL["requests_copy"], [request_id]).fetchone()
    return None if row is None else Copy(**dict(zip(Copy.__struct_fields__, row, strict=True)))


def list_requests(
    *, filters: RequestFilter, now: datetime, cursor: str | None = None, limit: int = 50
) -> Page[Request]:
    """Return a page of requests: the open ones by their deadline, then the latest closed ones."""
    rank, after = decode_cursor(cursor, (int, int)) if cursor else (None, None)
    limit = max(1, min(limit, _MOST))
    text = filters.search.strip()
    is_number = text.isdecimal() and len(text) <= _LONGEST_NUMBER and text.isascii()
    profiles = None
    if filters.profile_id is not None:
        profiles = list_joined(profile_id=filters.profile_id)
    found = list_profiles(search=text, limit=_MOST_FOUND).items if text and not is_number else []
    values = {
        "kind": filters.kind,
        "state": filters.state,
        "due": filters.due,
        "profiles": profiles,
        "number": int(text) if is_number else None,
        "search": "" if is_number else text,
        "found": [each.profile_id for each in found],
        "now": now,
        "soon": now + SOON,
        "after_rank": rank,
        "after_id": after,
        "limit": limit + 1,
    }
    with transaction() as connection:
        rows = connection.execute(_SQL["requests_page"], values).fetchall()
    items = [_request(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, encode_cursor(_place(items[-1])) if more else None)


def _place(request: Request) -> list[int]:
    if request.closed_at is None:
        return [round(request.due_at.timestamp()), request.request_id]
    return [_CLOSED_RANK - round(request.closed_at.timestamp()), request.request_id]


def count_due(*, now: datetime) -> tuple[int, int, int]:
    """Return how many open requests are overdue, due within a week or overdue, and all of them."""
    with transaction() as connection:
        row = connection.execute(_SQL["requests_due"], {"now": now, "soon": now + SOON}).fetchone()
    assert row is not None
    return row[0], row[1], row[2]
