"""What an erasure does to data requests: they stay as a record that names nobody (rule D50)."""

from datetime import datetime
from typing import Final
from uuid import UUID

from amity.infra import queries
from amity.infra.database import Connection
from amity.store.logic.requests.files import delete_copy

_SQL: Final = queries.load("amity.store")


def forget_requests(
    connection: Connection,
    component: list[int],
    values: list[str],
    *,
    by: str,
    receipt_id: UUID,
    now: datetime,
) -> dict[str, int]:
    """Blank the requests of an erased customer, and delete the copies made for her.

    An open one is done with it: there is nothing left that could be handed out or corrected. Also
    requests that came from an address of hers and were matched with nobody.
    """
    about = {"ids": component, "words": sorted({value.lower() for value in values})}
    copies = connection.execute(_SQL["requests_erase_copies"], about).fetchall()
    for (copy_id,) in copies:
        delete_copy(copy_id)
    connection.execute(_SQL["requests_erase_steps"], about)
    done = {**about, "by": by, "receipt_id": receipt_id, "now": now}
    requests = connection.execute(_SQL["requests_erase"], done).rowcount
    return {"store_request": requests} if requests else {}
