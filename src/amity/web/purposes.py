"""What for: exports say it, and the gate leaves out whom that is not allowed of."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from django.http import HttpRequest

from amity.kernel.errors import Invalid
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.store.contracts_consent import Purpose

RECORDS: Final = "records"
"""What an export is for when nothing is said: the company's own books."""

_AT_ONCE: Final = 1_000


def list_purposes() -> list[Purpose]:
    """Return what an export can be for: the company's own records first."""
    return sorted(store.list_purposes(), key=lambda each: (each.key != RECORDS, each.place))


def read_purpose(request: HttpRequest) -> str:
    """Return what the address says an export is for; raise Invalid for what is no purpose."""
    wanted = request.GET.get("purpose") or RECORDS
    if wanted not in {purpose.key for purpose in store.list_purposes()}:
        raise Invalid("say what the export is for: this is none of the purposes")
    return wanted


def only_allowed(rows: Iterable[ProfileRow], purpose: str, now: datetime) -> Iterator[ProfileRow]:
    """Give back those of whom the gate lets data be used for a purpose, in their order."""
    following = iter(rows)
    while batch := list(islice(following, _AT_ONCE)):
        reasons = store.may_use(
            profile_ids=[row.profile_id for row in batch], purpose=purpose, now=now
        )
        yield from (row for row in batch if not reasons[row.profile_id])
