"""What is done about a request over several engines: for the screens, the API and the CLI."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from amity.store import api as store
from amity.store import api_requests as requests
from amity.web.erasing import erase_customer


def erase_for_request(*, request_id: int, by: str, now: datetime) -> dict[str, int]:
    """Erase whoever a verified request for erasure is about; it is closed with the erasure.

    Returns how many rows went from each table; the request keeps the receipt, which names nobody.
    """
    profile_id = requests.check_erasable(request_id=request_id)
    return erase_customer(profile_id=profile_id, by=by, now=now, receipt_id=uuid4())


def restrict(*, request_id: int, by: str, now: datetime) -> None:
    """Restrict processing, and wait until the gate knows."""
    requests.restrict_processing(request_id=request_id, by=by, now=now)
    settle()


def lift(*, request_id: int, reason: str, by: str, now: datetime) -> None:
    """Lift a restriction, and wait until the gate knows."""
    requests.lift_restriction(request_id=request_id, reason=reason, by=by, now=now)
    settle()


def correct(*, request_id: int, traits: Mapping[str, Any], by: str, now: datetime) -> None:
    """Record what is right instead, and wait until it is shown."""
    requests.correct_traits(request_id=request_id, traits=traits, by=by, now=now)
    settle()


def take_objection(*, request_id: int, by: str, now: datetime) -> None:
    """Take an objection into the ledger, and wait until the gate knows."""
    requests.take_objection(request_id=request_id, by=by, now=now)
    settle()


def settle() -> None:
    """Fold what was recorded, so that what is shown next is as it was said."""
    while store.fold_batch().events:
        pass
