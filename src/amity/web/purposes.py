"""What for: whatever lets data out asks it, and the gate leaves out whom that is not allowed of.

What somebody chose last is remembered in their browser and offered first the next time.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from amity.kernel.errors import Denied, Invalid
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.store.contracts_consent import Purpose

Answer = TypeVar("Answer", bound=HttpResponseBase)

RECORDS: Final = "records"
"""What data is asked for when nothing is said: the company's own books."""

_COOKIE: Final = "what_for"
_REMEMBERED_SECONDS: Final = 90 * 24 * 3600
_AT_ONCE: Final = 1_000


def list_purposes() -> list[Purpose]:
    """Return what an export can be for: the company's own records first."""
    return sorted(store.list_purposes(), key=lambda each: (each.key != RECORDS, each.place))


def what_for(request: HttpRequest) -> dict[str, Any]:
    """Return what the question on a page needs: the purposes, and the one chosen last."""
    purposes = list_purposes()
    chosen = request.COOKIES.get(_COOKIE, "")
    known = {purpose.key for purpose in purposes}
    return {"purposes": purposes, "purpose": chosen if chosen in known else RECORDS}


def remember(answer: Answer, purpose: str) -> Answer:
    """Have the browser remember what an export was for; the answer is returned."""
    answer.set_cookie(
        _COOKIE,
        purpose,
        max_age=_REMEMBERED_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return answer


def read_purpose(request: HttpRequest) -> str:
    """Return what the address says an export is for; raise Invalid for what is no purpose."""
    return check_purpose(request.GET.get("purpose", ""))


def check_purpose(wanted: str) -> str:
    """Return a purpose that was asked for, own records for none; raise Invalid for any other."""
    purpose = wanted or RECORDS
    if purpose not in {each.key for each in store.list_purposes()}:
        raise Invalid("say what it is for: this is none of the purposes", code="bad_purpose")
    return purpose


def list_allowed(profile_ids: Iterable[int], purpose: str, now: datetime) -> set[int]:
    """Return those of whom the gate lets data be used for a purpose."""
    reasons = store.may_use(profile_ids=profile_ids, purpose=purpose, now=now)
    return {profile_id for profile_id, reason in reasons.items() if not reason}


def only_allowed(rows: Iterable[ProfileRow], purpose: str, now: datetime) -> Iterator[ProfileRow]:
    """Give back those of whom the gate lets data be used for a purpose, in their order."""
    following = iter(rows)
    while batch := list(islice(following, _AT_ONCE)):
        allowed = list_allowed([row.profile_id for row in batch], purpose, now)
        yield from (row for row in batch if row.profile_id in allowed)


def ensure_allowed(profile_id: int, purpose: str, now: datetime) -> None:
    """Raise Denied, naming the gate's reason, when a customer's data may not be used so."""
    reason = store.may_use(profile_ids=[profile_id], purpose=purpose, now=now)[profile_id]
    if reason:
        raise Denied(
            f"this customer's data may not be used for {purpose}: {reason}", code="not_allowed"
        )
