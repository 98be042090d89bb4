"""Copies of a customer's data: asked for, made by the worker, kept for a while, fetched."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from amity.infra import queries
from amity.infra.database import Connection, transaction
from amity.kernel.errors import Conflict, NotFound
from amity.store.contracts_requests import COPYING, Request
from amity.store.logic.profiles.reading import find_root
from amity.store.logic.requests.acting import carrying_out, close, tell
from amity.store.logic.requests.book import add_step, read_copy, read_request
from amity.store.logic.requests.files import copy_path, delete_copy

_SQL: Final = queries.load("amity.store")
KEPT: Final = timedelta(days=30)
"""So long a copy lies here; the data map says so too."""

MOST_FETCHED: Final = 3
"""So often she takes it by her link: a download breaks off now and then."""

_AMITY: Final = "Amity"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What became of putting a copy together."""

    path: Path
    bytes: int
    sha256: str
    rows: int


Maker = Callable[[Request, int, int], Made]
"""Puts a copy together: of a request, for the profile that lives on, under the copy's number."""


def ask_copy(
    *, request_id: int, by: str, now: datetime, connection: Connection | None = None
) -> None:
    """Have a copy made by the worker; raise Conflict while one is being made."""
    with carrying_out(request_id, COPYING, connection) as (held, request, _):
        row = held.execute(_SQL["requests_copy_ask"], {"id": request_id, "now": now}).fetchone()
        if row is None:
            raise Conflict("a copy is being made already", code="copy_running")
        add_step(held, request, "copy_asked", by=by, now=now)


def make_copies(*, maker: Maker, now: datetime) -> int:
    """Make one copy that waits, if any; return how many that was.

    One that fails says why at its request, and is asked for anew by hand.
    """
    with transaction() as connection:
        row = connection.execute(_SQL["requests_copy_claim"], {"now": now}).fetchone()
        if row is None:
            return 0
        request = read_request(connection, row[1])
        root = None
        if request.profile_id is not None:
            root = find_root(connection, request.profile_id)
    if root is None:
        return 1  # she was erased in the meantime, and the copy with her
    try:
        made = maker(request, root, row[0])
    except Exception as error:
        _note_failure(row[0], request, type(error).__name__, now)
        raise
    _note_made(row[0], request, made, now)
    return 1


def _note_made(copy_id: int, request: Request, made: Made, now: datetime) -> None:
    values = {"id": copy_id, "now": now, "until": now + KEPT, "bytes": made.bytes}
    values |= {"sha256": made.sha256, "rows": made.rows}
    with transaction() as connection:
        kept = connection.execute(_SQL["requests_copy_made"], values).fetchone()
        if kept is not None:
            add_step(connection, request, "copy_made", by=_AMITY, now=now)
            if request.came_by == "preference_page" and request.verified_by == "mail_link":
                tell(connection, request, "copy", now=now)
    if kept is None:  # she was erased while it was made
        delete_copy(copy_id)


def _note_failure(copy_id: int, request: Request, failure: str, now: datetime) -> None:
    delete_copy(copy_id)
    with transaction() as connection:
        values = {"id": copy_id, "failure": failure}
        if connection.execute(_SQL["requests_copy_failed"], values).fetchone():
            add_step(connection, request, "copy_failed", by=_AMITY, now=now, words=failure)


def mail_copy(*, request_id: int, by: str, now: datetime) -> None:
    """Have the link to a copy that is ready mailed to her."""
    with transaction() as connection:
        request = read_request(connection, request_id, lock=True)
        copy = read_copy(connection, request_id)
        if copy is None or copy.state != "ready" or request.profile_id is None:
            raise Conflict("there is no copy to be sent", code="no_copy")
        tell(connection, request, "copy", now=now)
        words = "its link was mailed to her"
        add_step(connection, request, "noted", by=by, now=now, words=words)


def find_copy_file(*, request_id: int) -> Path:
    """Return the file of a request's copy, for staff; raise NotFound when none is kept."""
    with transaction() as connection:
        copy = read_copy(connection, request_id)
    if copy is None or copy.state != "ready" or not copy_path(copy.copy_id).is_file():
        raise NotFound("no copy is kept of this request; have one made", code="no_copy")
    return copy_path(copy.copy_id)


def note_handed_out(*, request_id: int, by: str, now: datetime) -> None:
    """Note that a member of staff took the copy."""
    with transaction() as connection:
        request = read_request(connection, request_id)
        add_step(connection, request, "copy_fetched", by=by, now=now)


def fetch_copy(connection: Connection, request: Request, now: datetime) -> Path | None:
    """Return the file for her who holds the mailed link, and count that; None when it is over.

    The first time closes the request: she has what she asked for.
    """
    values = {"id": request.request_id, "now": now, "most": MOST_FETCHED}
    row = connection.execute(_SQL["requests_copy_fetch"], values).fetchone()
    if row is None or not copy_path(row[0]).is_file():
        return None
    add_step(connection, request, "copy_fetched", by="customer", now=now)
    if request.is_open:
        close(connection, request, "done", by=_AMITY, now=now)
    return copy_path(row[0])


def forget_copies(*, now: datetime) -> int:
    """Delete the copies whose time is over; return how many."""
    with transaction() as connection:
        gone = connection.execute(_SQL["requests_copies_over"], [now]).fetchall()
        for copy_id, request_id in gone:
            delete_copy(copy_id)
            request = read_request(connection, request_id)
            add_step(connection, request, "copy_deleted", by=_AMITY, now=now)
    return len(gone)
