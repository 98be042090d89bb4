"""All ways of forgetting: composed here, since no engine knows all others."""

from datetime import datetime
from functools import cache

from amity.analysis import api as analysis
from amity.broadcast import api as broadcast
from amity.kernel.errors import NotFound
from amity.personalization import api as personalization
from amity.store import api_retention as keeping
from amity.store.api_retention import FileSweep, RowSweep, Sweep, Sweeps
from amity.store.contracts_retention import Removal, RetentionRule, RetentionSlice
from amity.web.erasing import erase_customer

_AT_ONCE = 20
_MOST_COUNTED = 10_000


class InactiveSweep(Sweep):
    """Erases customers nothing happened to for long, as the button on their page would."""

    tables = ("store_profile",)
    is_enabled = False
    is_joined = False

    def __init__(self, kind: str, *, days: int, is_unknown: bool) -> None:
        self.kind, self.days = kind, days
        self.least_days = 30
        self._is_unknown = is_unknown
        self.title = "Visitors nobody knows" if is_unknown else "Customers long silent"
        rest = ", unless a user id, an e-mail address or a phone is known" if is_unknown else ""
        self.does = (
            "Who did nothing and was sent nothing for so long is erased, with all that is held "
            f"of them{rest}."
        )
        self.reason = (
            "A visitor who never came back is of no use to anybody."
            if is_unknown
            else "Customers may come back, and orders be asked about."
        )

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count them, up to a limit."""
        found = keeping.list_inactive_profiles(
            before=before, is_unknown=self._is_unknown, limit=_MOST_COUNTED
        )
        moments = [seen_at for _, seen_at in found]
        removal = Removal(
            rows=len(found),
            tables={"store_profile": len(found)} if found else {},
            oldest_at=min(moments, default=None),
            newest_at=max(moments, default=None),
        )
        return removal, len(found) == _MOST_COUNTED

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Erase the next few."""
        found = keeping.list_inactive_profiles(
            before=before, is_unknown=self._is_unknown, after=int(cursor or 0), limit=_AT_ONCE
        )
        removed, now = Removal(), self.moment(rule, before)
        for profile_id, seen_at in found:
            try:
                counts = erase_customer(profile_id=profile_id, by="retention", now=now)
            except NotFound:
                continue
            files = counts.pop("files", 0)
            tables = {table: count for table, count in counts.items() if count}
            removed = removed.join(
                Removal(
                    rows=sum(tables.values()),
                    files=files,
                    tables=tables,
                    oldest_at=seen_at,
                    newest_at=seen_at,
                )
            )
        last = str(found[-1][0]) if found else cursor
        return RetentionSlice(removed=removed, cursor=last, is_last=len(found) < _AT_ONCE)


@cache
def all_sweeps() -> Sweeps:
    """Return every way of forgetting there is, by its kind."""
    return keeping.index_sweeps(
        [
            InactiveSweep("profiles.unknown", days=395, is_unknown=True),
            InactiveSweep("profiles", days=1825, is_unknown=False),
            *keeping.list_sweeps(),
            *analysis.list_sweeps(),
            *broadcast.list_sweeps(),
            *personalization.list_sweeps(),
            *_own(),
        ]
    )


def run_due(*, now: datetime) -> int:
    """Take one step of the rules that are due; 0 when there is nothing to do."""
    return keeping.run_due_retention(all_sweeps(), now=now)


def _own() -> list[Sweep]:
    return [
        FileSweep(
            "imports.uploads",
            "imports/**",
            "imports/uploads/*",
            words=(
                "Uploads nobody went on with",
                "Files that were uploaded and not imported are deleted.",
                "An import can be begun one day and finished the next.",
            ),
            days=1,
        ),
        RowSweep(
            "replies",
            ("staff_reply", "replied_at"),
            words=(
                "Answers of the control API",
                "Answers kept for requests that are sent again are deleted.",
                "A client that lost the answer gets the same one again.",
            ),
        ),
    ]
