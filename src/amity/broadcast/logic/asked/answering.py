"""What messages that customers asked for have in common: who they are now, and what is sent."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Final

from amity.broadcast.logic.sending.ledger import NewSend, queue_sends
from amity.broadcast.logic.templates import keeping
from amity.infra import queries
from amity.infra.database import Connection
from amity.store import api as store
from amity.store.contracts import Activity

_SQL: Final = queries.load("amity.broadcast")


def queue_answers(
    connection: Connection,
    asked: Sequence[Activity],
    *,
    find_key: Callable[[int, str, Activity], str],
    write: Callable[[Activity, int, str], NewSend],
) -> int:
    """Queue a message for each of these, in the caller's transaction; return how many.

    ``find_key`` is given the profile that lives on, its e-mail address or "", and what was asked:
    it returns the key of the address to write to, "" for none. ``write`` is given what was asked,
    the profile and that key.
    """
    if not asked:
        return 0
    wanted = sorted({each.profile_id for each in asked})
    people = {row[0]: row[1:3] for row in connection.execute(_SQL["sending_people"], [wanted])}
    sends = []
    for each in asked:
        root, email = people.get(each.profile_id, (0, ""))
        key = find_key(root, email, each) if root else ""
        if key:
            sends.append(write(each, root, key))
    keys = [send.contact_point for send in sends]
    store.ensure_contact_points(connection=connection, channel="email", address_keys=keys)
    return queue_sends(connection, sends)


def keep_starter(connection: Connection, name: str, subject: str, now: datetime) -> int:
    """Return what is sent, kept once; the consumer's turn makes sure that nobody else does so."""
    source = files("amity.broadcast.starters").joinpath(f"{name}.mjml").read_text("utf-8")
    draft = keeping.Draft(message_class="service", subject=subject, source=source)
    return keeping.keep_once(connection, draft, now)
