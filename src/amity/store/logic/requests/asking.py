"""What a customer asks for herself: on her preference page, confirmed by a link that is mailed.

Whoever holds an older message holds the link of the preference page, so that page gives nothing
away and does nothing: it has a one-time link mailed to the address, and only that counts.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, Invalid, NotFound
from amity.store.contracts import Channel
from amity.store.contracts_requests import (
    COPYING,
    Asked,
    Request,
    RequestKind,
    RequestLink,
    RequestPlan,
)
from amity.store.logic.profiles.contact_points import addresses_of
from amity.store.logic.profiles.reading import find_root
from amity.store.logic.requests.acting import (
    ask_to_confirm,
    restrict_processing,
    take_objection,
    verify_request,
)
from amity.store.logic.requests.book import create_request, read_copy, read_request
from amity.store.logic.requests.copies import MOST_FETCHED, ask_copy, fetch_copy

_SQL: Final = queries.load("amity.store")
CUSTOMER: Final = "customer"
_LONGEST_WISH: Final = 2000
_ASK_AGAIN: Final = timedelta(days=1)
_AT_ONCE: Final[dict[RequestKind, Callable[..., None]]] = {
    "access": ask_copy,
    "portability": ask_copy,
    "restriction": restrict_processing,
    "objection": take_objection,
}


def ask_for(
    *, profile_id: int, point: tuple[Channel, str], kind: RequestKind, wish: str, now: datetime
) -> None:
    """Write a customer's request down and have her asked by mail whether it was she.

    Nothing happens when there is no such profile any more, when the contact point is not hers, or
    when one of the kind is open: whoever asks is told the same each time.
    """
    try:
        with transaction() as connection:
            root = find_root(connection, profile_id)
            rows = connection.execute(_SQL["list_identifiers"], [root]).fetchall()
        if point[0] != "email" or point not in addresses_of([(row[0], row[1]) for row in rows]):
            return
        plan = RequestPlan(
            kind=kind, came_by="preference_page", profile_id=root, wish=wish[:_LONGEST_WISH]
        )
        request_id = _find_unconfirmed(root, kind, now)
        if request_id is None:
            made = create_request(plan=plan, by=CUSTOMER, now=now, address_key=point[1])
            request_id = made.request_id
        ask_to_confirm(request_id=request_id, by=CUSTOMER, now=now)
    except (NotFound, Conflict, Invalid):
        return


def _find_unconfirmed(root: int, kind: RequestKind, now: datetime) -> int | None:
    """Return a request of hers whose link was mailed longer ago than a day and never pressed."""
    with transaction() as connection:
        row = connection.execute(
            _SQL["requests_unconfirmed"], {"id": root, "kind": kind, "before": now - _ASK_AGAIN}
        ).fetchone()
    return None if row is None else int(row[0])


def find_asked(*, link: RequestLink, now: datetime) -> Asked | None:
    """Return how the request behind a mailed link stands; None when it is not hers any more."""
    with transaction() as connection:
        request = _read(connection, link)
        if request is None:
            return None
        copy = read_copy(connection, request.request_id) if request.kind in COPYING else None
    is_ready = copy is not None and copy.state == "ready" and (copy.expires_at or now) > now
    if copy is None or not is_ready:
        return Asked(kind=request.kind, state=request.state, due_at=request.due_at)
    return Asked(
        kind=request.kind,
        state=request.state,
        due_at=request.due_at,
        copy_id=copy.copy_id,
        copy_bytes=copy.bytes,
        copy_until=copy.expires_at,
        is_used_up=copy.fetched >= MOST_FETCHED,
    )


def confirm_asked(*, link: RequestLink, now: datetime) -> bool:
    """Take the press of the button behind a mailed link as proof that it is she; say if it counts.

    A copy is begun, a restriction or an objection holds at once; a correction and an erasure are
    carried out by staff, who look at them first.
    """
    with transaction() as connection:
        request = _read(connection, link, lock=True)
        if request is None or request.state != "verifying":
            return False
        verify_request(
            request_id=request.request_id,
            how="mail_link",
            by=CUSTOMER,
            now=now,
            connection=connection,
        )
        carry_out = _AT_ONCE.get(request.kind)
        if carry_out is not None:
            carry_out(request_id=request.request_id, by=CUSTOMER, now=now, connection=connection)
    return True


def take_copy(*, link: RequestLink, now: datetime) -> Path | None:
    """Return the file of her copy for her who holds the mailed link; None when there is none."""
    with transaction() as connection:
        request = _read(connection, link, lock=True)
        return None if request is None else fetch_copy(connection, request, now)


def _read(connection: Connection, link: RequestLink, *, lock: bool = False) -> Request | None:
    """Return the request of a link while it is still that customer's."""
    try:
        request = read_request(connection, link.request_id, lock=lock)
        if request.profile_id is None:
            return None
        same = find_root(connection, request.profile_id) == find_root(connection, link.profile_id)
    except NotFound:
        return None
    return request if same else None
