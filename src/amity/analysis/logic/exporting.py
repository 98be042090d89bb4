"""Segments to files and databases: who is in it, as far as the purpose is allowed.

Everybody is asked for at the gate, page by page, and who does not allow the purpose is counted and
left out. A run that dies is done again from the beginning; nothing of it was to be seen.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from amity.analysis.contracts import Membership
from amity.analysis.logic import segments, segments_reading
from amity.infra.database import transaction
from amity.kernel.errors import AmityError, Retryable
from amity.store import api as store
from amity.store import api_outbound
from amity.store.contracts import Profile

_AT_ONCE: Final = 1_000
_MOST_ATTEMPTS: Final = 5


def run_exports(*, now: datetime, run_id: int | None = None) -> int:
    """Run the oldest export that waits, or this one; return how many were run: 0 or 1."""
    run = api_outbound.claim_export(run_id=run_id)
    if run is None:
        return 0
    try:
        file_name = _run(run, now)
    except Retryable as error:
        is_over = run.attempts >= _MOST_ATTEMPTS
        api_outbound.end_export(
            run=run, state="failed" if is_over else "waiting", failure=error.message
        )
    except AmityError as error:
        api_outbound.end_export(run=run, state="failed", failure=error.message)
    else:
        api_outbound.end_export(run=run, state="finished", file_name=file_name)
    return 1


def _run(run: api_outbound.ClaimedRun, now: datetime) -> str:
    with transaction("readonly") as connection:
        members = segments.Definitions(connection).make(run.segment_id).members or 0
    target = run.open()
    done = written = 0
    left_out: Counter[str] = Counter()
    try:
        target.begin()
        cursor: str | None = None
        while True:
            page = segments_reading.list_members(
                segment_id=run.segment_id, cursor=cursor, limit=_AT_ONCE
            )
            rows = _read_rows(run, page.items, left_out, now)
            target.write(rows)
            done, written = done + len(page.items), written + len(rows)
            api_outbound.note_export(
                run=run, members=members, done=done, written=written, left_out=left_out
            )
            cursor = page.next_cursor
            if cursor is None:
                return target.finish()
    except BaseException:
        target.abandon()
        raise


def _read_rows(
    run: api_outbound.ClaimedRun,
    members: Sequence[Membership],
    left_out: Counter[str],
    now: datetime,
) -> list[list[api_outbound.Cell]]:
    """Return the rows of one page of members; count those left out by reason."""
    ids = [member.profile_id for member in members]
    with transaction() as connection:
        reasons = store.may_use(
            profile_ids=ids, purpose=run.purpose, now=now, connection=connection
        )
        allowed = [profile_id for profile_id, reason in reasons.items() if not reason]
        found = store.load_profiles(connection=connection, profile_ids=allowed)
    profiles = {each.profile_id: each for each in found if each.merged_into is None}
    left_out.update(reason for reason in reasons.values() if reason)
    rest = set(allowed) - profiles.keys()
    if rest:
        left_out["unknown"] += len(rest)
    return [
        [_cell(column, profiles[member.profile_id], member) for column in run.columns]
        for member in members
        if member.profile_id in profiles
    ]


def _cell(column: str, profile: Profile, member: Membership) -> api_outbound.Cell:
    if column == "entered_at":
        return member.entered_at
    if column.startswith("trait."):
        return api_outbound.plain_text(profile.traits.get(column.removeprefix("trait.")))
    value: api_outbound.Cell = getattr(profile, column)
    return value
